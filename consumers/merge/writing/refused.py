"""What is refused of a pair: single fields by a system, or by us where a value can't be taken, or the making of a record. Pure."""

from collections.abc import Mapping

from consumers.merge.pair.state import NEVER, Field, PairState
from consumers.merge.writing.plan import mergeable
from consumers.merge.writing.witness import WAITS
from streams.wire.systems import MARKETO, PERSON, SALESFORCE, System

RECORD = "*"
"""Stands for the whole record where a field is named."""

MERGE = "merge"
"""Stands for a merge of two records."""

_APART = (
    "{loser} is the same person as {record}, but they are not of one object, so {system} merges them in no call. "
    "Convert the lead into the contact there: it is seen, and done with"
)
_BY_HAND = (
    "Both stay as they are, and the first is kept in step. Merge them in {system} by hand, or mend what stands in the way: it is tried "
    "again with the next change of this person"
)

Refusals = Mapping[tuple[System, str], str]
"""(system, field) -> why, in the system's own words or ours."""


def refusals(state: PairState) -> Refusals:
    """What is refused of this pair now: neither corrected nor taken since. Asked of every pair that is saved, so quick where nothing is."""
    found: dict[tuple[System, str], str] = {}
    for key, field in state.unsettled().items():
        one, other = field.salesforce, field.marketo
        if one.refused != NEVER or other.unusable:
            _note(found, SALESFORCE, key, field)
        if other.refused != NEVER or one.unusable:
            _note(found, MARKETO, key, field)
    if state.salesforce.refused and (not state.salesforce.id or _is_to_go(state, SALESFORCE)):
        found[SALESFORCE, RECORD] = state.salesforce.refused
    if state.marketo.refused and (not state.marketo.id or _is_to_go(state, MARKETO)):
        found[MARKETO, RECORD] = state.marketo.refused
    if state.merges and state.counterpart == PERSON:
        _note_merges(found, state)
    return found


def waits_no_more(before: Refusals, after: Refusals) -> list[str]:
    """The references of a pair that waited for a parent and don't now."""
    return [key for (_, key), why in before.items() if why.startswith(WAITS) and not _waits(after, key)]


def _waits(told: Refusals, key: str) -> bool:
    return told.get((MARKETO, key), "").startswith(WAITS)


def _is_to_go(state: PairState, system: System) -> bool:
    """Whether a record was deleted, or merged away, on the other side and still is there: what is refused then is that it goes, too."""
    if state.merges and state.counterpart != PERSON and any(place is system for place, _ in state.merges):
        return True
    return state.record(system.other).deleted and not state.record(system).deleted


def _note_merges(found: dict[tuple[System, str], str], state: PairState) -> None:
    """One line a side, whatever it is that can't be merged there."""
    refused = {record: why for record, why, _ in state.unmerged}
    for system in System:
        record = state.record(system)
        owed = [loser for place, loser in state.merges if place is system and loser and record.id]
        apart = [loser for loser in owed if not mergeable(system, record.id, loser)]
        told = [f"{loser} into {record.id}: {refused[loser]}" for loser in owed if loser in refused and loser not in apart]
        said = [_APART.format(loser=loser, record=record.id, system=system) for loser in apart]
        if told:
            said.append(f"{system} refuses merging {'; '.join(told)}. {_BY_HAND.format(system=system)}")
        if said:
            found[system, MERGE] = ". ".join(said)


def _note(found: dict[tuple[System, str], str], system: System, key: str, field: Field) -> None:
    side, source = field.side(system), field.side(system.other)
    if side.refused == field.version != side.shows:
        found[system, key] = side.reason
    elif source.unusable:
        found[system, key] = f"{system.other} has a value that can't be taken: {source.unusable}"
