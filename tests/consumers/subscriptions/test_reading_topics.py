"""Topics on a real broker: read as `tandem subscribe` does, and as clients do that know nothing of Tandem."""

import asyncio
import json
import subprocess
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from aiokafka import AIOKafkaConsumer
from cloudevents.kafka import KafkaMessage, from_binary
from typer.testing import CliRunner

from consumers.cli.application import app
from consumers.kinds.registry import STANDARD
from consumers.reconcile.heard import heard_on
from consumers.subscriptions.message import Message
from consumers.subscriptions.reading import messages
from consumers.subscriptions.topics import Content, Topic, topic_named
from infra.kafka.admin import ensure_topics
from infra.kafka.broker import Broker
from streams.ground.access import KafkaAccess
from streams.relay.publisher import Publisher, kafka_producer
from streams.wire.errors import Unprepared
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import LEAD, System
from streams.wire.topics import all_topics

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 180.0
TOPIC = topic_named("salesforce.lead", STANDARD)


def change(number: int, record: int, title: str = "CTO") -> ChangeEvent:
    return ChangeEvent(
        system=System.SALESFORCE,
        object=LEAD,
        id=f"00Q5f{record:010}EAY",
        kind=Happened.UPDATED,
        source="cdc",
        at=1_700_000_000_000 + number,
        seq=number,
        fields={"Title": title},
    )


async def publish(kafka: str, events: list[ChangeEvent]) -> None:
    publisher = Publisher(lambda: kafka_producer(kafka))
    await publisher.publish(events)
    await publisher.close()


@pytest.fixture
async def topics_made(kafka: str) -> str:
    await ensure_topics(kafka, all_topics(STANDARD.objects))
    return kafka


async def all_of(kafka: str, *, since_ms: int | None = None) -> list[Message]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return [each async for each in messages(KafkaAccess(bootstrap=kafka), TOPIC, since_ms=since_ms, follow=False)]


def seqs(found: list[Message]) -> list[int]:
    return [(each.data or {}).get("seq", 0) for each in found]


async def test_all_that_is_kept_comes_in_order_then_what_is_new_without_a_hole(topics_made: str) -> None:
    before = len(await all_of(topics_made))
    for first in range(0, 600, 200):
        await publish(topics_made, [change(number, number % 37) for number in range(first, first + 200)])
    kept = (await all_of(topics_made))[before:]
    assert sorted(seqs(kept)) == list(range(600))
    assert all(one.at <= other.at for one, other in pairwise(kept))
    by_record: dict[str, list[int]] = {}
    for each in kept:
        by_record.setdefault(each.records[0], []).extend(seqs([each]))
    assert all(found == sorted(found) for found in by_record.values())
    followed: list[Message] = []
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        aclosing(messages(KafkaAccess(bootstrap=topics_made), TOPIC, since_ms=None, follow=True)) as read,
    ):
        async for each in read:
            followed.append(each)
            if len(followed) == before + 600:
                await publish(topics_made, [change(number, number % 37) for number in range(600, 700)])
            if len(followed) == before + 700:
                break
    assert sorted(seqs(followed[before:])) == list(range(700))
    last = await all_of(topics_made, since_ms=followed[before + 600].at)
    assert set(range(600, 700)) <= set(seqs(last))
    assert len(last) < len(followed) or before == 0
    assert await all_of(topics_made, since_ms=last[-1].at + 3_600_000) == []


async def test_a_client_that_knows_nothing_of_tandem_reads_them(topics_made: str) -> None:
    await publish(topics_made, [change(1, 4242), change(1, 4242)])
    consumer = AIOKafkaConsumer(TOPIC.name, bootstrap_servers=topics_made, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            found: list[dict[str, Any]] = []
            while not found or found[-1]["subject"] != "00Q5f0000004242EAY":
                record = await consumer.getone()
                event = from_binary(KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value))
                found.append({**event.get_attributes(), "data": event.get_data()})
            again = await consumer.getone()
    finally:
        await consumer.stop()
    assert found[-1]["type"] == "crm.salesforce.lead.updated"
    assert found[-1]["data"]["fields"] == {"Title": "CTO"}
    assert dict(again.headers)["ce_id"].decode() == found[-1]["id"]


async def test_kafkas_own_console_consumer_reads_them(topics_made: str, kafka_broker: Broker) -> None:
    await publish(topics_made, [change(1, 1, title="by the console")])
    options = ["--bootstrap-server", topics_made, "--topic", TOPIC.name, "--from-beginning", "--timeout-ms", "15000"]
    command = kafka_broker.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", *options, "--formatter-property", "print.headers=true")
    shown = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    assert "ce_type:crm.salesforce.lead.updated" in shown.stdout, shown.stderr
    assert '"Title":"by the console"' in shown.stdout


async def test_what_the_stream_itself_has_told_is_found_on_the_topic(topics_made: str) -> None:
    read = msgspec.structs.replace(change(9, 778), source="poll", kind=Happened.READ)
    await publish(topics_made, [change(5, 777), change(8, 777), read])
    told = await heard_on(KafkaAccess(bootstrap=topics_made), TOPIC.name, [change(0, 777).id, change(0, 778).id])
    assert (told.ever, told.latest) == (True, {change(0, 777).id: change(8, 777).at})


async def test_a_topic_that_is_not_there_is_said(kafka: str) -> None:
    missing = Topic(name="crm.salesforce.nothing.v1", content=Content.CHANGES, words="")
    with pytest.raises(Unprepared, match=r"no topic crm\.salesforce\.nothing"):
        async for _ in messages(KafkaAccess(bootstrap=kafka), missing, since_ms=None, follow=False):
            pass


def test_the_command_masks_unless_told_and_writes_down_who_was_told(
    topics_made: str, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(publish(topics_made, [change(5, 99, title="Countess of Lovelace")]))
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("PG", postgres)
    monkeypatch.setenv("TANDEM_USER", "ann")
    system = {"client_id": "x", "client_secret": {"env": "SECRET"}}
    config = tmp_path / "tandem.yaml"
    told = {
        "salesforce": {"url": "https://a.my.salesforce.com", **system},
        "marketo": {"url": "http://127.0.0.1:1", **system},
        "kafka": {"bootstrap_servers": topics_made},
        "postgres": {"dsn": {"env": "PG"}},
    }
    config.write_text(yaml.safe_dump(told))
    base = ["subscribe", "salesforce.lead", "--config", str(config), "--actor", "nobody"]
    runner = CliRunner()
    assert runner.invoke(app, base).exit_code == 0
    asked = [*base[:-2], "--json", "--field", "title", "--kind", "UPDATED"]
    hidden = runner.invoke(app, asked)
    assert hidden.exit_code == 0, hidden.output
    assert "Lovelace" not in hidden.output
    assert runner.invoke(app, ["audit-log", "--config", str(config)]).output.startswith("Nobody has done anything")
    shown = runner.invoke(app, [*asked, "--reveal"])
    assert "Countess of Lovelace" in shown.output
    line = json.loads(shown.stdout.strip().splitlines()[-1])
    assert line["attributes"]["type"] == "crm.salesforce.lead.updated"
    log = json.loads(runner.invoke(app, ["audit-log", "--config", str(config), "--json"]).stdout)
    assert [(each["who"], each["act"], each["what"]["topic"]) for each in log] == [("ann", "reveal", TOPIC.name)]
    assert runner.invoke(app, ["subscribe", "nothing.such", "--config", str(config)]).exit_code == 2
    assert runner.invoke(app, ["subscribe", "decisions", "--since", "yesterday", "--config", str(config)]).exit_code == 2
