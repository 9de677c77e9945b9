"""Parts of a topic on a real broker, sent again: the same bytes each time, in one go or stopped and gone on with."""

import asyncio
import json
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from typer.testing import CliRunner

from consumers.cli.application import app
from consumers.kinds.registry import STANDARD
from consumers.replay.again import again
from consumers.replay.cursor import Cursor, cursor_in
from consumers.replay.outputs import ORIGIN, File, Output, to_file, to_topic
from consumers.replay.selection import Span
from consumers.subscriptions.message import Choice, Message
from consumers.subscriptions.reading import messages
from consumers.subscriptions.topics import topic_named
from infra.kafka.admin import ensure_topics
from streams.ground.access import KafkaAccess
from streams.relay.publisher import Publisher, kafka_producer
from streams.wire.errors import Fatal
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import CONTACT, System
from streams.wire.topics import all_topics

pytestmark = pytest.mark.integration

TOPIC = topic_named("salesforce.contact", STANDARD)
FOR_EVER = 2**62
MANY = 240
runner = CliRunner()


def change(record: str, number: int) -> ChangeEvent:
    fields: dict[str, Any] = {"Title": f"t{number}"} if number % 2 else {"Phone": f"{number}"}
    kind = Happened.CREATED if number < 5 else Happened.UPDATED
    return ChangeEvent(
        system=System.SALESFORCE, object=CONTACT, id=record, kind=kind, source="cdc", at=1_700_000_000_000, seq=1 + number,
        call=f"call {number // 10}", fields=fields,
    )  # fmt: skip


@pytest.fixture(scope="module")
def records() -> list[str]:
    return [f"003{secrets.token_hex(6)}AAA" for _ in range(5)]


@pytest.fixture
async def filled(kafka: str, records: list[str]) -> KafkaAccess:
    """Some records of this test's own, among those of others."""
    await ensure_topics(kafka, all_topics(STANDARD.objects))
    access = KafkaAccess(bootstrap=kafka)
    if not [each async for each in messages(access, TOPIC, since_ms=None, follow=False) if records[0] in each.records]:
        publisher = Publisher(lambda: kafka_producer(kafka))
        for begin in range(0, MANY, 40):
            await publisher.publish([change(records[number % 5], number) for number in range(begin, begin + 40)])
        await publisher.close()
    return access


def span(records: Sequence[str], **told: Any) -> Span:
    choice = Choice(**{"records": frozenset(records), **told.pop("choice", {})})
    return Span(**{"until_ms": FOR_EVER, "choice": choice, **told})


async def sent(access: KafkaAccess, part: Span, path: Path, *, cursor: Path | None = None, dies: int | None = None) -> bytes:
    """What stands in the file afterwards. `dies`: at so many messages of this go."""
    at = cursor_in(cursor, "this") if cursor else Cursor(asked="this")
    async with to_file(path, lambda message: message, size=at.size) as file:
        output: Output = file if dies is None else Mortal(file, dies)
        await again(access, TOPIC, part, output, at, path=cursor, rate=None, said=lambda _: None)
    return path.read_bytes()


class Mortal:
    """An output during which its process is asked to end."""

    def __init__(self, file: File, at: int) -> None:
        self._file, self._left = file, at

    async def put(self, record: Any, message: Message) -> None:
        if not self._left:
            raise asyncio.CancelledError
        self._left -= 1
        await self._file.put(record, message)

    async def kept(self) -> int:
        return await self._file.kept()


async def test_the_same_part_gives_the_same_bytes(filled: KafkaAccess, records: list[str], tmp_path: Path) -> None:
    one, other = await sent(filled, span(records), tmp_path / "one"), await sent(filled, span(records), tmp_path / "other")
    assert one == other
    assert one.count(b"\n") == MANY


async def test_stopped_again_and_again_it_gives_the_same_bytes(filled: KafkaAccess, records: list[str], tmp_path: Path) -> None:
    whole = await sent(filled, span(records), tmp_path / "whole")
    cursor = tmp_path / "cursor"
    for stop in (1, 70, 0, 100):
        with pytest.raises(asyncio.CancelledError):
            await sent(filled, span(records), tmp_path / "parts", cursor=cursor, dies=stop)
    with (tmp_path / "parts").open("ab") as file:
        file.write(b"what a process that was killed had written and not noted")
    assert await sent(filled, span(records), tmp_path / "parts", cursor=cursor) == whole
    assert await sent(filled, span(records), tmp_path / "parts", cursor=cursor) == whole, "nothing is left to send"


async def test_a_cursor_serves_one_replay_alone(tmp_path: Path) -> None:
    Cursor(asked="that").save(tmp_path / "cursor")
    with pytest.raises(Fatal, match="another replay"):
        cursor_in(tmp_path / "cursor", "this")
    (tmp_path / "cursor").write_text("no cursor")
    with pytest.raises(Fatal, match="no cursor"):
        cursor_in(tmp_path / "cursor", "this")


async def test_a_part_is_chosen(filled: KafkaAccess, records: list[str], tmp_path: Path) -> None:
    found = [each async for each in messages(filled, TOPIC, since_ms=None, follow=False) if not set(records).isdisjoint(each.records)]
    mine = [each for each in found if records[0] in each.records]
    first, last = mine[3], mine[9]
    assert {each.partition for each in mine} == {first.partition}
    cases: list[tuple[Span, int]] = [
        (span(records, offsets={first.partition: (first.offset, last.offset)}, choice={"records": frozenset({records[0]})}), 6),
        (span(records, positions=(10, 20)), 10),
        (span(records, positions=(MANY - 3, None)), 4),
        (span(records, since_ms=found[-1].at + 1), 0),
        (span(records, until_ms=found[0].at), 0),
        (span(records, choice={"kinds": frozenset({"created"})}), 5),
        (span(records, choice={"fields": frozenset({"phone"})}), MANY // 2),
        (span(records, causes=frozenset({"call 3"})), 10),
    ]
    for part, count in cases:
        assert (await sent(filled, part, tmp_path / "part")).count(b"\n") == count, part


async def test_onto_another_topic_goes_what_was_there(filled: KafkaAccess, records: list[str]) -> None:
    name = f"again.{secrets.token_hex(4)}"
    client = AIOKafkaAdminClient(bootstrap_servers=filled.bootstrap)
    await client.start()
    await client.create_topics([NewTopic(name, 3, 1)])
    await client.close()
    part = span(records[:1])
    async with to_topic(filled, name, STANDARD) as topic:
        await again(filled, TOPIC, part, topic, Cursor(asked=""), path=None, rate=None, said=lambda _: None)
    wanted = [each async for each in messages(filled, TOPIC, since_ms=None, follow=False) if part.takes(each)]
    consumer = AIOKafkaConsumer(name, bootstrap_servers=filled.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(120):
            got = [await consumer.getone() for _ in wanted]
    finally:
        await consumer.stop()
    origins = [dict(record.headers)[ORIGIN].decode() for record in got]
    assert origins == [f"{each.topic}/{each.partition}@{each.offset}" for each in wanted]
    assert [record.key.decode() for record in got] == [each.key for each in wanted]


async def test_nothing_goes_onto_a_topic_of_tandems_own(filled: KafkaAccess) -> None:
    with pytest.raises(Fatal, match="one of Tandem's own"):
        async with to_topic(filled, "crm.marketo.person.v1", STANDARD):
            pass
    with pytest.raises(Fatal, match="no topic"):
        async with to_topic(filled, "again.nowhere", STANDARD):
            pass


def told_to(config: Path, *words: str) -> Any:
    return runner.invoke(app, ["replay", "salesforce.contact", *words, "--config", str(config)])


async def test_the_command_masks_values_and_notes_who_sent_them_elsewhere(
    filled: KafkaAccess, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"SECRET": "x", "PG": postgres, "TANDEM_USER": "ann"}.items():
        monkeypatch.setenv(name, value)
    system = {"client_id": "x", "client_secret": {"env": "SECRET"}}
    config = tmp_path / "tandem.yaml"
    told = {"salesforce": {"url": "https://a.my.salesforce.com", **system}, "marketo": {"url": "http://127.0.0.1:1", **system}}
    places = {"kafka": {"bootstrap_servers": filled.bootstrap}, "postgres": {"dsn": {"env": "PG"}}}
    config.write_text(yaml.safe_dump({**told, **places}))

    def run(*words: str) -> Any:
        with ThreadPoolExecutor(1) as thread:  # a command has a loop of its own
            return thread.submit(told_to, config, *words).result()

    out = tmp_path / "out"
    came = run("--kind", "created", "--out", str(out), "--json")
    assert came.exit_code == 0, came.output
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    titles = [each["data"]["fields"]["Title"] for each in lines if "Title" in each["data"]["fields"]]
    assert titles
    assert all(title.endswith("•••") for title in titles)
    refused = run("--to-topic", "crm.decisions.v1", "--reason", "a test")
    assert (refused.exit_code, "Tandem's own" in refused.output) == (2, True)
    assert [(each["act"], each["why"]) for each in await deeds(postgres)] == [("replay", "a test")]
    assert run("--from", "x").exit_code == 2
    assert run("--out", str(out), "--to-topic", "x").exit_code == 2


async def deeds(dsn: str) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch("select act, why from audit_log"))
    finally:
        await connection.close()
