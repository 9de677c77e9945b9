"""Events to bytes and back: what comes out is what went in, and what is no event says why."""

import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.wire.codec import EVENT_BYTES_MAX, Undecodable, decode, encode, encode_dead_letter
from streams.wire.events import ChangeEvent, DeadLetter, Happened
from streams.wire.systems import CONTACT, LEAD, PERSON, System

TEXT = st.text(max_size=8)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), TEXT)
MOMENTS = st.integers(0, 253_402_300_799_999)
EVENTS = st.builds(
    ChangeEvent,
    system=st.sampled_from(System),
    object=st.sampled_from([LEAD, CONTACT, PERSON]),
    id=st.from_regex(r"[0-9A-Za-z]{1,18}([-.][0-9A-Za-z]{1,12}){0,3}", fullmatch=True),
    kind=st.sampled_from(Happened),
    source=TEXT,
    at=MOMENTS,
    until=MOMENTS,
    seq=st.integers(0, 2**63 - 1),
    ref=TEXT,
    author=st.none() | TEXT,
    call=st.none() | TEXT,
    origin=st.none() | TEXT,
    fields=st.dictionaries(TEXT, VALUES, max_size=4),
    before=st.none() | st.dictionaries(TEXT, VALUES, max_size=4),
    relayed_at=MOMENTS,
    into=st.from_regex(r"[0-9A-Za-z]{0,18}", fullmatch=True),
    into_object=st.sampled_from(["", CONTACT]),
    modified_by=st.none() | TEXT,
    modified_at=MOMENTS,
)
ONE = ChangeEvent(system=System.SALESFORCE, object=LEAD, id="x", kind=Happened.UPDATED, source="cdc", at=1, fields={"Title": "a"})


@given(EVENTS)
def test_an_event_survives_the_wire(event: ChangeEvent) -> None:
    assert decode(encode(event)) == event
    assert decode(encode(event)).is_read is (event.kind is Happened.READ)


@given(EVENTS)
def test_an_event_is_plain_json_that_leaves_out_what_it_does_not_tell(event: ChangeEvent) -> None:
    told = json.loads(encode(event))
    assert (told["system"], told["kind"]) == (event.system, event.kind)
    assert ("before" in told) is (event.before is not None)


def test_what_a_newer_version_adds_is_passed_over() -> None:
    told = json.loads(encode(ONE)) | {"mood": "good"}
    assert decode(json.dumps(told).encode()) == ONE


def test_nothing_changes_an_event() -> None:
    with pytest.raises(AttributeError):
        ONE.id = "y"  # type: ignore[misc]


BAD: list[tuple[bytes | None, str]] = [
    (None, "tombstone"),
    (b"", "not a change event"),
    (b"\xff\xfe", "not a change event"),
    (b"[]", "not a change event"),
    (b"{}", "missing required field"),
    (encode(ONE).replace(b'"updated"', b'"moved"'), "moved"),
    (encode(ONE).replace(b'"at":1', b'"at":"soon"'), r"\$\.at"),
    (encode(ONE).replace(b'"a"', b'{"street":"x"}'), r"\$\.fields"),
    (b" " * (EVENT_BYTES_MAX + 1), "oversized"),
    *((encode(msgspec.structs.replace(ONE, id=text)), "not a record id") for text in ("", "a\x00b", "a b", "9" * 65)),
    *((encode(msgspec.structs.replace(ONE, into=text)), "not a record id") for text in ("a\x00b", "a b", "9" * 65, "-a", "a..b")),
]


@pytest.mark.parametrize(("told", "why"), BAD)
def test_what_is_no_event_says_why(told: bytes | None, why: str) -> None:
    with pytest.raises(Undecodable, match=why):
        decode(told)


@given(st.binary(max_size=64))
def test_no_bytes_bring_the_decoder_down(told: bytes) -> None:
    with pytest.raises(Undecodable, match="not a change event"):
        decode(told)


@given(st.binary(max_size=64))
def test_a_dead_letter_keeps_its_bytes(original: bytes) -> None:
    letter = DeadLetter(stage="observe", reason="because", original=original, key="k", topic="t", partition=1, offset=2, at=3)
    told = json.loads(encode_dead_letter(letter))
    assert base64.b64decode(told.pop("original")) == original
    assert told == {key: value for key, value in msgspec.structs.asdict(letter).items() if key != "original"}


HUGE = 98765432109876543210987


@pytest.mark.parametrize("name", ["at", "until", "seq", "relayed_at", "modified_at"])
@pytest.mark.parametrize("value", [HUGE, -1, 2**63, "98765432109876543210987", 1.5, None])
def test_a_place_or_moment_that_nothing_keeps_is_not_taken(name: str, value: object) -> None:
    told = {"system": "salesforce", "object": "lead", "id": "00Q000000000001EAA", "kind": "updated", "source": "cdc", "at": 1, name: value}
    with pytest.raises(Undecodable):
        decode(json.dumps(told).encode())


def test_a_number_that_nothing_keeps_is_text_and_the_rest_of_the_event_stands() -> None:
    told = {
        "system": "marketo", "object": "person", "id": "17", "kind": "updated", "source": "activities", "at": 1,
        "fields": {"annualRevenue": HUGE, "title": "b", "score": -HUGE, "unsubscribed": True},
        "before": {"annualRevenue": HUGE, "title": None},
    }  # fmt: skip
    event = decode(json.dumps(told).encode())
    assert event.fields == {"annualRevenue": str(HUGE), "title": "b", "score": str(-HUGE), "unsubscribed": True}
    assert event.before == {"annualRevenue": str(HUGE), "title": None}
    assert decode(encode(event)) == event
    msgspec.msgpack.encode(event)
