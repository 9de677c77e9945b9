"""One record forced from one side: what that side shows now is agreed, whatever the rules say, and the planner owes it to the other.

The order of effects: both systems are read; in one transaction their readings are judged like any others, the fields are agreed, and that
is written down with who wanted it. What is owed by that, the workers write. Without `apply` the transaction is taken back.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from consumers.audit.reading import Reader
from consumers.desk.doing import Doing, Outcome
from consumers.desk.releasing import decided
from consumers.judging.batch import NOWHERE, Judging
from consumers.ledger.faults import Fault, step
from consumers.ledger.port import Pair
from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.verdicts import same
from consumers.merge.pair.decision import Decision, Ruling
from consumers.merge.pair.state import Field, PairState
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Forced:
    """What becomes of one field. `value`: what the side shows; `agreed`: so far; `instead`: what it replaces on the other side; `why`:
    what keeps it from being forced, if anything does."""

    field: str
    value: Value
    agreed: Value
    instead: Value
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forcing:
    """What becomes of a record: its fields, as far as they are not of one mind already, and with `outcome` what is written by that."""

    source: System
    fields: tuple[Forced, ...]
    outcome: Outcome

    @property
    def done(self) -> bool:
        """Whether anything is forced."""
        return not self.outcome.why and any(not each.why for each in self.fields)


async def force(
    doing: Doing, reader: Reader, number: int, source: System, keys: Sequence[str], *, apply: bool, reason: str = ""
) -> Forcing:
    """This pair, in these fields (none: in all that differ). Raises what the systems raise where they can't be read."""
    async with doing.trial(apply=False) as tx:
        pair = (await tx.by_id([number])).get(number)
    if pair is None or (why := _unable(pair.state, source)):
        return _let_be(number, source, "it is not there any more" if pair is None else why)
    readings = (await reader.both({number: pair.state}))[number]
    told = [reading for system in System if (reading := readings.get(system)) is not None]
    if missing := [system for system in System if readings.get(system) is None]:
        return _let_be(number, source, f"{' and '.join(missing)} doesn't show its record now")
    try:
        return await _forced(doing, number, source, told, keys, apply=apply, reason=reason)
    except Fault as fault:
        return _let_be(number, source, f"it fails: {fault}")


async def _forced(
    doing: Doing, number: int, source: System, readings: Sequence[ChangeEvent], keys: Sequence[str], *, apply: bool, reason: str
) -> Forcing:
    why = f"forced from {source} by {doing.who}" + (f": {reason}" if reason else "")
    async with doing.trial(apply=apply) as tx:
        judging = Judging(tx, doing.terms, doing.clock())
        await judging.load(readings, also=[number])
        with step("judging", number):
            for reading in readings:
                judging.judge(reading, NOWHERE)
            pair = judging.pair_of(readings[0])
            if pair is None or pair.id != number:
                return _let_be(number, source, "its records have been told to be another's: look again")
            fields, decision = _agreed(doing, pair, source, keys, why)
            judging.keep(pair, pair.state, readings[0])
        await judging.save()
        await tx.record([decision] if decision is not None else [])
        steps = [f"{each.field} is {each.value!r} on both sides" for each in fields if not each.why]
        if pair.state.hold:
            steps.append(f"nothing is written while it is held: {pair.state.hold}")
        return Forcing(source=source, fields=fields, outcome=doing.outcome(f"pair {number}", pair, steps))


def _agreed(doing: Doing, pair: Pair, source: System, keys: Collection[str], why: str) -> tuple[tuple[Forced, ...], Decision | None]:
    """The pair with these fields agreed anew, and what is decided by that; None: nothing is."""
    state, told, rulings = pair.state, list[Forced](), list[Ruling]()
    for item in doing.terms.mapping(state).fields:
        field = state.fields.get(item.key)
        if (keys and item.key not in keys) or field is None or not (keys or _differs(item, field)):
            continue
        value, barred = field.side(source).seen, _barred(item, field, source)
        told.append(Forced(field=item.key, value=value, agreed=field.value, instead=field.side(source.other).seen, why=barred))
        if not barred:
            new, ruling = decided(item, field, value, doing.clock(), why)
            state = state.with_fields({item.key: new})
            rulings.append(ruling)
    told += [_untold(key) for key in keys if key not in state.fields]
    if not rulings:
        return tuple(told), None
    pair.state = doing.terms.with_due(state, doing.clock())
    return tuple(told), doing.decision(pair, tuple(rulings), why)


def _differs(item: FieldMapping, field: Field) -> bool:
    """Whether the two sides, or one and the agreement, are not of one mind."""
    if field.hold:
        return True
    on_both = bool(item.salesforce and item.marketo)
    return on_both and any(not same(item, side, side.seen, field.value) for side in (field.salesforce, field.marketo))


def _barred(item: FieldMapping, field: Field, source: System) -> str:
    """Why a field can't be forced from a side; empty: it can."""
    if not item.salesforce or not item.marketo or item.fixed or item.parent:
        return "it follows from what the record is"
    if not item.direction.reaches(source.other):
        return f"it never flows to {source.other}"
    side = field.side(source)
    if not side.known:
        return f"{source} has not shown it"
    return f"{source}'s value can't be used: {side.unusable}" if side.unusable else ""


def _unable(state: PairState, source: System) -> str:
    for system in System:
        if not state.record(system).id or state.record(system).deleted:
            gone = "is deleted" if state.record(system).deleted else "doesn't exist"
            return f"its record in {system} {gone}: there is nothing to force {'from' if system is source else 'it on'}"
    return ""


def _untold(key: str) -> Forced:
    return Forced(field=key, value=None, agreed=None, instead=None, why="no side has told it yet")


def _let_be(number: int, source: System, why: str) -> Forcing:
    return Forcing(source=source, fields=(), outcome=Outcome(what=f"pair {number}", pair=number, why=why))
