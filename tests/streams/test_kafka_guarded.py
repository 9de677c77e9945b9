"""Kafka with TLS and SASL: every client of ours gets in, at a real broker, and who doesn't hears why."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from consumers.fitting.grounds import look_at_kafka
from consumers.kinds.registry import OBJECTS
from consumers.reports.standing.lag import end_offsets
from infra.kafka.admin import ensure_topics
from infra.kafka.broker import Broker
from infra.kafka.guarded import Guarded
from streams.ground.access import KafkaAccess, Sasl
from streams.relay.publisher import Publisher, kafka_producer
from streams.wire.errors import Fatal, Retry
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import PERSON, System
from streams.wire.topics import all_topics, change_topic
from tests.certificates import Papers, made

pytestmark = pytest.mark.integration
USER, PASSWORD = "tandem", "broker-secret-4711"


@dataclass(frozen=True, kw_only=True)
class Ground:
    broker: Broker
    papers: Papers
    folder: Path

    def signed(self, sasl: Sasl, **more: Any) -> KafkaAccess:
        said: dict[str, Any] = {"username": USER, "password": PASSWORD}
        if sasl is Sasl.OAUTHBEARER:
            said = {"token_file": self.folder / "token"}
        options = {**said, **more}
        return KafkaAccess(bootstrap=self.broker.address("SIGNED"), tls=True, ca_file=self.papers.authority, sasl=sasl, **options)

    def mutual(self) -> KafkaAccess:
        return KafkaAccess(
            bootstrap=self.broker.address("MUTUAL"),
            tls=True,
            ca_file=self.papers.authority,
            certificate_file=self.papers.client_certificate,
            key_file=self.papers.client_key,
        )


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("guarded")
    papers = made(folder / "papers", "tandem")
    guarded = Guarded(identity=papers.server_identity, authority=papers.authority, user=USER, password=PASSWORD)
    broker = Broker(folder / "kafka", heap_mib=256, guarded=guarded)
    try:
        broker.start()
        (folder / "token").write_text(token())
        yield Ground(broker=broker, papers=papers, folder=folder)
    finally:
        broker.remove()


def token(seconds: float = 3600) -> str:
    """An unsigned one, as Kafka takes by default."""
    now = time.time()
    parts: tuple[dict[str, object], ...] = ({"alg": "none"}, {"sub": USER, "iat": now, "exp": now + seconds, "scope": "kafka"})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def access(ground: Ground, how: str) -> KafkaAccess:
    return ground.mutual() if how == "mutual" else ground.signed(Sasl(how))


WAYS = [*(str(sasl) for sasl in Sasl if sasl is not Sasl.NONE), "mutual"]


@pytest.mark.parametrize("how", WAYS)
async def test_every_client_of_ours_gets_in(ground: Ground, how: str) -> None:
    kafka = access(ground, how)
    await ensure_topics(kafka, all_topics(OBJECTS))
    await look_at_kafka(kafka)
    topic = change_topic(System.MARKETO, PERSON)
    before = sum(end for (name, _), end in (await end_offsets(kafka)).items() if name == topic)
    publisher = Publisher(lambda: kafka_producer(kafka))
    try:
        event = ChangeEvent(system=System.MARKETO, object=PERSON, id="7", kind=Happened.UPDATED, source="guarded", at=1)
        async with asyncio.timeout(60):
            await publisher.publish([event])
    finally:
        await publisher.close()
    assert sum(end for (name, _), end in (await end_offsets(kafka)).items() if name == topic) == before + 1
    consumer = AIOKafkaConsumer(topic, group_id=f"guarded-{how}", auto_offset_reset="earliest", **kafka.options())
    await consumer.start()
    try:
        async with asyncio.timeout(60):
            assert (await consumer.getone()).key == b"person:7"
    finally:
        await consumer.stop()


WRONG = {
    "password": lambda ground: replace(ground.signed(Sasl.PLAIN), password="not-it"),
    "scram password": lambda ground: replace(ground.signed(Sasl.SCRAM_SHA_512), password="not-it"),
    "mechanism missing": lambda ground: replace(ground.signed(Sasl.PLAIN), sasl=Sasl.NONE),
    "authority": lambda ground: replace(ground.signed(Sasl.PLAIN), ca_file=ground.papers.stranger),
    "no tls": lambda ground: replace(ground.signed(Sasl.PLAIN), tls=False),
    "no certificate": lambda ground: replace(ground.mutual(), certificate_file=None, key_file=None),
}
TOLD = {
    "password": (Fatal, "refuses the sign-in"),
    "scram password": (Fatal, "refuses the sign-in"),
    "mechanism missing": (Retry, "kafka.tls and kafka.sasl fit its listener"),
    "authority": (Fatal, "certificate is not trusted"),
    "no tls": (Retry, "kafka.tls and kafka.sasl fit its listener"),
    "no certificate": (Retry, "kafka.tls and kafka.sasl fit its listener"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_who_does_not_get_in_hears_why_and_no_secret_is_told(
    ground: Ground, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    kind, said = TOLD[wrong]
    for asking in (look_at_kafka, end_offsets):
        with pytest.raises(kind, match=said) as caught:
            await asking(WRONG[wrong](ground))
        assert ground.broker.address("SIGNED") in str(caught.value) or ground.broker.address("MUTUAL") in str(caught.value)
        assert PASSWORD not in str(caught.value)
    assert PASSWORD not in caplog.text
    assert "not-it" not in caplog.text
    assert PASSWORD not in repr(ground.signed(Sasl.PLAIN))


async def test_a_renewed_token_is_read_for_the_next_connection(ground: Ground) -> None:
    (ground.folder / "renewed").write_text("nonsense")
    kafka = ground.signed(Sasl.OAUTHBEARER, token_file=ground.folder / "renewed")
    with pytest.raises((Fatal, Retry)):
        await look_at_kafka(kafka)
    await ensure_topics(ground.signed(Sasl.PLAIN), all_topics(OBJECTS))
    (ground.folder / "renewed").write_text(token())
    await look_at_kafka(kafka)


async def test_files_that_are_no_certificates_are_for_a_person(ground: Ground) -> None:
    (ground.folder / "no.pem").write_text("nothing")
    with pytest.raises(Fatal, match=r"Check kafka\.ca_file"):
        await look_at_kafka(replace(ground.mutual(), ca_file=ground.folder / "no.pem"))
