"""A webhook followed: one message after the other is delivered, in the order of its topic; the cursor moves past what was taken.

The order of effects: the call is made, the receiver says that it has the message, the cursor is saved. A crash between any two is a
repeat under the same `webhook-id`. A message that fails ends the run: its delivery waits for the next attempt, and the messages behind it
with it; another run begins there.
"""

import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from consumers.deliveries import letter, store
from consumers.deliveries.addresses import shown_url
from consumers.deliveries.delivery import Delivery, Secret
from consumers.deliveries.retrying import wait_seconds
from consumers.deliveries.sending import Answer, Result, Sender
from consumers.deliveries.store import Progress
from consumers.subscriptions.following import Stretch, stretches
from consumers.subscriptions.masking import masked
from consumers.subscriptions.message import Message
from consumers.subscriptions.reading import told
from consumers.subscriptions.topics import Topic
from streams.ground.access import KafkaAccess

_SECRETS_MS = 60_000
"""So often is looked whether a secret that was replaced is over."""
_log = structlog.get_logger("consumers.deliveries")


class Watch(Protocol):
    """Is told how deliveries go: for metrics."""

    def called(self, delivery: str, result: Result) -> None:
        """A call ended."""
        ...

    def delivered(self, delivery: str, delay_seconds: float) -> None:
        """A message was taken, so long after the broker had taken it."""
        ...

    def behind(self, delivery: str, messages: int) -> None:
        """So many are not looked at yet."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What couriers share. `pool`: an asyncpg pool; `wait_most_seconds`: between two attempts."""

    pool: Any
    kafka: KafkaAccess
    sender: Sender
    watch: Watch
    clock: Callable[[], int]
    wait_most_seconds: float
    dice: Callable[[], float] = random.random


class Courier:
    """One webhook, from where it is."""

    def __init__(self, ground: Ground, delivery: Delivery, topic: Topic) -> None:
        self._ground, self._delivery, self._topic = ground, delivery, topic
        self._revision = delivery.revision
        self._attempts = delivery.attempts
        self._places, self._saved = dict(delivery.places), dict(delivery.places)
        self._secrets: list[Secret] = []
        self._secrets_at = 0

    async def run(self) -> None:
        """Until a message fails; then its next attempt is set. Raises `store.Superseded` where it was changed by hand, or another has it;
        `Retry` where PostgreSQL or the broker is away; `Unprepared` where its topic is gone."""
        async with store.lent(self._ground.pool) as connection:
            self._revision = await store.take(connection, self._delivery)
        async with aclosing(stretches(self._ground.kafka, self._topic, self._delivery.places)) as read:
            async for stretch in read:
                if not await self._deliver(stretch):
                    return

    async def _deliver(self, stretch: Stretch) -> bool:
        """False: one failed."""
        for record in stretch.records:
            message = told(self._topic, record)
            if self._delivery.choice.takes(message):
                if not await self._call(message):
                    return False
                self._places[message.partition] = message.offset + 1
                await self._save(delivered=1)
            else:
                self._places[message.partition] = message.offset + 1
        if stretch.missed:
            _log.warning("deliveries.missed", delivery=self._delivery.name, messages=stretch.missed)
        self._places |= stretch.places
        if self._places != self._saved or stretch.missed:
            await self._save(missed=stretch.missed)
        self._ground.watch.behind(self._delivery.name, stretch.behind)
        return True

    async def _save(self, *, delivered: int = 0, missed: int = 0) -> None:
        progress = Progress(places=self._places, delivered=delivered, missed=missed)
        async with store.lent(self._ground.pool) as connection:
            await store.save(connection, self._delivery.id, self._revision, progress, self._ground.clock())
        self._saved = dict(self._places)
        if delivered:
            self._attempts = 0

    async def _call(self, message: Message) -> bool:
        """Whether the receiver has it."""
        name, now = self._delivery.name, self._ground.clock()
        answer = await self._ground.sender.post(
            self._delivery.url,
            await self._signed_with(now),
            identity=letter.identity(name, message),
            body=letter.body(message if self._delivery.revealed else masked(message)),
            at_ms=now,
        )
        self._ground.watch.called(name, answer.result)
        if answer.result is not Result.DELIVERED:
            await self._failed(answer)
            return False
        self._ground.watch.delivered(name, max(0, self._ground.clock() - message.at) / 1000)
        return True

    async def _failed(self, answer: Answer) -> None:
        now, name = self._ground.clock(), self._delivery.name
        async with store.lent(self._ground.pool) as connection:
            if answer.result is Result.GONE:
                _log.warning("deliveries.disabled", delivery=name, url=shown_url(self._delivery.url), why=answer.words)
                await store.disable(connection, self._delivery.id, self._revision, answer.words, now)
                return
            most, asked = self._ground.wait_most_seconds, answer.after_seconds
            wait = wait_seconds(self._attempts + 1, most_seconds=most, asked_seconds=asked, dice=self._ground.dice())
            _log.info("deliveries.failed", delivery=name, attempts=self._attempts + 1, why=answer.words, again_seconds=round(wait, 1))
            await store.failed(
                connection, self._delivery.id, self._revision, next_at=now + round(wait * 1000), trouble=answer.words, now_ms=now
            )  # fmt: skip

    async def _signed_with(self, now: int) -> list[Secret]:
        if not self._secrets or now - self._secrets_at > _SECRETS_MS:
            async with store.lent(self._ground.pool) as connection:
                self._secrets, self._secrets_at = await store.secrets_of(connection, self._delivery.id, now), now
        return self._secrets
