"""Events that waited for each other, put in their own order: by time, within one stamp by what stood before each. Pure."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from consumers.merge.pair.state import Waiting
from streams.wire.events import WireValue

_MOST = 7
"""Of so many events of one stamp all orders are tried."""


def in_order(waiting: Sequence[Waiting]) -> list[Waiting]:
    """By time; within one stamp so that each finds what those before it have left, as far as the values tell."""
    by_time = sorted(waiting, key=lambda entry: entry.event.at)
    ordered: list[Waiting] = []
    for _, peers in groupby(by_time, key=lambda entry: entry.event.at):
        together = list(peers)
        ordered += (_chain({}, together) if len(together) <= _MOST else None) or _as_far_as(together)
    return ordered


def _chain(left: Mapping[str, WireValue], rest: Sequence[Waiting]) -> list[Waiting] | None:
    """All of them, each after what it found there; None: there is no such order. `left`: what those before them have left."""
    if not rest:
        return []
    for entry in rest:
        if not _fits(left, entry):
            continue
        others = [other for other in rest if other is not entry]
        chain = _chain({**left, **entry.event.fields}, others)
        if chain is not None:
            return [entry, *chain]
    return None


def _fits(left: Mapping[str, WireValue], entry: Waiting) -> bool:
    before = entry.event.before or {}
    return all(left[name] == before[name] for name in entry.event.fields if name in before and name in left)


def _as_far_as(peers: Sequence[Waiting]) -> list[Waiting]:
    """Where one is missing among them: each after the one that left what it found there."""
    rest, ordered = list(peers), list[Waiting]()
    while rest:
        first = next((entry for entry in rest if not any(_leads_to(other, entry) for other in rest if other is not entry)), rest[0])
        rest.remove(first)
        ordered.append(first)
    return ordered


def _leads_to(one: Waiting, other: Waiting) -> bool:
    """Whether the first event left in some field what stood there before the second."""
    before = other.event.before or {}
    return any(name in before and before[name] == value for name, value in one.event.fields.items())
