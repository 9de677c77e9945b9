"""The log on a real broker: decisions in their order, each with the event that it is about."""

import secrets
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from consumers.kinds.registry import STANDARD, Registry
from consumers.merge.pair.decision import Decision, Origin, Ruling, Verdict, encode
from consumers.replay import log
from consumers.replay.log import Log
from consumers.subscriptions.topics import Content, Topic
from streams.ground.access import KafkaAccess
from streams.relay.publisher import kafka_producer
from streams.wire.codec import encode as encode_event
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import LEAD, SALESFORCE

pytestmark = pytest.mark.integration

EVENTS, GONE = 1_200, 7


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Topics of this test's own: the session's broker has those of others."""
    mark = secrets.token_hex(4)
    changes, decisions = f"log.{mark}.changes", f"log.{mark}.decisions"

    def change_topics(_objects: Any) -> tuple[str, ...]:
        return (changes, "log.nowhere")

    def topic_named(_name: str, _kinds: Registry) -> Topic:
        return Topic(name=decisions, content=Content.DECISIONS, words="")

    monkeypatch.setattr(log, "change_topics", change_topics)
    monkeypatch.setattr(log, "topic_named", topic_named)
    return changes, decisions


async def test_every_decision_comes_with_its_event(kafka: str, names: tuple[str, str]) -> None:
    changes, decisions = names
    client = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await client.start()
    await client.create_topics([NewTopic(name, 3, 1) for name in names])
    await client.close()
    producer: Any = kafka_producer(kafka)
    await producer.start()
    for number in range(EVENTS):
        record = f"00Q{number % 40:012}AAA"
        event = ChangeEvent(
            system=SALESFORCE, object=LEAD, id=record, kind=Happened.UPDATED, source="cdc", at=number, fields={"Title": str(number)}
        )
        partition = number % 3
        await producer.send(changes, value=encode_event(event), key=record.encode(), headers=[], partition=partition)
        offset = number // 3 if number != GONE else 10**6
        ruling = Ruling(field="title", verdict=Verdict.ACCEPTED, value=str(number))
        decision = Decision(
            kind="judged", at=number + 1, pair=number % 40 + 1, system=SALESFORCE, record=record, fields=(ruling,),
            event=Origin(topic=changes, partition=partition, offset=offset),
        )  # fmt: skip
        await producer.send(decisions, value=encode(decision), key=b"", headers=[], partition=number % 40 % 3)
    await producer.stop()
    read, told = Log(KafkaAccess(bootstrap=kafka), STANDARD), []
    async for some in read.entries():
        told += some
    assert len(told) == EVENTS
    by_pair = [[each.decision.at for each in told if each.decision.pair == pair] for pair in range(1, 41)]
    assert all(ats == sorted(ats) for ats in by_pair)
    assert [each.decision.at for each in told if each.event is None] == [GONE + 1]
    assert all(each.event.at + 1 == each.decision.at for each in told if each.event is not None)
    assert (read.decisions, read.events, read.gone) == (EVENTS, EVENTS - 1, 1)
