"""What happens, on a page: read from Kafka as any subscriber reads it, filtered, masked, and one of it with what it led to."""

import re
import secrets
import time
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from consumers.kinds.registry import STANDARD
from consumers.merge.pair.decision import Decision, Origin, Ruling, Verdict, encode
from consumers.subscriptions.reading import message_at, newest
from consumers.subscriptions.topics import topic_named
from infra.kafka.admin import ensure_topics
from streams.ground.access import KafkaAccess
from streams.relay.publisher import Publisher, kafka_producer
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import LEAD, MARKETO, SALESFORCE, System
from streams.wire.topics import DECISIONS, all_topics
from tests.consumers.console.served import SALESFORCE_ID, add_ada, served, settings_on

pytestmark = pytest.mark.integration
LEADS = topic_named("salesforce.lead", STANDARD)


async def publish(kafka: str, author: str, *, count: int = 1) -> Origin:
    """Changes of Ada's title; where the newest is."""
    await ensure_topics(kafka, all_topics(STANDARD.objects))
    began, publisher = round(time.time() * 1000) - 60_000, Publisher(lambda: kafka_producer(kafka))
    event = ChangeEvent(
        system=System.SALESFORCE, object=LEAD, id=SALESFORCE_ID, kind=Happened.UPDATED, source="cdc", at=began, author=author,
        fields={"Title": "Countess"}, before={"Title": "Lady"},
    )  # fmt: skip
    await publisher.publish([event] * count)
    await publisher.close()
    late = await newest(KafkaAccess(bootstrap=kafka), LEADS, since_ms=began, most=2_000)
    place = [each for each in late.messages if each.actor == author][-1]
    return Origin(topic=place.topic, partition=place.partition, offset=place.offset, kind=Happened.UPDATED, author=author)


async def test_a_change_its_decision_and_its_write_masked(postgres: str, kafka: str, tmp_path: Path) -> None:
    author = f"005{secrets.token_hex(6)}"
    origin, pair = await publish(kafka, author), await add_ada(postgres)
    now = round(time.time() * 1000)
    won = Ruling(field="title", verdict=Verdict.WON, value="Countess", agreed="Countess", lost="Lady", version=2, rule="marketo@1")
    wrote = Ruling(field="title", verdict=Verdict.ACCEPTED, value="Countess", version=2)
    judged = Decision(kind="judged", at=now, pair=pair, system=SALESFORCE, record=SALESFORCE_ID, fields=(won,), event=origin)
    written = Decision(
        kind="written",
        at=now + 700,
        pair=pair,
        system=MARKETO,
        record="1001",
        fields=(wrote,),
        write=9,
        outcome="update done",
        event=origin,
    )
    connection = await asyncpg.connect(postgres)
    for each in (judged, written):
        row = (each.at, each.pair, each.kind, encode(each))
        await connection.execute("insert into decisions (at, pair, kind, body) values ($1, $2, $3, $4)", *row)
    await connection.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    await producer.send_and_wait(DECISIONS, encode(judged), key=str(pair).encode())
    await producer.stop()
    async with served(settings_on(postgres, tmp_path, kafka=kafka)) as visitor:
        await visitor.sign_in()
        for topic, more in (("salesforce.lead", "&kind=updated"), ("decisions", "&outcome=won&side=salesforce")):
            status, page, _ = await visitor.get(f"/changes?topic={topic}&field=Title&actor={author}{more}")
            assert status == 200, page
            rows = re.findall(rf'href="(/changes/{topic}/\d+/\d+)"', page)
            assert len(rows) == 1, page
            status, page, _ = await visitor.get(rows[0])
            assert status == 200, page
            assert f'href="/record/{pair}"' in page
            assert "decision" in page.partition("What it led to")[2]
            assert 'class="step"' in page, "the write"
            assert "Countess" not in page
            assert "C•••" in page
        for unlike in ("&side=marketo", "&actor=nobody", "&field=email", "&outcome=lost", "&kind=created"):
            _, page, _ = await visitor.get(f"/changes?topic=decisions&actor={author}{unlike}")
            assert "/changes/decisions/" not in page, unlike
        for away, told in (
            (f"/changes/salesforce.lead/{origin.partition}/999999999", 404),
            ("/changes/nothing/0/0", 404),
            ("/changes?since=x", 400),
        ):
            assert (await visitor.get(away))[0] == told


async def test_a_tail_says_how_many_it_leaves_out(postgres: str, kafka: str, tmp_path: Path) -> None:
    author, began = f"005{secrets.token_hex(6)}", round(time.time() * 1000)
    last, access = await publish(kafka, author, count=20), KafkaAccess(bootstrap=kafka)
    whole = await newest(access, LEADS, since_ms=began, most=1_000_000)
    assert whole.passed_over == 0
    some = await newest(access, LEADS, since_ms=began, most=1)
    assert len(some.messages) < len(whole.messages)
    assert len(some.messages) + some.passed_over >= len(whole.messages)
    there = await message_at(access, LEADS, last.partition, last.offset)
    assert there is not None
    assert there.actor == author
    assert await message_at(access, LEADS, 10_000, 0) is None
