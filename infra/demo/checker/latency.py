"""How long edits took from one side to the other, by the systems' own histories. Pure."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from infra.demo.checker.comparison import Pair
from infra.demo.checker.history import Line, Mirror
from infra.demo.checker.sameness import normal
from infra.demo.checker.table import FIELDS, MARKETO, SALESFORCE

DIRECTIONS = {SALESFORCE: "salesforce_to_marketo", MARKETO: "marketo_to_salesforce"}
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An edit's way: made at `at_ms` on one side, its value written by Tandem on the other `took_ms` later."""

    direction: str
    at_ms: int
    took_ms: int


def arrivals(mirror: Mirror, pairs: Iterable[Pair], *, tandem: Mapping[str, str], since_ms: int) -> list[Arrival]:
    """One for each edit made since then whose value arrived: per field, and one for each person who was created on one side. An edit that
    was overtaken before it was carried over has none.
    """
    return [arrival for pair in pairs for system in DIRECTIONS for arrival in _of_side(mirror, pair, system, tandem, since_ms)]


def percentiles(took_ms: Iterable[int]) -> dict[str, int]:
    """p50, p95, p99 (nearest rank) and how many; nothing where there were none."""
    ordered = sorted(took_ms)
    if not ordered:
        return {}
    ranks = {f"p{each}": ordered[min(len(ordered) - 1, -(-each * len(ordered) // 100) - 1)] for each in PERCENTILES}
    return {**ranks, "n": len(ordered)}


def by_direction(found: Iterable[Arrival]) -> dict[str, dict[str, int]]:
    took: dict[str, list[int]] = defaultdict(list)
    for each in found:
        took[each.direction].append(each.took_ms)
    return {direction: percentiles(took[direction]) for direction in DIRECTIONS.values()}


def _of_side(mirror: Mirror, pair: Pair, system: str, tandem: Mapping[str, str], since_ms: int) -> Iterator[Arrival]:
    other = MARKETO if system == SALESFORCE else SALESFORCE
    there = [each for each in mirror.lines_of(other, pair.key(other)) if each.actor == tandem[other] and each.after is not None]
    starts = [each.at_ms for each in there]
    for item in mirror.lines_of(system, pair.key(system)):
        if item.at_ms < since_ms or item.actor == tandem[system] or item.after is None:
            continue
        later = there[bisect_left(starts, item.at_ms) :]
        for took_ms in _created(item, later) if item.before is None else _edited(pair, item, later, system, other):
            yield Arrival(direction=DIRECTIONS[system], at_ms=item.at_ms, took_ms=took_ms)


def _created(item: Line, later: Sequence[Line]) -> Iterator[int]:
    if later and later[0].before is None:
        yield later[0].at_ms - item.at_ms


def _edited(pair: Pair, item: Line, later: Sequence[Line], system: str, other: str) -> Iterator[int]:
    changed = item.after or {}
    for each in FIELDS[pair.object]:
        if each.on(system) not in changed:
            continue
        wanted = normal(each.kind, changed[each.on(system)])
        for write in later:
            values = write.after or {}
            if each.on(other) in values and normal(each.kind, values[each.on(other)]) == wanted:
                yield write.at_ms - item.at_ms
                break
