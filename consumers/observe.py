"""Observe: a batch of events from one partition, judged and committed in one transaction together with its offset.

Exactly-once into the ledger: the offset moves by compare-and-set in the same transaction, so a batch is judged once whatever
crashes, and a worker that lost its partition can't judge it again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consumers.judging import Judging, Observed
from consumers.ledger.port import Ledger
from consumers.merge.decision import Origin
from consumers.merge.terms import Terms
from streams.codec import Undecodable, decode
from streams.events import ChangeEvent, DeadLetter


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of a change topic."""

    offset: int
    key: bytes | None
    value: bytes | None


class Observer:
    """Judges batches of events against the ledger. `clock`: ms since the epoch."""

    def __init__(self, ledger: Ledger, terms: Terms, clock: Callable[[], int]) -> None:
        self._ledger = ledger
        self._terms = terms
        self._clock = clock

    async def observe(self, topic: str, partition: int, start: int, messages: Sequence[Message]) -> Observed:
        """Judge the messages from offset `start` on. Raises `Fenced`, or `Retry` when the ledger is away; then nothing has happened."""
        end = messages[-1].offset + 1
        now = self._clock()
        told, dead = _decoded(topic, partition, messages, now)
        async with self._ledger.transaction(durable=False) as tx:
            await tx.advance(topic, partition, start, end)
            batch = Judging(tx, self._terms, now)
            await batch.load([event for _, event in told])
            for offset, event in told:
                batch.judge(event, Origin(topic=topic, partition=partition, offset=offset))
            if dead:
                await tx.bury(dead)
            await batch.save()
        batch.observed.dead = len(dead)
        return batch.observed


def _decoded(topic: str, partition: int, messages: Sequence[Message], now: int) -> tuple[list[tuple[int, ChangeEvent]], list[DeadLetter]]:
    told: list[tuple[int, ChangeEvent]] = []
    dead: list[DeadLetter] = []
    for message in messages:
        try:
            told.append((message.offset, decode(message.value)))
        except Undecodable as error:
            dead.append(
                DeadLetter(
                    stage="observe",
                    reason=str(error),
                    original=message.value or b"",
                    key=(message.key or b"").decode(errors="replace"),
                    topic=topic,
                    partition=partition,
                    offset=message.offset,
                    at=now,
                )
            )
    return told, dead
