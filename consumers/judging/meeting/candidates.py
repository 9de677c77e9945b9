"""Candidates: the pairs that a record may belong to, and how a hold names them. Pure."""

from collections.abc import Iterable, Sequence

from consumers.ledger.port import Pair
from consumers.merge.edits.values import canonical
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Terms
from streams.wire.systems import System

AMBIGUOUS = "ambiguous match"
"""How the hold of a pair begins that may belong to several records, or to one that is another's."""
ALIKE_MAX = 12
"""Of the pairs with one e-mail, so many are looked at: two make a match ambiguous, the rest is for the names."""
_NAMED_MAX = 5
_NAME_KEYS = ("firstName", "lastName")


def alike(known: Sequence[Pair], system: System, own: Pair | None) -> list[Pair]:
    """Of the pairs with one e-mail, those that another record of `system` may belong to, or that stand in its way.

    A pair whose record on the other side is gone takes nobody; one whose record on this side is gone takes who is made again, as long
    as its other side is there.
    """
    return [pair for pair in known if pair is not own and _counts(pair.state, system)]


def named(pairs: Sequence[Pair]) -> str:
    """The records of these pairs with their names, the first few in full."""
    return listed([_shown(pair.state) for pair in pairs])


def listed(texts: Sequence[str]) -> str:
    """The first few of these, and how many more there are."""
    more = len(texts) - _NAMED_MAX
    at_least = "at least " if len(texts) >= ALIKE_MAX - 1 else ""
    return "; ".join(texts[:_NAMED_MAX]) + (f"; and {at_least}{more} more" if more > 0 else "")


def tokens(state: PairState, terms: Terms) -> set[str]:
    """What others may wait for in this pair: its live records, and every e-mail that it has or shows, as match keys."""
    found = {record.id for system in System if (record := state.record(system)).id and not record.deleted}
    sort = terms.mapping(state)
    mapping = sort.by_key.get(terms.rules.email_key)
    field = state.fields.get(terms.rules.email_key)
    if mapping is None or field is None or not found or not sort.is_person:
        return found
    shown = (field.side(system).seen for system in System if state.record(system).id and not state.record(system).deleted)
    keys = {canonical(mapping, value) for value in (field.value, *shown)}
    return found | {key for key in keys if isinstance(key, str)}


def person(name: Iterable[object]) -> str:
    """A name in brackets, or nothing."""
    text = " ".join(str(part) for part in name if part)
    return f" ({text})" if text else ""


def can_take(state: PairState, system: System) -> bool:
    """Whether this pair has no record on that side (any more)."""
    record = state.record(system)
    return not record.id or record.deleted


def _counts(state: PairState, system: System) -> bool:
    own, other = state.record(system), state.record(system.other)
    if other.id and other.deleted:
        return False
    return bool(other.id) or (bool(own.id) and not own.deleted)


def _shown(state: PairState) -> str:
    records = " = ".join(f"{system} {record.id}" for system in System if (record := state.record(system)).id and not record.deleted)
    name = (field.value for key in _NAME_KEYS if (field := state.fields.get(key)) is not None)
    return records + person(name)
