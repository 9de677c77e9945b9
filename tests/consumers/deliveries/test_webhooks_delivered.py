"""Webhooks on a real broker and a real PostgreSQL, run by processes that are killed."""

import asyncio
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from consumers.deliveries import acts, store
from consumers.deliveries.acts import Made, Wish
from consumers.deliveries.delivery import Delivery, State, Way
from consumers.deliveries.sending import Result, open_sender
from consumers.kinds.registry import STANDARD
from consumers.subscriptions.message import Choice
from consumers.subscriptions.topics import topic_named
from infra.kafka.admin import ensure_topics
from streams.ground.access import KafkaAccess
from streams.relay.publisher import Publisher, kafka_producer
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import LEAD, System
from streams.wire.topics import all_topics
from tests.consumers.deliveries.receiver import DEADLINE_SECONDS, Receiver, receiver

pytestmark = pytest.mark.integration

TOPIC = topic_named("salesforce.lead", STANDARD)
HOSTS = frozenset({"127.0.0.1"})
RUNNER = Path(__file__).with_name("runner.py")


class Ground:
    """A topic with records of the test's own, and a database."""

    def __init__(self, kafka: str, dsn: str, connection: Any) -> None:
        self.kafka, self.dsn, self.connection = KafkaAccess(bootstrap=kafka), dsn, connection
        self.records = [f"00Q{secrets.token_hex(6)}AAA" for _ in range(5)]
        self._number = 0

    async def publish(self, count: int) -> None:
        """So many changes more, one after the other of each record, and as many of somebody else's."""
        publisher = Publisher(lambda: kafka_producer(self.kafka.bootstrap))
        for begin in range(0, count, 20):
            some = range(self._number, self._number + min(20, count - begin))
            await publisher.publish([change(self.records[each % 5], each) for each in some] + [change(f"00Q{'0' * 12}AAA", 0)])
            self._number += len(some)
        await publisher.close()

    async def create(self, to: Receiver) -> Made:
        """A delivery of these records to that receiver, unmasked."""
        wish = Wish(
            name="billing", topic=TOPIC, way=Way.WEBHOOK, url=to.url, choice=Choice(records=frozenset(self.records)), revealed=True,
            since_ms=now(),
        )  # fmt: skip
        made = await acts.create(self.connection, self.kafka, wish, who="ann", private_hosts=HOSTS, now_ms=now())
        to.secrets = [made.secret]
        return made

    async def delivery(self) -> Delivery:
        """As it stands."""
        return await store.one(self.connection, "billing")

    async def until(self, come: Callable[[Delivery], bool]) -> Delivery:
        """Wait until it stands so. Raises `TimeoutError`."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not come(found := await self.delivery()):
                await asyncio.sleep(0.05)
        return found


def now() -> int:
    return round(time.time() * 1000)


def change(record: str, number: int) -> ChangeEvent:
    return ChangeEvent(
        system=System.SALESFORCE, object=LEAD, id=record, kind=Happened.UPDATED, source="cdc", at=1_700_000_000_000 + number, seq=number,
        fields={"Title": f"{number:05}"},
    )  # fmt: skip


@pytest.fixture
async def ground(kafka: str, postgres: str) -> AsyncIterator[Ground]:
    await ensure_topics(kafka, all_topics(STANDARD.objects))
    connection = await asyncpg.connect(postgres)
    yield Ground(kafka, postgres, connection)
    await connection.close()


@asynccontextmanager
async def running(ground: Ground) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """A process that runs webhooks; what is given kills it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(RUNNER), ground.dsn, ground.kafka.bootstrap, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip

    async def kill() -> None:
        process.send_signal(signal.SIGKILL)
        await process.wait()

    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            await process.stdout.readline()
        yield kill
    finally:
        if process.returncode is None:
            await kill()


def whole(to: Receiver, count: int) -> bool:
    return len(set(to.titles)) == count


def in_order(to: Receiver) -> bool:
    """Whether each record's changes came in their order, but for repetitions."""
    first: dict[str, list[str]] = {}
    seen: set[str] = set()
    for identity, body in to.taken:
        if identity not in seen:
            first.setdefault(body["data"]["id"], []).append(body["data"]["fields"]["Title"])
        seen.add(identity)
    return all(one < other for told in first.values() for one, other in pairwise(told))


async def test_killed_in_the_middle_nothing_is_lost_and_what_comes_twice_has_its_id(ground: Ground) -> None:
    async with receiver() as to:
        await ground.create(to)
        await ground.publish(60)
        async with running(ground) as kill, running(ground):
            await to.until(lambda each: len(each.titles) >= 20)
            await kill()
            await ground.publish(60)
            await to.until(lambda each: whole(each, 120))
        assert in_order(to)
        ids = {identity: body["data"]["fields"]["Title"] for identity, body in to.taken}
        assert len(ids) == 120, "what came twice came under the same id"
        assert sorted(ids.values()) == sorted(set(to.titles))


async def test_a_receiver_that_is_down_is_tried_again_and_shown(ground: Ground) -> None:
    async with receiver() as to:
        port = int(to.url.split(":")[2].partition("/")[0])
        made = await ground.create(to)
    await ground.publish(10)
    async with running(ground):
        down = await ground.until(lambda each: each.attempts >= 2)
        assert "can't be reached" in down.trouble
        assert down.next_at > down.failing_since > 0
        assert down.delivered == 0
        async with receiver(port) as to:
            to.secrets = [made.secret]
            to.answer = lambda each: 503 if not each.refused else 200
            await to.until(lambda each: whole(each, 10))
            assert to.refused[0] == to.taken[0][0], "the same message, under the same id"
            assert [identity for identity, _ in to.taken] == list(dict.fromkeys(identity for identity, _ in to.taken))
            assert in_order(to)
        up = await ground.until(lambda each: each.delivered == 10)
        assert (up.attempts, up.next_at, up.failing_since, up.trouble) == (0, 0, 0, "")


async def test_410_disables_it_and_resumed_it_goes_on_there(ground: Ground) -> None:
    async with receiver() as to:
        to.answer = lambda each: 410 if len(each.taken) == 5 and not each.refused else 200
        await ground.create(to)
        await ground.publish(12)
        async with running(ground):
            gone = await ground.until(lambda each: each.state is State.DISABLED)
            assert "410" in gone.why
            assert len(to.taken) == 5
            await acts.resume(ground.connection, "billing", now_ms=now())
            await to.until(lambda each: whole(each, 12))
            assert len(to.taken) == 12


async def test_paused_rewound_rotated_deleted_while_it_runs(ground: Ground) -> None:
    async with receiver() as to:
        await ground.create(to)
        await ground.publish(10)
        async with running(ground):
            await to.until(lambda each: whole(each, 10))
            done = await ground.until(lambda each: each.delivered == 10)
            paused = await acts.pause(ground.connection, "billing", who="ann", why="a release", now_ms=now())
            assert (paused.state, paused.why) == (State.PAUSED, "ann: a release")
            await ground.publish(5)
            since = min(done.places.values())
            rewound = await acts.rewind(ground.connection, ground.kafka, TOPIC, "billing", since_ms=None, now_ms=now())
            assert min(rewound.places.values()) <= since
            before = [identity for identity, _ in to.taken]
            assert len(before) <= 11, "it is paused; one may have been on its way"
            turned = await acts.rotate(ground.connection, "billing", now_ms=now())
            to.secrets += [turned.secret]
            await acts.resume(ground.connection, "billing", now_ms=now())
            await to.until(lambda each: len({identity for identity, _ in each.taken[len(before) :]}) == 15)
            again = {identity for identity, _ in to.taken[len(before) :]}
            assert again >= set(before), "what comes again has its id"
            await acts.delete(ground.connection, "billing")
            assert await ground.connection.fetchval("select count(*) from delivery_secrets") == 0


async def test_a_test_says_what_the_receiver_answers_and_moves_nothing(ground: Ground) -> None:
    async with receiver() as to, open_sender(HOSTS, timeout_seconds=30, agent="test") as sender:
        await ground.create(to)
        before = await ground.delivery()
        answer = await acts.try_out(ground.connection, sender, "billing", now_ms=now())
        assert (answer.result, answer.status) == (Result.DELIVERED, 204)
        to.answer = lambda _: 302
        to.headers = {"location": "http://127.0.0.1:1/elsewhere"}
        moved = await acts.try_out(ground.connection, sender, "billing", now_ms=now())
        assert (moved.result, moved.status) == (Result.REFUSED, 302)
        assert "redirect" in moved.words
        assert to.taken[0][1]["type"] == "tandem.test"
        assert await ground.delivery() == before
