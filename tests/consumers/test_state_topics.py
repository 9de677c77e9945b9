"""The state topics on a real ledger: whatever happens, the last message of each record is what the ledger says of it."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec
import pytest

from consumers.kinds.registry import STANDARD
from consumers.ledger.port import Pair
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.merge.pair.decision import Decision, Ruling, Verdict
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.pair.stored import agreed, pack, unpack
from consumers.publish.outbox import Outbox
from consumers.publish.states import State, States
from consumers.subscriptions.reading import messages
from consumers.subscriptions.topics import topic_named
from infra.kafka.admin import ensure_topics
from streams.ground.access import KafkaAccess
from streams.relay.publisher import kafka_producer
from streams.relay.singleton import PostgresSingleton
from streams.wire.cloud import Headers
from streams.wire.errors import Retry
from streams.wire.systems import LEAD, Object, System
from streams.wire.topics import all_topics, state_topic
from tests.consumers.kept_messages import Alone, Kept

NOW = 1_800_000_000_000
KINDS = {obj: kind.name for obj, kind in STANDARD.kind_of.items()}
PEOPLE = state_topic("person")
DEADLINE_SECONDS = 90.0


async def soon(_: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
async def ledger(postgres_module: str) -> AsyncIterator[PostgresLedger]:
    opened = await open_ledger(postgres_module)
    await opened._pool.execute("truncate pairs, pairs_ended, decisions, decision_blocks, outbox restart identity cascade")
    try:
        yield opened
    finally:
        await opened.close()


def carrier(ledger: PostgresLedger, kept: Kept) -> States:
    states = States(ledger._pool, Alone(), lambda: kept, now_ms=lambda: NOW, sleep=soon)
    states.kinds = KINDS
    return states


def titled(title: str, version: int, *, key: str = "title") -> dict[str, Field]:
    side = Side(seen=title, shows=version)
    return {key: Field(value=title, version=version, salesforce=side, marketo=side)}


async def born(ledger: PostgresLedger, title: str, *, obj: Object = LEAD, marketo: str = "") -> int:
    state = PairState(object=obj, fields=titled(title, 1), marketo=Record(id=marketo or title), counterpart=STANDARD.kind_of[obj].marketo)
    pair = Pair(id=0, state=state, loaded=None)
    async with ledger.transaction() as tx:
        await tx.save([pair], NOW)
        await tx.record([told(pair.id)])
    return pair.id


def told(pair: int) -> Decision:
    ruling = Ruling(field="title", verdict=Verdict.ACCEPTED, value="x", agreed="x", version=1)
    return Decision(kind="judged", at=NOW, pair=pair, system=System.MARKETO, record="7", fields=(ruling,))


async def changed(ledger: PostgresLedger, number: int, title: str, version: int, *, deleted: bool = False) -> None:
    async with ledger.transaction() as tx:
        (pair,) = (await tx.by_id([number])).values()
        record = Record(id=pair.state.marketo.id, deleted=deleted)
        pair.state = PairState(object=pair.state.object, fields=titled(title, version), marketo=record)
        await tx.save([pair], NOW)
        await tx.record([told(number)])


async def passed(ledger: PostgresLedger, states: States, kept: Kept) -> int:
    """The outbox, then a pass of the states. How many messages it was."""
    await Outbox(ledger._pool, Alone(), lambda: kept).publish(kept)
    return await states.publish(kept)


def table(kept: Kept, topic: str = PEOPLE) -> dict[int, str | None]:
    """What a reader's table has: by record its title; None: it is gone."""
    found: dict[int, str | None] = {}
    for name, key, value in kept.log:
        if name == topic:
            title = None if value is None else msgspec.json.decode(value, type=State).fields.get("title")
            found[int(key)] = None if title is None else str(title)
    return found


@pytest.mark.integration
async def test_a_table_has_what_is_agreed(ledger: PostgresLedger) -> None:
    kept = Kept()
    states = carrier(ledger, kept)
    await passed(ledger, states, kept)
    one, other = await born(ledger, "a"), await born(ledger, "b")
    await passed(ledger, states, kept)
    assert table(kept) == {one: "a", other: "b"}
    for version in (2, 3, 4):
        await changed(ledger, one, f"a{version}", version)
    before = len(kept.log)
    assert await passed(ledger, states, kept) == 1, "three changes, one message"
    assert table(kept) == {one: "a4", other: "b"}
    assert await passed(ledger, states, kept) == 0
    [state] = [msgspec.json.decode(value, type=State) for topic, _, value in kept.log[before:] if topic == PEOPLE and value]
    assert (state.pair, state.kind, state.object, state.marketo, state.fields) == (one, "person", "lead", "a", {"title": "a4"})


@pytest.mark.integration
async def test_of_two_messages_the_later_has_the_greater_block(ledger: PostgresLedger) -> None:
    kept = Kept()
    states = carrier(ledger, kept)
    one = await born(ledger, "a")
    await passed(ledger, states, kept)
    await changed(ledger, one, "b", 2)
    await passed(ledger, states, kept)
    blocks = [msgspec.json.decode(value, type=State).block for topic, _, value in kept.log if topic == PEOPLE and value]
    assert blocks == sorted(blocks)
    assert blocks[0] < blocks[-1]


@pytest.mark.integration
async def test_who_is_gone_has_a_tombstone_however_the_end_came(ledger: PostgresLedger) -> None:
    kept = Kept()
    states = carrier(ledger, kept)
    deleted, removed, stays = await born(ledger, "a"), await born(ledger, "b"), await born(ledger, "c")
    await passed(ledger, states, kept)
    await changed(ledger, deleted, "a", 1, deleted=True)
    async with ledger.transaction() as tx:
        await tx.remove([removed])
    await passed(ledger, states, kept)
    assert table(kept) == {deleted: None, removed: None, stays: "c"}
    assert await ledger._pool.fetchval("select count(*) from pairs_ended") == 0
    await changed(ledger, deleted, "back", 2)
    await passed(ledger, states, kept)
    assert table(kept)[deleted] == "back"


@pytest.mark.integration
async def test_a_new_topic_begins_with_every_record_and_goes_on_where_it_stopped(
    ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.publish.states.RECORDS_MAX", 2)
    born_before = {await born(ledger, f"t{place}"): f"t{place}" for place in range(5)}
    kept = Kept()
    await Outbox(ledger._pool, Alone(), lambda: kept).publish(kept)
    failing = carrier(ledger, kept)
    save, saved = failing._save, 0

    async def dies(relation: str, stood: int, reached: int) -> None:
        nonlocal saved
        saved += relation == PEOPLE
        if saved == 2:
            raise Retry("killed")
        await save(relation, stood, reached)

    monkeypatch.setattr(failing, "_save", dies)
    with pytest.raises(Retry, match="killed"):
        await failing.publish(kept)
    assert len(table(kept)) == 4
    assert await carrier(ledger, kept).publish(kept) == 3, "the step that was not noted, and the rest"
    assert table(kept) == born_before
    assert await carrier(ledger, kept).publish(kept) == 0


@pytest.mark.integration
async def test_a_crash_before_the_position_is_saved_is_a_repeat(ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    states = carrier(ledger, kept)
    await passed(ledger, states, kept)
    one = await born(ledger, "a")

    async def dies(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(states, "_save", dies)
        with pytest.raises(asyncio.CancelledError):
            await passed(ledger, states, kept)
    await changed(ledger, one, "b", 2)
    await passed(ledger, carrier(ledger, kept), kept)
    assert table(kept) == {one: "b"}


class Slow(Kept):
    """What is sent here arrives only after somebody else was quicker."""

    def __init__(self, arriving: Kept, ledger: PostgresLedger, pair: int) -> None:
        super().__init__()
        self.arriving, self.ledger, self.pair, self.overtaken = arriving, ledger, pair, False

    async def send(self, topic: str, value: bytes | None, key: bytes, *, headers: Headers) -> "asyncio.Future[object]":
        if not self.overtaken:
            self.overtaken = True
            await changed(self.ledger, self.pair, "newer", 3)
            await passed(self.ledger, carrier(self.ledger, self.arriving), self.arriving)
        return await self.arriving.send(topic, value, key, headers=headers)


@pytest.mark.integration
async def test_who_was_overtaken_says_again_how_it_stands(ledger: PostgresLedger) -> None:
    kept = Kept()
    one = await born(ledger, "a")
    await passed(ledger, carrier(ledger, kept), kept)
    await changed(ledger, one, "older", 2)
    await Outbox(ledger._pool, Alone(), lambda: kept).publish(kept)
    with pytest.raises(Retry, match="somebody else"):
        await carrier(ledger, kept).publish(Slow(kept, ledger, one))
    titles = [msgspec.json.decode(value, type=State).fields["title"] for topic, _, value in kept.log if topic == PEOPLE and value]
    assert "older" in titles[titles.index("newer") :], "what was said late stood there for a moment"
    assert table(kept) == {one: "newer"}


@pytest.mark.integration
async def test_on_kafka_it_is_read_as_any_topic(ledger: PostgresLedger, postgres_module: str, kafka: str) -> None:
    """Beside an outbox at work, from before the topic's beginning on."""
    await ensure_topics(kafka, all_topics(STANDARD.objects, kinds=STANDARD.by_name))
    start = await ledger._pool.fetchval("select setval('pairs_id_seq', 700000 + nextval('pairs_id_seq'))")
    before = await born(ledger, "before")
    make = partial(kafka_producer, kafka)
    stop = asyncio.Event()
    states = States(ledger._pool, PostgresSingleton(postgres_module), make, interval_seconds=0.05)
    states.kinds = KINDS
    outbox = Outbox(ledger._pool, PostgresSingleton(postgres_module), make, interval_seconds=0.05)
    working = [asyncio.create_task(each.run(stop)) for each in (outbox, states)]
    try:
        one, gone = await born(ledger, "a"), await born(ledger, "b")
        await changed(ledger, one, "a2", 2)
        await changed(ledger, gone, "b", 2, deleted=True)
        found: dict[int, str | None] = {}
        async with asyncio.timeout(DEADLINE_SECONDS):
            while found != {before: "before", one: "a2", gone: None}:
                found = {}
                topic = topic_named(PEOPLE, STANDARD)
                async for message in messages(KafkaAccess(bootstrap=kafka), topic, since_ms=None, follow=False):
                    if int(message.key) >= start:
                        found[int(message.key)] = str(message.data["fields"]["title"]) if message.data else None
        assert states.trouble is None
    finally:
        stop.set()
        await asyncio.gather(*working)


@pytest.mark.integration
async def test_every_kind_has_its_table(ledger: PostgresLedger) -> None:
    kept = Kept()
    states = carrier(ledger, kept)
    numbers = {kind.name: await born(ledger, kind.name, obj=next(iter(kind.by_object))) for kind in STANDARD.kinds}
    await passed(ledger, states, kept)
    for kind, number in numbers.items():
        assert table(kept, state_topic(kind)) == {number: kind}


@pytest.mark.integration
async def test_a_damaged_state_keeps_nobody_else(ledger: PostgresLedger) -> None:
    kept = Kept()
    states = carrier(ledger, kept)
    await passed(ledger, states, kept)
    broken, other = await born(ledger, "a"), await born(ledger, "b")
    await ledger._pool.execute("update pairs set state = '\\x00' where id = $1", broken)
    await passed(ledger, states, kept)
    assert table(kept) == {other: "b"}


@pytest.mark.integration
async def test_what_does_not_fit_into_a_message_is_cut(ledger: PostgresLedger) -> None:
    kept = Kept()
    states = carrier(ledger, kept)
    one = await born(ledger, "a")
    await passed(ledger, states, kept)
    await changed(ledger, one, "x" * 1_000_000, 2)
    await passed(ledger, states, kept)
    value = [value for topic, _, value in kept.log if topic == PEOPLE][-1]
    assert value is not None
    state = msgspec.json.decode(value, type=State)
    assert state.cut
    assert len(str(state.fields["title"])) == 500


@pytest.mark.parametrize("settled", [True, False], ids=["at rest", "edited"])
def test_what_is_agreed_is_read_without_unpacking(settled: bool) -> None:
    fields = {
        "title": Field(value="CEO", version=2, agreed_at=5, salesforce=Side(seen="CEO", shows=2), marketo=Side(seen="CTO", shows=1)),
        "phone": Field(value="1", version=1, salesforce=Side(seen="1", shows=1), marketo=Side(seen="1", shows=1)),
        "hold": Field(value=True, version=1, hold="review: a person"),
    }
    state = PairState(object=LEAD, fields={"phone": fields["phone"]} if settled else fields, salesforce=Record(id="00Q"), hold="why")
    packed = pack(state)
    again = agreed(pack(unpack(packed)))
    assert again.values == {key: field.value for key, field in state.fields.items()}
    assert (again.object, again.salesforce.id, again.marketo.id, again.hold) == (LEAD, "00Q", "", "why")
