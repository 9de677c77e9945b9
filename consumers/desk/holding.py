"""Holds let go: tried once more, or, where several records may be meant, by a person's choice; and any record read again."""

from collections.abc import Sequence

from consumers.audit.reading import Reader
from consumers.desk.doing import Doing, Outcome
from consumers.desk.releasing import tried_again
from consumers.judging.batch import Judging
from consumers.judging.meeting.candidates import AMBIGUOUS, can_take
from consumers.ledger.faults import step
from consumers.ledger.port import Pair
from consumers.merge.lives.record import asked_again
from consumers.merge.pair.decision import Decision
from consumers.merge.pair.state import PairState
from streams.wire.events import ChangeEvent
from streams.wire.systems import System

_CHANGED = "it has changed meanwhile: look again"


async def retry_holds(doing: Doing, pairs: Sequence[int], *, apply: bool) -> list[Outcome]:
    """What keeps these pairs, or is refused of them, is tried once more."""

    def change(pair: Pair) -> tuple[Outcome, Decision | None]:
        told, what = tried_again(pair.state), f"pair {pair.id}"
        if not told.steps:
            return doing.outcome(what, pair, [], why="nothing of it can be tried again here"), None
        pair.state = told.state
        return doing.outcome(what, pair, told.steps), doing.decision(pair, (), "; ".join(told.steps))

    return await doing.changed(pairs, change, apply=apply)


async def read_again(doing: Doing, pairs: Sequence[int]) -> list[Outcome]:
    """The records of these pairs are to be read again, on both sides; what they show is judged like any other reading."""

    def change(pair: Pair) -> tuple[Outcome, Decision | None]:
        what, state = f"pair {pair.id}", pair.state
        there = [system for system in System if state.record(system).id and not state.record(system).deleted]
        if not there:
            return doing.outcome(what, pair, [], why="it has no record that could be read"), None
        for system in there:
            state = asked_again(state, system)
        pair.state = state
        step = f"its record in {' and in '.join(there)} is read again"
        return doing.outcome(what, pair, [step]), doing.decision(pair, (), step)

    return await doing.changed(pairs, change, apply=True)


async def choose(doing: Doing, reader: Reader, held: int, candidate: int, *, apply: bool) -> Outcome:
    """The record of a pair that is held for an ambiguous match is the candidate's from now on. Its system is asked for it first."""
    what = f"pair {held}"
    async with doing.trial(apply=False) as tx:
        known = await tx.by_id(sorted([held, candidate]))
    one, other = known.get(held), known.get(candidate)
    if one is None or other is None or held == candidate:
        return Outcome(what=what, why=f"pair {held if one is None else candidate} is no other pair that is there")
    system, why = may_join(one.state, other.state)
    if system is None:
        return Outcome(what=what, pair=held, why=why)
    reading = (await reader.both({held: one.state}))[held].get(system)
    if reading is None:
        return Outcome(what=what, pair=held, why=f"{system} doesn't show its record now")
    return await _joined(doing, held, candidate, reading, apply=apply)


async def _joined(doing: Doing, held: int, candidate: int, reading: ChangeEvent, *, apply: bool) -> Outcome:
    now, what = doing.clock(), f"pair {held}"
    told = Outcome(what=what, pair=held, why=_CHANGED)
    async with doing.trial(apply=apply) as tx:
        judging = Judging(tx, doing.terms, now)
        await judging.load([reading], also=[held, candidate])
        known = await tx.by_id(sorted([held, candidate]))
        one, other = known.get(held), known.get(candidate)
        if one is not None and other is not None and may_join(one.state, other.state)[0] is reading.system:
            with step("bringing two records together"):
                judging.chosen(reading, other, one, f"the choice of {doing.who}")
            await judging.save()
            there = reading.system.other
            steps = [f"{reading.system} {reading.id} and {there} {other.state.record(there).id} are one, by the choice of {doing.who}"]
            told = doing.outcome(what, other, steps)
    return told


def may_join(one: PairState, other: PairState) -> tuple[System | None, str]:
    """On which side the first pair's only record would become the second's; else why it can't."""
    if not one.hold.startswith(AMBIGUOUS):
        return None, "it is not held for an ambiguous match (any more)"
    alive = [system for system in System if one.record(system).id and not one.record(system).deleted]
    if len(alive) != 1:
        return None, "it has records on both sides: merge the duplicates in their system, which ends it by itself"
    if not other.record(alive[0].other).id or other.record(alive[0].other).deleted:
        return None, f"that pair has no record in {alive[0].other}"
    if not can_take(other, alive[0]):
        return None, f"that pair has another record in {alive[0]}: merge the two there, which ends it by itself"
    return alive[0], ""
