"""Observe: a batch of events from one partition, judged and committed in one transaction together with its offset.

Exactly-once into the ledger: the offset moves by compare-and-set in the same transaction, so a batch is judged once whatever
crashes, and a worker that lost its partition can't judge it again. A batch on which a step of ours fails, whatever it raises, is
halved until the one event is found that it fails on; that one is buried with its bytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consumers.judging.apart import buried
from consumers.judging.batch import Judging
from consumers.judging.bursts import Bursts
from consumers.judging.observed import Observed
from consumers.ledger.faults import Fault, step
from consumers.ledger.port import Fenced, Ledger
from consumers.merge.events.plain import ways
from consumers.merge.terms import Terms
from consumers.observe.refilled import fingerprint
from streams.wire.codec import Undecodable, decode, is_record_id
from streams.wire.errors import SyncError
from streams.wire.events import ChangeEvent, DeadLetter
from streams.wire.systems import Object, System

_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of a change topic. aiokafka's records have these, too, and are taken for such as they are."""

    offset: int
    key: bytes | None
    value: bytes | None


class Observer:
    """Judges batches of events against the ledger. `clock`: ms since the epoch."""

    def __init__(self, ledger: Ledger, terms: Terms, clock: Callable[[], int]) -> None:
        self._ledger = ledger
        self._terms = terms
        self._clock = clock
        self._bursts = Bursts()
        self._ways = ways(terms)

    async def observe(self, topic: str, partition: int, start: int, messages: Sequence[Message]) -> Observed:
        """Judge the messages from offset `start` on. Raises `Fenced`, or `Retry` when the ledger is away; then nothing has happened."""
        try:
            return await self._observe(topic, partition, start, messages)
        except (Fenced, SyncError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one event, the others are judged
            fault = error if isinstance(error, Fault) else Fault("observing", error)
        if len(messages) > 1:
            middle = len(messages) // 2
            observed = await self.observe(topic, partition, start, messages[:middle])
            observed.add(await self.observe(topic, partition, messages[middle - 1].offset + 1, messages[middle:]))
            return observed
        return await self._bury(topic, partition, start, messages[0], fault)

    async def _observe(self, topic: str, partition: int, start: int, messages: Sequence[Message]) -> Observed:
        """All of them in one transaction, or nothing."""
        now = self._clock()
        with step("decoding"):
            told, dead = _decoded(topic, partition, messages, now)
            lost = _records_of(dead)
            self._bursts.told((event for _, event in told), now)
        async with self._ledger.transaction(durable=False) as tx:
            await tx.advance(topic, partition, start, messages[-1].offset + 1, _print(messages[-1]))
            batch = Judging(tx, self._terms, now, bursts=self._bursts, ways=self._ways)
            await batch.load([event for _, event in told], lost=[each[:3] for each in lost])
            with step("judging"):
                batch.judge_all(told, topic, partition)
                for each in lost:
                    batch.lose(*each)
            if dead:
                await tx.bury(dead)
            await batch.save()
        batch.observed.dead = len(dead)
        return batch.observed

    async def _bury(self, topic: str, partition: int, start: int, message: Message, fault: Fault) -> Observed:
        """The one that stopped its batch; its pair is held."""
        letter = _letter(topic, partition, message, str(fault), self._clock())
        move = (topic, partition, start, message.offset + 1, _print(message))
        try:
            event = decode(message.value)
        except Exception:  # noqa: BLE001 - then the fault is in telling what can't be decoded
            lost = _records_of([letter])
            async with self._ledger.transaction() as tx:
                await tx.advance(*move)
                await tx.bury([letter])
                batch = Judging(tx, self._terms, letter.at)
                await batch.load([], lost=[each[:3] for each in lost])
                for each in lost:
                    batch.lose(*each)
                await batch.save()
        else:
            await buried(self._ledger, self._terms, event, letter, fault=fault, move=move)
        return Observed(dead=1)


def _print(message: Message) -> int:
    return fingerprint(message.key, message.value)


def _decoded(topic: str, partition: int, messages: Sequence[Message], now: int) -> tuple[list[tuple[int, ChangeEvent]], list[DeadLetter]]:
    told: list[tuple[int, ChangeEvent]] = []
    dead: list[DeadLetter] = []
    system, obj = topic.split(".")[1:3]
    for message in messages:
        try:
            event = decode(message.value)
            if event.object != obj or event.system != system:
                raise Undecodable(f"an event of {event.system} {event.object[:_SHOWN]!r} on {topic}")  # noqa: TRY301 - as any other
            told.append((message.offset, event))
        except Undecodable as error:
            dead.append(_letter(topic, partition, message, str(error), now))
    return told, dead


def _letter(topic: str, partition: int, message: Message, reason: str, now: int) -> DeadLetter:
    return DeadLetter(
        stage="observe",
        reason=reason,
        original=message.value or b"",
        key=(message.key or b"").decode(errors="replace"),
        topic=topic,
        partition=partition,
        offset=message.offset,
        at=now,
    )


def _records_of(dead: Sequence[DeadLetter]) -> list[tuple[System, Object, str, str]]:
    """The records that dead letters were about, as far as their keys tell, and where they are."""
    found: list[tuple[System, Object, str, str]] = []
    for letter in dead:
        (system, obj), record = letter.topic.split(".")[1:3], letter.key.partition(":")[2]
        if is_record_id(record) and record.isascii() and system in set(System):
            why = f"it can't be read (dead letter {letter.topic}/{letter.partition}@{letter.offset})"
            found.append((System(system), Object(obj), record, why))
    return found
