"""The headers of every message, as another party's reading of the CloudEvents specification finds them."""

import asyncio

import msgspec
import pytest
from cloudevents.kafka import KafkaMessage, from_binary
from hypothesis import given
from hypothesis import strategies as st

from streams.relay.publisher import Publisher
from streams.wire.cloud import Headers, change_headers, headers, letter_headers, moment
from streams.wire.codec import decode, encode, relayed
from streams.wire.events import ChangeEvent, DeadLetter, Happened
from streams.wire.systems import LEAD, System

AT = 1_700_000_000_123
EVENT = ChangeEvent(
    system=System.SALESFORCE,
    object=LEAD,
    id="00Q5f000005bwLFEAY",
    kind=Happened.UPDATED,
    source="cdc",
    at=AT,
    seq=7,
    fields={"Title": "CTO"},
)


def read(found: Headers, value: bytes) -> dict[str, object]:
    message = KafkaMessage(headers=dict(found), key=b"lead:00Q5f000005bwLFEAY", value=value)
    event = from_binary(message)
    return {**event.get_attributes(), "data": event.get_data()}


def test_a_change_event_is_a_cloud_event() -> None:
    body = encode(EVENT)
    told = read(change_headers(EVENT, body), body)
    assert told["specversion"] == "1.0"
    assert told["type"] == "crm.salesforce.lead.updated"
    assert told["source"] == "/tandem/salesforce"
    assert told["subject"] == "00Q5f000005bwLFEAY"
    assert told["time"] == "2023-11-14T22:13:20.123Z"
    assert told["datacontenttype"] == "application/json"
    assert told["data"] == msgspec.json.decode(body)


def test_an_event_without_a_time_or_a_record_has_no_such_header() -> None:
    names = [name for name, _ in headers(identity="1", source="/tandem/ledger", type_="crm.decision.judged", at=0)]
    assert "ce_time" not in names
    assert "ce_subject" not in names


@pytest.mark.parametrize(
    "other",
    [
        {"fields": {"Title": "CEO"}},
        {"seq": 8},
        {"id": "00Q5f000005bwLGEAY"},
        {"kind": Happened.READ},
        {"system": System.MARKETO},
        {"at": AT + 1},
        {"epoch": 1},
        {"ref": "guid"},
    ],
)
def test_another_event_has_another_name(other: dict[str, object]) -> None:
    changed = msgspec.structs.replace(EVENT, **other)
    assert dict(change_headers(changed, encode(changed)))["ce_id"] != dict(change_headers(EVENT, encode(EVENT)))["ce_id"]


def test_letters_are_named_by_where_they_were_and_what_they_say() -> None:
    letter = DeadLetter(
        stage="observe", reason="not a change event", original=b"\xff{", key="lead:1", topic="t", partition=1, offset=5, at=AT
    )
    again = msgspec.structs.replace(letter, reason="in other words")
    elsewhere = msgspec.structs.replace(letter, offset=6)
    assert letter_headers(letter) == letter_headers(again)
    assert dict(letter_headers(letter))["ce_id"] != dict(letter_headers(elsewhere))["ce_id"]
    assert read(letter_headers(letter), b"{}")["type"] == "crm.dead-letter.observe"


@given(at=st.integers(0, 253_402_300_799_999))
def test_every_moment_has_three_places(at: int) -> None:
    text = moment(at)
    assert len(text) == len("2023-11-14T22:13:20.123Z")
    assert text.endswith(f".{at % 1000:03}Z")


@given(at=st.integers(1, 253_402_300_799_999))
def test_when_it_was_relayed_stands_in_the_body_only(at: int) -> None:
    assert decode(relayed(encode(EVENT), at)) == msgspec.structs.replace(EVENT, relayed_at=at)


async def test_an_event_sent_again_has_the_same_name() -> None:
    sent: list[tuple[bytes, Headers]] = []

    class Kept:
        async def start(self) -> None: ...

        async def stop(self) -> None: ...

        async def send(self, topic: str, value: bytes | None, key: bytes, *, headers: Headers) -> "asyncio.Future[object]":
            assert value is not None
            del topic, key
            sent.append((value, headers))
            done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done

    times = iter((1, 2, 3))
    publisher = Publisher(Kept, now_ms=lambda: next(times))
    await publisher.publish([EVENT])
    await publisher.publish([EVENT])
    await publisher.publish([decode(sent[0][0])])
    assert sent[0][0] != sent[1][0]
    assert sent[0][1] == sent[1][1] == sent[2][1]
