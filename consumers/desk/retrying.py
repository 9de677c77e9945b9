"""Dead letters, tried once more or put away.

Order of effects of a retry: the event is judged and committed; the letter is closed. A crash between them leaves a letter that is tried
again, and its event is known then. Whatever was told of the record since stays: what is older is passed over, and the record is read.
"""

from collections.abc import Sequence
from typing import Any

from consumers.desk.doing import Doing, Outcome
from consumers.desk.letters import Attempt, Letter, closed, letters, tried
from consumers.judging.batch import Judging
from consumers.ledger.faults import Fault, step
from consumers.ledger.port import Pair
from consumers.merge.lives.aside import FAULT
from consumers.merge.lives.record import asked_again
from consumers.merge.pair.decision import Origin
from streams.wire.codec import is_record_id
from streams.wire.events import ChangeEvent
from streams.wire.systems import Object, System

RETRIED, DISCARDED = "retried", "discarded"


async def retry_letters(doing: Doing, numbers: Sequence[int], *, apply: bool) -> list[Outcome]:
    """Each of these letters judged once more, oldest first, each by itself; where it can't be read, its record is read instead."""
    async with doing.pool.acquire() as connection:
        found = await letters(connection, numbers)
    return [await _retried(doing, letter, apply=apply) for letter in found]


async def discard_letters(pool: Any, numbers: Sequence[int], by: Attempt, *, apply: bool) -> list[Outcome]:
    """These letters are done with, whatever they told; they stay to be read until their time is over. `by`: who says so, and why."""
    async with pool.acquire() as connection:
        found = await letters(connection, numbers)
    wanted = [letter.number for letter in found if not letter.closed_ms]
    if apply and wanted:
        await closed(pool, wanted, DISCARDED, by)
    return [_closed_already(letter) or Outcome(what=_what(letter), record=letter.key, steps=("it is put away",)) for letter in found]


async def _retried(doing: Doing, letter: Letter, *, apply: bool) -> Outcome:
    if done := _closed_already(letter):
        return done
    event = letter.event()
    try:
        told = await (_judged(doing, letter, event, apply=apply) if event is not None else _read_instead(doing, letter, apply=apply))
    except Fault as fault:
        told = Outcome(what=_what(letter), record=letter.key, why=f"it fails again: {fault}")
    if apply and told.why:
        await tried(doing.pool, letter.number, doing.attempt(told.why))
    elif apply:
        await closed(doing.pool, [letter.number], RETRIED, doing.attempt("; ".join(told.steps)))
    return told


async def _judged(doing: Doing, letter: Letter, event: ChangeEvent, *, apply: bool) -> Outcome:
    async with doing.trial(apply=apply) as tx:
        judging = Judging(tx, doing.terms, doing.clock())
        await judging.load([event])
        with step("judging"):
            judging.judge(event, Origin(topic=letter.topic, partition=letter.partition, offset=letter.offset))
            pair = judging.pair_of(event)
            if pair is not None and pair.state.hold.startswith(FAULT) and not event.is_read:
                judging.keep(pair, asked_again(pair.state, event.system), event)
        await judging.save()
        steps = ["what it told is judged, after all that was told since", *_reading_of(pair, event.system)]
        return doing.outcome(_what(letter), pair, steps)


async def _read_instead(doing: Doing, letter: Letter, *, apply: bool) -> Outcome:
    system, obj, record = _record_of(letter)
    if system is None:
        return Outcome(what=_what(letter), record=letter.key, why="it can't be read, and doesn't name its record: discard it")
    now, told = doing.clock(), Outcome(what=_what(letter))
    async with doing.trial(apply=apply) as tx:
        pair = (await tx.by_record(system, obj, [record])).get(record)
        if pair is None:
            why = f"it can't be read, and {system} {obj} {record} isn't known: the next poll or the drift audit finds it; discard it"
            told = Outcome(what=_what(letter), record=letter.key, why=why)
        else:
            pair.state = doing.terms.with_due(asked_again(pair.state, system), now)
            await tx.save([pair], now)
            told = doing.outcome(_what(letter), pair, [f"it can't be read; its record in {system} is read again instead"])
    return told


def _closed_already(letter: Letter) -> Outcome | None:
    if not letter.closed_ms:
        return None
    return Outcome(what=_what(letter), record=letter.key, why=f"it is closed already: {letter.closed_how}")


def _what(letter: Letter) -> str:
    return f"letter {letter.number}"


def _reading_of(pair: Pair | None, system: System) -> list[str]:
    return [f"its record in {system} is read again"] if pair is not None and pair.state.record(system).reread else []


def _record_of(letter: Letter) -> tuple[System | None, Object, str]:
    """The record that a letter is about, as far as its topic and its key tell."""
    (_, system, obj, *_), record = (*letter.topic.split("."), "", "", ""), letter.key.partition(":")[2]
    if system not in set(System) or not is_record_id(record):
        return None, Object(""), ""
    return System(system), Object(obj), record
