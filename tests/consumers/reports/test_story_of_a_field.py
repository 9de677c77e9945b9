"""The sentences that tell why a field has its value."""

import time
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from consumers.mapping.fields import Direction, FieldMapping, FieldType, ObjectMapping, Rule, RuleName
from consumers.merge.pair.decision import Decision, Origin, Ruling, Verdict
from consumers.reports.clock import moment, time_of_day
from consumers.reports.records.plain import quoted
from consumers.reports.records.story import Chapter, UnknownField, authors, chapters_of, field_key, story
from streams.wire.events import Happened
from streams.wire.systems import LEAD, System

AT = 1_700_000_000_000
EVENT = Origin(
    topic="crm.marketo.person.v1",
    partition=0,
    offset=5,
    source="activities",
    kind=Happened.UPDATED,
    at=AT,
    author="eva@example.com",
    call="r#1",
    how="Lead update",
)
READING = Origin(topic="crm.marketo.person.v1", partition=0, offset=6, source="poll", kind=Happened.READ, at=AT)


def judged(verdict: Verdict, *, event: Origin | None = EVENT, field: str = "title", **ruling: object) -> Decision:
    told = Ruling(field=field, verdict=verdict, **ruling)  # type: ignore[arg-type]
    return Decision(kind="judged", at=AT + 40, pair=3, system=System.MARKETO, record="7", event=event, fields=(told,))


def sentence(decision: Decision) -> str:
    (chapter,) = chapters_of(1, decision, "title")
    return chapter.sentence


WHO = "Marketo (by eva@example.com, Lead update, from activities)"
CASES = {
    "accepted": (
        judged(Verdict.ACCEPTED, value="CEO", agreed="CEO", version=4, reason="marketo had seen the agreement"),
        f"{WHO} changed it to “CEO”. Accepted (marketo had seen the agreement): “CEO” is the agreement, version 4; Salesforce is owed it.",
    ),
    "cleared": (
        judged(Verdict.ACCEPTED, value=None, agreed=None, version=5),
        f"{WHO} changed it to blank. Accepted: blank is the agreement, version 5; Salesforce is owed it.",
    ),
    "same": (
        judged(Verdict.SAME, value="CEO", agreed="CEO", version=4, reason="both sides say the same"),
        f"{WHO} changed it to “CEO”. That is the agreement already, version 4: nothing to do (both sides say the same).",
    ),
    "won": (
        judged(
            Verdict.WON, value="CTO", agreed="CTO", version=5, lost="CEO", rule="marketo@1",
            reason="neither had seen the other; marketo wins",
        ),
        (f"{WHO} changed it to “CTO”. Conflict, decided by marketo@1 (neither had seen the other; marketo wins): “CTO” stands, "
        "version 5; “CEO” lost; Salesforce is owed it."),
    ),
    "lost": (
        judged(Verdict.LOST, value="CTO", agreed="CEO", version=4, lost="CTO", rule="salesforce@1", reason="salesforce wins"),
        f"{WHO} changed it to “CTO”. Conflict, decided by salesforce@1 (salesforce wins): “CTO” lost, “CEO” stays; Marketo is owed it.",
    ),
    "review": (
        judged(Verdict.REVIEW, value="CTO", agreed="CEO", lost="CTO", rule="review@1", reason="a person's decision"),
        f"{WHO} changed it to “CTO”. Conflict with “CEO”, and review@1 leaves it to a person (a person's decision): the field is held.",
    ),
    "echo": (
        judged(Verdict.ECHO, value="CEO", agreed="CEO", version=4),
        "Marketo showed Tandem's own write, “CEO”, version 4.",
    ),
    "echo of another make": (
        judged(Verdict.ECHO, value="ceo", agreed="CEO", version=4),
        "Marketo showed Tandem's own write, “ceo”; agreed is “CEO”, version 4.",
    ),
    "put back": (
        judged(Verdict.PUT_BACK, value=1, agreed=True, reason="to_marketo"),
        f"{WHO} changed it to 1. true will be put back (to_marketo).",
    ),
    "left": (judged(Verdict.LEFT, value="x", agreed="y", reason="one way"), f"{WHO} changed it to “x”. Left as it is (one way)."),
    "read": (
        judged(Verdict.KNOWN, event=READING, value="x", agreed="x"),
        "A read of Marketo showed “x”. Known already.",
    ),
    "superseded": (
        judged(Verdict.SUPERSEDED, value="x", agreed="y", reason="older than what has been judged"),
        f"{WHO} changed it to “x”. Passed over (older than what has been judged).",
    ),
    "waiting": (
        judged(Verdict.WAITING, value="x", reason="a change before this one has not arrived yet"),
        f"{WHO} changed it to “x”. It waits (a change before this one has not arrived yet).",
    ),
    "unusable": (
        judged(Verdict.UNUSABLE, agreed=5, reason="not a number"),
        f"{WHO} told a value that can't be used (not a number); the agreement stays 5.",
    ),
    "contested": (
        judged(Verdict.CONTESTED, value="x", agreed="y", reason="contested: marketo undoes our write"),
        (f"{WHO} changed it to “x”. Someone or something keeps undoing this; the field is held (contested: marketo undoes our write). "
        "Agreed is “y”."),
    ),
    "the whole record": (
        judged(Verdict.ACCEPTED, field="*", reason="deleted in marketo"),
        f"{WHO}: accepted (deleted in marketo).",
    ),
    "a written field": (
        Decision(
            kind="written", at=AT, pair=3, system=System.SALESFORCE, record="00Q", write=1001, outcome="update done",
            fields=(Ruling(field="title", verdict=Verdict.ACCEPTED, value="CEO", version=4),),
        ),
        "Tandem wrote “CEO” to Salesforce (write 1001): the system took it.",
    ),
    "a refused field": (
        Decision(
            kind="written", at=AT, pair=3, system=System.SALESFORCE, record="00Q", write=1001, outcome="update rejected",
            detail="STRING_TOO_LONG",
            fields=(Ruling(field="title", verdict=Verdict.ACCEPTED, value="CEO", version=4),),
        ),
        "Tandem wrote “CEO” to Salesforce (write 1001): the system refused it (STRING_TOO_LONG).",
    ),
    "in doubt": (
        Decision(
            kind="written", at=AT, pair=3, system=System.MARKETO, record="7", write=2, outcome="create unknown",
            fields=(Ruling(field="title", verdict=Verdict.ACCEPTED, value=None, version=4),),
        ),
        "Tandem wrote blank to Marketo (write 2): no answer came; the feed or a read will tell.",
    ),
    "a record that was linked": (
        Decision(kind="linked", at=AT, pair=3, system=System.MARKETO, record="7", outcome="matched", detail="by e-mail"),
        "The Marketo record 7 was matched with an existing record: by e-mail.",
    ),
    "a pair that is held": (
        Decision(kind="held", at=AT, pair=3, system=System.MARKETO, record="7", detail="ambiguous match"),
        "The pair is held: ambiguous match.",
    ),
    "somebody who is asked for": (
        Decision(kind="wanted", at=AT, pair=3, system=System.SALESFORCE, record="7", detail="push, asked for by tandem person (fair)"),
        "Somebody wants the person in Salesforce, whatever the rule says: push, asked for by tandem person (fair).",
    ),
    "a record that was forgotten": (
        Decision(kind="forgotten", at=AT, pair=3, system=System.MARKETO, record="7", detail="deleted long ago"),
        "The Marketo record 7 was forgotten: deleted long ago.",
    ),
    "a deletion that was written": (
        Decision(kind="written", at=AT, pair=3, system=System.MARKETO, record="7", write=9, outcome="delete done"),
        "Tandem wrote the record to Marketo (write 9): the system took it.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("decision", "told"), CASES.values(), ids=CASES)
def test_each_decision_is_a_sentence(decision: Decision, told: str) -> None:
    assert sentence(decision) == told


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_its_sentence(verdict: Verdict) -> None:
    assert sentence(judged(verdict, value="x", agreed="y")).endswith(".")


def test_values_with_braces_are_told_as_they_are() -> None:
    assert "“{name}”" in sentence(judged(Verdict.ACCEPTED, value="{name}", agreed="{name}"))


def test_decisions_about_other_fields_are_left_out() -> None:
    assert list(chapters_of(1, judged(Verdict.ACCEPTED, field="phone"), "title")) == []


def test_a_chapter_carries_what_programs_need() -> None:
    decision = judged(Verdict.WON, value="CTO", agreed="CTO", version=5, lost="CEO", rule="marketo@1", reason="marketo wins")
    (chapter,) = chapters_of(12, decision, "title")
    assert chapter == Chapter(
        decision=12,
        at=AT + 40,
        happened_at=AT,
        system="marketo",
        kind="judged",
        verdict="won",
        sentence=chapter.sentence,
        plain=chapter.plain,
        value="CTO",
        agreed="CTO",
        lost="CEO",
        version=5,
        rule="marketo@1",
        reason="marketo wins",
        author="eva@example.com",
        call="r#1",
        field="title",
    )


def test_long_text_is_shortened() -> None:
    assert quoted("x" * 500) == f"“{'x' * 120}… (500 characters)”"


def test_times_are_the_readers_and_say_whose() -> None:
    assert moment(AT, ZoneInfo("Europe/Berlin")) == "2023-11-14 23:13:20 CET"
    assert moment(AT, ZoneInfo("America/Chicago")) == "2023-11-14 16:13:20 CST"
    assert time_of_day(AT, AT + 3_600_000, UTC) == "22:13 UTC"
    assert time_of_day(AT, AT + 3_600_000, ZoneInfo("Europe/Berlin")) == "2023-11-14 23:13 CET"


def test_times_are_those_of_the_machine_unless_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert moment(AT) == "2023-11-15 07:13:20 JST"
    finally:
        monkeypatch.undo()
        time.tzset()


EVA = "Eva Example"
PEOPLE = {"eva@example.com": EVA}
PLAIN = {
    "accepted": f"{EVA} changed it to “CEO” in Marketo.",
    "cleared": f"{EVA} changed it to blank in Marketo.",
    "same": f"{EVA} changed it to “CEO” in Marketo, as Salesforce has it.",
    "won": (
        f"{EVA} changed it to “CTO” in Marketo while it was “CEO” in Salesforce, and nobody had seen both. “CTO” stands: Marketo wins."
    ),
    "lost": (
        f"{EVA} changed it to “CTO” in Marketo while it was “CEO” in Salesforce, and nobody had seen both. "
        "“CEO” stands: Salesforce wins; Marketo gets it back."
    ),
    "review": (
        f"{EVA} changed it to “CTO” in Marketo while it was “CEO” in Salesforce, and nobody had seen both. "
        "A person has to decide: a person's decision."
    ),
    "echo": "",
    "echo of another make": "Marketo stores “ceo” for it.",
    "put back": f"{EVA} changed it to 1 in Marketo, where this field is only received. true is put back.",
    "left": f"{EVA} changed it to “x” in Marketo. It stays so there alone: one way.",
    "read": "",
    "superseded": "",
    "waiting": "",
    "unusable": "Marketo told a value that can't be used: not a number. It stays 5.",
    "contested": (
        f"{EVA} changed it to “x” in Marketo. Something keeps undoing this, so the field is held: contested: Marketo undoes our write."
    ),
    "the whole record": f"{EVA} deleted the record in Marketo.",
    "a written field": "Tandem wrote “CEO” to Salesforce.",
    "a refused field": "Salesforce refused “CEO”: STRING_TOO_LONG.",
    "in doubt": "Tandem sent blank to Marketo, and no answer came; it finds out whether it arrived.",
    "a record that was linked": "Marketo's record was found to be the same person: by e-mail.",
    "somebody who is asked for": ("The person is wanted in Salesforce, whatever the rule says: push, asked for by tandem person (fair)."),
    "a record that was forgotten": "Marketo's record was forgotten: deleted long ago.",
    "a pair that is held": "The person is held: ambiguous match.",
    "a deletion that was written": "Tandem deleted the record in Marketo.",
}


@pytest.mark.parametrize("name", CASES)
def test_marketing_is_told_without_versions_echoes_and_ids(name: str) -> None:
    decision, _ = CASES[name]
    (chapter,) = chapters_of(1, decision, "title", PEOPLE)
    assert chapter.plain == PLAIN[name]


def test_the_value_of_a_new_record_was_entered() -> None:
    made = Origin(topic="t", partition=0, offset=1, source="cdc", kind=Happened.CREATED, at=AT, author="eva@example.com")
    (chapter,) = chapters_of(1, judged(Verdict.ACCEPTED, event=made, value="CEO", agreed="CEO"), "title", PEOPLE)
    assert chapter.plain == f"{EVA} entered “CEO” in Marketo."


def test_a_story_goes_in_the_order_in_which_things_happened_not_in_that_of_their_telling() -> None:
    def changed(value: str, at: int) -> Decision:
        origin = Origin(topic="t", partition=0, offset=1, source="activities", kind=Happened.UPDATED, at=at, author="005A")
        return judged(Verdict.ACCEPTED, event=origin, value=value, agreed=value)

    written = Decision(kind="written", at=AT + 700, pair=3, system=System.SALESFORCE, record="00Q", outcome="update done")
    late, second, first = (9, changed("late", AT - 60_000)), (8, written), (7, changed("first", AT))
    told = story([late, second, first], "title", most=10)
    assert [each.decision for each in told] == [9, 7, 8]
    assert [each.decision for each in story([late, second, first], "title", most=2)] == [9, 8]
    assert authors([[late, second, first]]) == {"005A"}


MAPPING = ObjectMapping(
    object=LEAD,
    fields=(
        FieldMapping(
            key="leadStatus",
            salesforce="Status",
            marketo="leadStatus",
            type=FieldType.PICKLIST,
            direction=Direction.BOTH,
            rule=Rule(name=RuleName.MARKETO, default=System.MARKETO),
        ),
    ),
)


@pytest.mark.parametrize("name", ["leadStatus", "LEADSTATUS", "Status", "status"])
def test_a_field_may_be_named_as_on_either_side(name: str) -> None:
    assert field_key(MAPPING, name) == "leadStatus"


@pytest.mark.parametrize(("name", "hint"), [("staus", "did you mean leadStatus?"), ("zzz", "mapped are: leadStatus")])
def test_an_unknown_field_is_answered_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(
        UnknownField, match=f"{name} is not a mapped field of a lead, so that no change of it is passed on; {hint}".replace("?", r"\?")
    ):
        field_key(MAPPING, name)
