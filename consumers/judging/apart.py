"""Apart: what is done for one event or one pair alone, after its batch has failed. One that fails again is set aside.

Batches are tried whole first, so that this costs nothing while all is well. A pair is set aside with as much of its state as still
works: held with what is due for it; else merely held; else, where its state can't be stored or read, beside it.
"""

from collections.abc import Callable, Iterable, Sequence

import structlog

from consumers.judging.batch import NOWHERE, Judging
from consumers.judging.meeting.introductions import alone
from consumers.judging.observed import Observed
from consumers.ledger.faults import Fault, step
from consumers.ledger.persist import unhindered
from consumers.ledger.port import Ledger, Pair, Transaction
from consumers.merge.events.reading import Look
from consumers.merge.lives.aside import lost_event, stuck
from consumers.merge.pair.state import PairState, shallow
from consumers.merge.terms import Terms
from streams.wire.codec import encode
from streams.wire.events import ChangeEvent, DeadLetter, Happened

SHELVED_MS = 3_600_000
"""When what was due for a pair whose state is unusable is tried again: another version of Tandem may know what to do with it."""
AGAIN_MS = 300_000
"""When something is tried again that a step failed on, if it is due all the same for a pair that is held."""
_NOT_DUE = (0, 0, 0, 0)
_log = structlog.get_logger(__name__)

Move = tuple[str, int, int, int, int]
"""An offset to be moved together with it: topic, partition, from, to, and the fingerprint of the last message."""


async def judged(
    ledger: Ledger, terms: Terms, events: Sequence[ChangeEvent], now: int, *, stage: str, look: Look | None = None, strangers: bool = True
) -> Observed:
    """Readings of our own, judged and committed; one that can't be is buried. `strangers`: also those of records without a pair."""
    if not events:
        return Observed()
    try:
        return await unhindered(lambda: _judged(ledger, terms, events, now, look=look, strangers=strangers))
    except Fault as fault:
        if len(events) == 1:
            letter = DeadLetter(
                stage=stage, reason=str(fault), original=_bytes(events[0]), key=f"{events[0].object}:{events[0].id}", at=now
            )
            await buried(ledger, terms, events[0], letter, fault=fault)
            return Observed(dead=1)
    middle = len(events) // 2
    first = await judged(ledger, terms, events[:middle], now, stage=stage, look=look, strangers=strangers)
    first.add(await judged(ledger, terms, events[middle:], now, stage=stage, look=look, strangers=strangers))
    return first


async def _judged(ledger: Ledger, terms: Terms, events: Sequence[ChangeEvent], now: int, *, look: Look | None, strangers: bool) -> Observed:
    async with ledger.transaction() as tx:
        judging = Judging(tx, terms, now, look_at=look)
        await judging.load(events)
        with step("judging a reading"):
            for event in events:
                if strangers or judging.pair_of(event) is not None:
                    judging.judge(event, NOWHERE)
        await judging.save()
    return judging.observed


async def buried(ledger: Ledger, terms: Terms, event: ChangeEvent, letter: DeadLetter, *, fault: Fault, move: Move | None = None) -> None:
    """One event, buried with its bytes; its pair is held. With the offset, if there is one."""
    _log.error("event.buried", stage=letter.stage, reason=letter.reason, offset=letter.offset, topic=letter.topic)
    number = fault.pair
    for due in (True, False, None):
        try:
            async with ledger.transaction() as tx:
                if move is not None:
                    await tx.advance(*move)
                await tx.bury([letter])
                if due is not None:
                    await _hold(tx, terms, event, str(fault), letter.at, due=due)
                elif number:
                    await tx.shelve(number, str(fault), letter.at + SHELVED_MS)
            return
        except Fault as error:
            if due is None:
                raise
            number = number or error.pair


async def _hold(tx: Transaction, terms: Terms, event: ChangeEvent, why: str, now: int, *, due: bool) -> None:
    pair = (await tx.by_record(event.system, event.object, [event.id])).get(event.id)
    if pair is None:
        pair = Pair(id=0, state=alone(event, terms), loaded=None)
    with step("holding a pair", pair.id):
        state = lost_event(pair.state, event.system, why, reread=event.kind is not Happened.READ)
        pair.state = _with_due(terms, state, now, due=due)
    await tx.save([pair], now)


def _with_due(terms: Terms, state: PairState, now: int, *, due: bool) -> PairState:
    if due:
        return terms.with_due(state, now)
    new = state.with_fields({})
    new.due = _NOT_DUE
    return new


def _put_off(state: PairState, now: int) -> PairState:
    """What is due at once would fail at once again."""
    new = shallow(state)
    new.due = tuple(now + AGAIN_MS if 0 < moment <= now else moment for moment in state.due)  # type: ignore[assignment]
    return new


async def hold(tx: Transaction, terms: Terms, pair: Pair, fault: Fault, now: int) -> None:
    """The pair as it was loaded, but held."""
    _log.error("pair.held", pair=pair.id, reason=str(fault))
    loaded = pair.loaded if pair.loaded is not None else pair.state
    for due in (True, False):
        try:
            with step("holding a pair", pair.id):
                pair.state = _put_off(_with_due(terms, stuck(loaded, str(fault)), now, due=due), now)
            await tx.save([pair], now)
        except Fault:
            continue
        return
    pair.state = loaded
    await tx.shelve(pair.id, str(fault), now + SHELVED_MS)


async def each(tx: Transaction, terms: Terms, numbers: Iterable[int], now: int, change: Callable[[Pair], None]) -> int:
    """Each of these pairs changed and saved by itself; one with which that fails is held. How many did."""
    failed = 0
    for number in sorted(numbers):
        try:
            pair = (await tx.by_id([number])).get(number)
        except Fault as fault:
            _log.error("pair.held", pair=number, reason=str(fault))
            await tx.shelve(number, str(fault), now + SHELVED_MS)
            failed += 1
            continue
        if pair is not None:
            failed += await singly(tx, terms, pair, now, change)
    return failed


async def changed(ledger: Ledger, terms: Terms, numbers: Sequence[int], now: int, change: Callable[[Pair], None]) -> int:
    """These pairs changed and saved, all in one transaction; one with which that fails is held. How many did."""
    try:
        async with ledger.transaction() as tx:
            pairs = await tx.by_id(numbers)
            for pair in pairs.values():
                with step("changing a pair", pair.id):
                    change(pair)
            await tx.save(list(pairs.values()), now)
        return 0
    except Fault:
        async with ledger.transaction() as tx:
            return await each(tx, terms, numbers, now, change)


async def held(ledger: Ledger, terms: Terms, number: int, fault: Fault, now: int) -> int:
    """The pair is held, as it is; 0 if there is none any more."""

    def failing(pair: Pair) -> None:
        del pair
        raise fault

    async with ledger.transaction() as tx:
        return await each(tx, terms, [number], now, failing)


async def singly(tx: Transaction, terms: Terms, pair: Pair, now: int, change: Callable[[Pair], None]) -> int:
    """The pair changed and saved by itself, or held: 1 if that had to be."""
    try:
        with step("changing a pair", pair.id):
            change(pair)
        await tx.save([pair], now)
    except Fault as fault:
        await hold(tx, terms, pair, fault, now)
        return 1
    return 0


def _bytes(event: ChangeEvent) -> bytes:
    try:
        return encode(event)
    except Exception:  # noqa: BLE001 - it is kept in some form, whatever it holds
        return repr(event).encode(errors="backslashreplace")
