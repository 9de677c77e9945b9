"""Candidates: the pairs that a record may belong to, and how a hold names them. Pure."""

from collections.abc import Iterable, Sequence

from consumers.ledger.port import Pair
from consumers.merge.state import PairState
from streams.systems import System

AMBIGUOUS = "ambiguous match"
"""How the hold of a pair begins that may belong to several records, or to one that is another's."""
_NAMED_MAX = 5
_NAME_KEYS = ("firstName", "lastName")


def alike(known: Sequence[Pair], system: System, own: Pair | None) -> list[Pair]:
    """Of the pairs with one e-mail, those that another record of `system` may belong to, or that stand in its way.

    A pair whose record on the other side is gone takes nobody; one whose record on this side is gone takes who is made again, as long
    as its other side is there.
    """
    return [pair for pair in known if pair is not own and _counts(pair.state, system)]


def named(pairs: Iterable[Pair], known_more: int = 0) -> str:
    """The records of these pairs with their names, the first few in full."""
    return listed([_shown(pair.state) for pair in pairs], known_more)


def listed(texts: Sequence[str], known_more: int = 0) -> str:
    """The first few of these, and how many more there are."""
    more = len(texts) - _NAMED_MAX + known_more if len(texts) > _NAMED_MAX else known_more
    return "; ".join(texts[:_NAMED_MAX]) + (f"; and {more} more" if more else "")


def person(name: Iterable[object]) -> str:
    """A name in brackets, or nothing."""
    text = " ".join(str(part) for part in name if part)
    return f" ({text})" if text else ""


def _counts(state: PairState, system: System) -> bool:
    own, other = state.record(system), state.record(system.other)
    if other.id and other.deleted:
        return False
    return bool(other.id) or (bool(own.id) and not own.deleted)


def _shown(state: PairState) -> str:
    records = " = ".join(f"{system} {record.id}" for system in System if (record := state.record(system)).id and not record.deleted)
    name = (field.value for key in _NAME_KEYS if (field := state.fields.get(key)) is not None)
    return records + person(name)
