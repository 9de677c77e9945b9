"""What a person's decision makes of a pair: tried again, or a conflict decided. Pure.

Nothing here writes a value over one that is newer: a pair that is tried again is read first wherever something may have been missed, and a
decision about a field is an agreement like any other, which whichever side does not show it is owed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from consumers.judging.meeting.candidates import AMBIGUOUS
from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.verdicts import same
from consumers.merge.lives.aside import FAULT, OUT_OF_SIGHT
from consumers.merge.lives.record import asked_again
from consumers.merge.pair.decision import Ruling, Verdict
from consumers.merge.pair.state import NEVER, Field, PairState, Side, shallow
from consumers.merge.writing.refused import RECORD, refusals
from streams.wire.events import Value
from streams.wire.systems import System


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedAgain:
    """The pair afterwards, and what is done, in plain words; empty: nothing can be done for it here."""

    state: PairState
    steps: tuple[str, ...]


def tried_again(state: PairState) -> TriedAgain:
    """The pair, with whatever keeps it tried once more."""
    before, steps = state, list[str]()
    if before.hold.startswith(AMBIGUOUS):
        state = _asked(state, [system for system in System if state.record(system).id and not state.record(system).deleted])
        steps.append("its record is read again, and looked for on the other side")
    elif before.hold.startswith(f"{FAULT}:"):
        state = shallow(state)
        state.hold = ""
        steps.append("what failed is tried again")
    elif before.hold.startswith((FAULT, OUT_OF_SIGHT)):
        concerned = [system for system in System if f" {system}:" in before.hold and state.record(system).id]
        state = _asked(state, concerned)
        steps += [f"its record in {system} is read again; what it tells lets it go" for system in concerned]
    state, told = _refusals_lifted(state)
    return TriedAgain(state=state, steps=(*steps, *told))


def decided(mapping: FieldMapping, field: Field, value: Value, now: int, why: str) -> tuple[Field, Ruling]:
    """The field with the value that a person has chosen for both sides."""
    new = shallow(field)
    new.value, new.version, new.agreed_at, new.hold = value, field.version + 1, now, ""
    for system in System:
        new = new.with_side(system, _standing(mapping, field.side(system), value, new.version))
    lost = next((side.seen for side in (field.salesforce, field.marketo) if side.known and not same(mapping, side, side.seen, value)), None)
    return new, Ruling(mapping.key, Verdict.ACCEPTED, value, value, new.version, lost, "", why)


def _standing(mapping: FieldMapping, before: Side, value: Value, version: int) -> Side:
    side = shallow(before)
    side.undone, side.replaced = 0, None
    if side.known and same(mapping, side, side.seen, value) and not side.writes:
        side.shows = version
    return side


def _refusals_lifted(state: PairState) -> tuple[PairState, list[str]]:
    changed: dict[str, Field] = {}
    steps: list[str] = []
    for system, key in refusals(state):
        field = state.fields.get(key)
        if key == RECORD or field is None:
            record = shallow(state.record(system))
            record.refused, record.refused_mark = "", 0
            state = state.with_record(system, record)
            steps.append(f"it is written to {system} again")
        elif field.side(system).refused == field.version:
            field = changed.get(key, field)
            side = shallow(field.side(system))
            side.refused, side.reason = NEVER, ""
            changed[key] = field.with_side(system, side)
            steps.append(f"{key} is written to {system} again")
        else:
            state = _asked(state, [system.other])
            steps.append(f"its record in {system.other} is read again, for {key}")
    return (state.with_fields(changed) if changed else state), steps


def _asked(state: PairState, systems: Iterable[System]) -> PairState:
    for system in systems:
        state = asked_again(state, system)
    return state
