"""What a message says, which are chosen, and what is left of them when they are masked."""

import json
from datetime import UTC
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from consumers.cli.text.looking.subscribed import line_of
from consumers.kinds.registry import STANDARD
from consumers.merge.pair.decision import Decision, Joined, Origin, Ruling, Verdict
from consumers.merge.pair.decision import encode as encode_decision
from consumers.publish.conflict import Conflict, Standing, body_of
from consumers.subscriptions.masking import MASK, masked, masked_value
from consumers.subscriptions.message import Choice, Message, message_of
from consumers.subscriptions.since import NoMoment, moment_of
from consumers.subscriptions.topics import Content, UnknownTopic, topic_named, topics
from streams.wire.codec import encode, encode_dead_letter
from streams.wire.events import ChangeEvent, DeadLetter, Happened
from streams.wire.systems import LEAD, System

LEAD_ID, USER = "00Q5f000005bwLFEAY", "0055fA000000002ABA"
AT = 1_700_000_000_000
CANARY = "Canary-7 <ada@example.com>"


def told(content: Content, value: bytes, *, key: bytes = b"") -> Message:
    return message_of(
        content, "crm.x.v1", 0, 7, AT, key=key, value=value, headers=iter([("ce_type", b"crm.x"), ("content-type", b"application/json")])
    )


CHANGE = told(
    Content.CHANGES,
    encode(
        ChangeEvent(
            system=System.SALESFORCE,
            object=LEAD,
            id=LEAD_ID,
            kind=Happened.UPDATED,
            source="cdc",
            at=AT,
            author=USER,
            fields={"Title": CANARY, "NumberOfEmployees": 7, "OwnerId": USER, "LastTransferDate": "2026-11-29"},
            before={"Title": CANARY},
        )
    ),
)
DECISION = told(
    Content.DECISIONS,
    encode_decision(
        Decision(
            kind="joined",
            at=AT,
            pair=12,
            system=System.MARKETO,
            record="1001",
            outcome="confirmed",
            detail=f"the system said '{CANARY}'",
            event=Origin(topic="t", partition=0, offset=1, author=USER),
            fields=(Ruling(field="title", verdict=Verdict.LOST, value=CANARY, agreed=CANARY, lost=CANARY, reason="it said 'Canary'"),),
            joined=Joined(pair=3, object="lead", salesforce=LEAD_ID, marketo="1", values={"title": CANARY}, state=b"Canary"),
        )
    ),
)
CONFLICT = told(
    Content.CONFLICTS,
    body_of(
        Conflict(
            conflict="12000-title",
            standing=Standing.DECIDED,
            at=AT,
            pair=12,
            field="title",
            edited=System.MARKETO,
            record="1001",
            salesforce=CANARY,
            marketo=CANARY,
            base=CANARY,
            base_known=True,
            agreed=CANARY,
            winner="marketo",
            rule="newest@2",
            reason=f"it said '{CANARY}'",
            event=Origin(topic="t", partition=0, offset=1, author=USER, call="c7"),
            config=3,
        )
    ),
)
LETTER = told(
    Content.DEAD_LETTERS,
    encode_dead_letter(DeadLetter(stage="observe", reason="no change event", original=CANARY.encode(), key=f"lead:{LEAD_ID}")),
    key=f"lead:{LEAD_ID}".encode(),
)


@pytest.mark.parametrize(
    ("message", "choice", "taken"),
    [
        (CHANGE, Choice(), True),
        (CHANGE, Choice(kinds=frozenset({"updated"})), True),
        (CHANGE, Choice(kinds=frozenset({"created"})), False),
        (CHANGE, Choice(fields=frozenset({"title", "x"})), True),
        (CHANGE, Choice(fields=frozenset({"email"})), False),
        (CHANGE, Choice(records=frozenset({LEAD_ID})), True),
        (CHANGE, Choice(records=frozenset({"1001"})), False),
        (CHANGE, Choice(actors=frozenset({USER})), True),
        (CHANGE, Choice(verdicts=frozenset({"lost"})), False),
        (CHANGE, Choice(kinds=frozenset({"updated"}), actors=frozenset({"x"})), False),
        (DECISION, Choice(records=frozenset({"pair:12"})), True),
        (DECISION, Choice(records=frozenset({"1001"}), verdicts=frozenset({"lost"}), fields=frozenset({"title"})), True),
        (DECISION, Choice(verdicts=frozenset({"confirmed"})), True),
        (DECISION, Choice(actors=frozenset({USER})), True),
        (DECISION, Choice(kinds=frozenset({"joined"})), True),
        (CONFLICT, Choice(kinds=frozenset({"decided"}), records=frozenset({"pair:12"}), fields=frozenset({"title"})), True),
        (CONFLICT, Choice(records=frozenset({"1001"}), actors=frozenset({USER}), verdicts=frozenset({"marketo"})), True),
        (CONFLICT, Choice(verdicts=frozenset({"waiting"})), False),
        (CONFLICT, Choice(fields=frozenset({"email"})), False),
        (LETTER, Choice(kinds=frozenset({"observe"}), records=frozenset({LEAD_ID})), True),
        (LETTER, Choice(fields=frozenset({"title"})), False),
    ],
)
def test_what_is_asked_for_is_chosen(message: Message, choice: Choice, *, taken: bool) -> None:
    assert choice.takes(message) is taken


@pytest.mark.parametrize("message", [CHANGE, DECISION, CONFLICT, LETTER])
def test_nothing_that_a_person_wrote_is_left_when_masked(message: Message) -> None:
    shown = json.dumps(masked(message).data) + line_of(masked(message))
    assert "anary" not in shown
    assert "example.com" not in shown
    assert message.data != masked(message).data


def test_what_messages_are_found_by_stays() -> None:
    fields = (masked(CHANGE).data or {})["fields"]
    assert fields == {"Title": f"C{MASK}", "NumberOfEmployees": 7, "OwnerId": USER, "LastTransferDate": "2026-11-29"}
    assert masked(CHANGE).records == CHANGE.records


@pytest.mark.parametrize(
    "value", ["2026-11-29", "2026-11-29T08:00:00Z", "2026-11-29T08:00:00.000+0000", "2026-11-29 08:00:00", "", LEAD_ID, 7, 1.5, True, None]
)
def test_values_that_name_nobody_stay(value: Any) -> None:
    assert masked_value(value) == value


@given(st.text(min_size=2))
def test_of_a_text_the_first_letter_stays(text: str) -> None:
    shown = masked_value(text)
    assert shown == f"{text[0]}{MASK}" or shown == text


@pytest.mark.parametrize(
    "word", ["Straightforward", "MaximilianSchmi", "ada@example.com", "+442079460000", "020 7946 0000", "123456789012345"]
)
def test_words_and_numbers_that_look_like_ids_are_masked(word: str) -> None:
    assert masked_value(word) == f"{word[0]}{MASK}"


@pytest.mark.parametrize("value", [b"", b"\xff{", b"7", b"[1]"])
def test_bytes_that_are_no_object_are_a_message_all_the_same(value: bytes) -> None:
    message = told(Content.CHANGES, value, key=b"lead:1")
    assert message.data is None
    assert (message.kind, message.records, message.fields, message.actor) == ("", (), (), "")
    assert masked(message) is message
    assert "no JSON object" in line_of(message)


def test_text_of_others_makes_no_markup() -> None:
    data = {"kind": "[red]x", "id": "[/]", "object": "[b]", "fields": {"[i]": "[link=x]"}}
    assert "[red]x" in Text.from_markup(line_of(told(Content.CHANGES, orjson.dumps(data)))).plain


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (
            {"standing": "waiting", "salesforce": "a", "base_known": True},
            "Salesforce a, Marketo (nothing)  before both (nothing)  waits for a person",
        ),
        (
            {"standing": "decided", "agreed": "a", "winner": "both", "rule": "[b]@1"},
            "what was before both isn't known  a stands (both by [b]@1)",
        ),
        ({"standing": "decided", "agreed": "a", "winner": "person", "by": "ada"}, "a stands (person)  decided by ada"),
        ({"standing": "gone"}, "gone pair:3 title"),
    ],
)
def test_a_conflict_is_a_line(data: Any, shown: str) -> None:
    line = line_of(told(Content.CONFLICTS, orjson.dumps({"pair": 3, "field": "title"} | data)))
    assert Text.from_markup(line).plain.endswith(shown)


def test_topics_are_found_by_both_names() -> None:
    for topic in topics(STANDARD):
        assert topic_named(topic.name, STANDARD) == topic_named(topic.short.upper(), STANDARD) == topic
    assert len({topic.name for topic in topics(STANDARD)}) == len(STANDARD.change_topics) + len(STANDARD.kinds) + 4


@pytest.mark.parametrize(("name", "hint"), [("salesforce.leads", "did you mean salesforce.lead?"), ("???", "there are: ")])
def test_an_unknown_topic_is_said_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UnknownTopic, match=hint.replace("?", r"\?")):
        topic_named(name, STANDARD)


@pytest.mark.parametrize(
    ("text", "before"),
    [("90s", 90_000), ("2h", 7_200_000), ("1970-01-01T00:00:00Z", AT), ("1970-01-01T01:00+01:00", AT), ("1970-01-01", AT)],
)
def test_moments_are_ago_or_a_date(text: str, before: int) -> None:
    assert moment_of(text, AT, UTC) == AT - before


@pytest.mark.parametrize("text", ["yesterday", "99999d", "9" * 400 + "d", "0001-01-01", "1969-12-31T23:00+00:00", "9999-12-31T23:59-12:00"])
def test_what_is_no_moment_is_said(text: str) -> None:
    with pytest.raises(NoMoment, match="is no moment; write how long ago"):
        moment_of(text, AT, UTC)


def test_a_state_is_masked_and_found_by_all_its_names() -> None:
    told = {"pair": 3, "kind": "person", "salesforce": "00Q", "marketo": "7", "fields": {"email": "ada@example.com", "leadScore": 5}}
    message = message_of(
        Content.STATES, "crm.state.person.v1", 0, 1, 2, key=b"3", value=json.dumps(told).encode(), headers=iter(())
    )  # fmt: skip
    assert set(message.records) == {"pair:3", "00Q", "7"}
    assert message.kind == "agreed"
    shown = masked(message).data
    assert shown is not None
    assert shown["fields"] == {"email": "a•••", "leadScore": 5}
    gone = message_of(Content.STATES, "crm.state.person.v1", 0, 1, 2, key=b"3", value=None, headers=iter(()))
    assert (gone.kind, gone.records, gone.data) == ("gone", ("pair:3",), None)
