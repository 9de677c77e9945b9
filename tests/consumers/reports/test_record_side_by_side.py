"""How both sides and the agreement are shown: each difference with its reason."""

import io
from typing import Any

import pytest
from rich.console import Console

from consumers.cli.text.looking.record import print_record
from consumers.mapping.fields import (
    Clause,
    Direction,
    FieldMapping,
    FieldType,
    ObjectMapping,
    Qualification,
    Rule,
    RuleName,
    SyncRules,
)
from consumers.merge.pair.state import NEVER, Field, PairState, Record, Side, Write
from consumers.reports.records.now import now
from consumers.reports.records.record import FieldShown, Live, Mark, RecordShown, SideShown, fields_to_read, shown, wins
from streams.wire.events import Value
from streams.wire.systems import LEAD, Object, System

RULE = Rule(name=RuleName.MARKETO, default=System.MARKETO)


def mapped(key: str, **changes: Any) -> FieldMapping:
    made: dict[str, Any] = {
        "key": key,
        "salesforce": key.title(),
        "marketo": key,
        "type": FieldType.TEXT,
        "direction": Direction.BOTH,
        "rule": RULE,
    }
    return FieldMapping(**made | changes)


BOTH = mapped("title")


def rules(field: FieldMapping, qualification: Qualification | None = None) -> SyncRules:
    mapping = ObjectMapping(object=LEAD, fields=(field,))
    return SyncRules(objects={LEAD: mapping}, qualification=qualification or Qualification())


def pair(field: Field, **changes: Any) -> PairState:
    made: dict[str, Any] = {
        "fields": {"title": field},
        "salesforce": Record(id="00Q000000000001AAA", complete=True),
        "marketo": Record(id="7", complete=True),
    }
    return PairState(**made | changes)


WRITE = Write(id=1000, version=2, value="new", sent=1, look_at=2)
AGREED: dict[str, Any] = {"value": "new", "version": 2}
SEEN_OLD: dict[str, Any] = {"seen": "old", "shows": 1}

CASES: dict[str, tuple[FieldMapping, Field, tuple[Mark, str]]] = {
    "in step": (BOTH, Field(**AGREED, marketo=Side(seen="new", shows=2)), (Mark.SAME, "")),
    "owed": (BOTH, Field(**AGREED, marketo=Side(**SEEN_OLD)), (Mark.OWED, "owed: shows version 1, agreed is 2")),
    "lost": (BOTH, Field(**AGREED, marketo=Side(seen="mine", shows=NEVER)), (Mark.LOST, "its value lost; the agreement is owed")),
    "not met": (BOTH, Field(**AGREED, marketo=Side(known=False, shows=NEVER)), (Mark.OWED, "not met yet")),
    "waits for its parent": (
        BOTH,
        Field(**AGREED, marketo=Side(**SEEN_OLD, refused=2, reason="waits for account 001, which is not in Marketo yet")),
        (Mark.WAITS, "waits for account 001, which is not in Marketo yet"),
    ),
    "under way": (
        BOTH,
        Field(**AGREED, marketo=Side(**SEEN_OLD, writes=(WRITE,))),
        (Mark.UNDER_WAY, "written; its feed has not shown it yet"),
    ),
    "refused": (
        BOTH,
        Field(**AGREED, marketo=Side(**SEEN_OLD, refused=2, reason="1077 too long")),
        (Mark.REFUSED, "1077 too long"),
    ),
    "refused before, owed anew": (
        BOTH,
        Field(**AGREED, marketo=Side(**SEEN_OLD, refused=1, reason="1077 too long")),
        (Mark.OWED, "owed: shows version 1, agreed is 2"),
    ),
    "altered by the system": (
        BOTH,
        Field(**AGREED, marketo=Side(seen="NEW!", shows=2, learnt=True, sent="new", shown="NEW!")),
        (Mark.ALTERED, "Marketo stores “NEW!” for “new”"),
    ),
    "held": (
        BOTH,
        Field(**AGREED, marketo=Side(seen="mine", shows=NEVER), hold="review: a person decides"),
        (Mark.HELD, "review: a person decides"),
    ),
    "one-way, left": (
        mapped("title", direction=Direction.TO_SALESFORCE),
        Field(**AGREED, marketo=Side(seen="own", shows=2)),
        (Mark.LEFT, "to_salesforce: a value of marketo's own"),
    ),
    "one-way, not written": (
        mapped("title", direction=Direction.TO_SALESFORCE),
        Field(**AGREED, marketo=Side(**SEEN_OLD)),
        (Mark.LEFT, "to_salesforce: marketo is not written to"),
    ),
}


@pytest.mark.parametrize(("field", "state", "expected"), CASES.values(), ids=CASES)
def test_how_a_side_stands(field: FieldMapping, state: Field, expected: tuple[Mark, str]) -> None:
    told = shown(1, pair(state), rules(field), {}).fields[0]
    assert (told.marketo.mark, told.marketo.why) == expected
    assert told.agreed == "new"


def live(marketo: str | None) -> Live:
    return {System.MARKETO: {"title": marketo}}


def test_what_the_system_shows_now_goes_before_what_its_feed_told() -> None:
    state = pair(Field(**AGREED, salesforce=Side(seen="new", shows=2), marketo=Side(seen="new", shows=2)))
    assert shown(1, state, rules(BOTH), live("newer")).fields[0].marketo == SideShown(
        value="newer", mark=Mark.NEWS, why="changed in marketo; its feed has not told yet"
    )
    assert shown(1, state, rules(BOTH), live(" new ")).fields[0].marketo.mark is Mark.SAME
    owed = pair(Field(**AGREED, salesforce=Side(seen="new", shows=2), marketo=Side(**SEEN_OLD)))
    assert shown(1, owed, rules(BOTH), live("new")).fields[0].marketo.mark is Mark.OWED


def test_only_what_is_not_in_step_counts_as_a_difference() -> None:
    same = Side(seen="new", shows=2)
    assert shown(1, pair(Field(**AGREED, salesforce=same, marketo=same)), rules(BOTH), {}).differences == 0
    assert shown(1, pair(Field(**AGREED, salesforce=same, marketo=Side(**SEEN_OLD))), rules(BOTH), {}).differences == 1
    assert shown(1, pair(Field(**AGREED, salesforce=same), marketo=Record()), rules(BOTH), {}).differences == 0
    altered = Side(seen="NEW!", shows=2, learnt=True, sent="new", shown="NEW!")
    (told,) = shown(1, pair(Field(**AGREED, salesforce=same, marketo=altered)), rules(BOTH), {}).fields
    assert (told.differs, told.of_interest) == (False, True)


@pytest.mark.parametrize("name", RuleName)
def test_every_rule_has_its_words(name: RuleName) -> None:
    assert wins(Rule(name=name, default=System.MARKETO))


NOW: dict[str, tuple[PairState, str]] = {
    "in step": (
        pair(Field(**AGREED, salesforce=Side(seen="new", shows=2), marketo=Side(seen="new", shows=2))),
        "Now: “new” on both sides.",
    ),
    "refused": (
        pair(Field(**AGREED, salesforce=Side(**SEEN_OLD, refused=2, reason="200 of 128"), marketo=Side(seen="new", shows=2))),
        "Now: refused by Salesforce: 200 of 128.",
    ),
    "owed": (
        pair(Field(**AGREED, salesforce=Side(seen="new", shows=2), marketo=Side(**SEEN_OLD))),
        "Now: Marketo has “old” and is owed “new”.",
    ),
    "altered": (
        pair(Field(**AGREED, salesforce=Side(seen="new", shows=2), marketo=Side(seen="N", shows=2, learnt=True, sent="new", shown="N"))),
        "Now: “new” is agreed; Marketo stores “N” for “new”.",
    ),
    "does not qualify": (
        pair(Field(**AGREED, marketo=Side(seen="new", shows=2)), salesforce=Record()),
        "Not sent to Salesforce: the person does not qualify (people.qualify).",
    ),
    "may not be created": (
        pair(Field(**AGREED, salesforce=Side(seen="new", shows=2)), marketo=Record(refused="1007 many")),
        "Not sent to Marketo: creation refused: 1007 many.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("state", "told"), NOW.values(), ids=NOW)
def test_a_story_ends_with_how_it_stands(state: PairState, told: str) -> None:
    assert now(shown(1, state, rules(BOTH), {}), "title") == (told,)


@pytest.mark.parametrize("mark", Mark)
def test_every_mark_has_its_sentence(mark: Mark) -> None:
    side, other = SideShown(value="x", mark=mark, why="so"), SideShown(value="y", mark=Mark.SAME)
    field = FieldShown(field="title", salesforce_name="Title", salesforce=side, agreed="y", version=1, marketo=other, rule="Marketo wins")
    record = RecordShown(
        pair=1, object="lead", person="Ada", email="", salesforce_id="00Q", marketo_id="7", salesforce_note="", marketo_note="", hold="",
        waiting=0, live=False, fields=(field,),
    )  # fmt: skip
    assert all(sentence.endswith(".") for sentence in now(record, "title"))


def test_a_record_fits_eighty_columns_and_shows_what_differs_first() -> None:
    fields = tuple(
        FieldShown(
            field=f"aRatherLongFieldName{place}",
            salesforce_name="X",
            salesforce=SideShown(
                value="Vice President of Everything " * 3,
                mark=mark,
                why="200 characters, salesforce takes at most 128" if mark is Mark.REFUSED else "",
            ),
            agreed="a",
            version=1,
            marketo=SideShown(value="b" * 90, mark=Mark.SAME),
            rule="Marketo wins",
        )
        for place, mark in enumerate([Mark.SAME, Mark.REFUSED])
    )
    record = RecordShown(
        pair=1, object="lead", person="Ada Lovelace", email="ada@example.com", salesforce_id="00Q", marketo_id="7", salesforce_note="",
        marketo_note="", hold="", waiting=0, live=True, fields=fields,
    )  # fmt: skip
    for everything in (False, True):
        out = io.StringIO()
        print_record(Console(file=out, width=80), record, everything=everything)
        lines = out.getvalue().splitlines()
        assert max(map(len, lines[1:-1])) <= 80
        words = out.getvalue()
        assert "[refused]" in words
        assert ("Name0" in words) is everything
        if everything:
            assert words.index("Name1") < words.index("Name0")


def test_a_value_that_can_not_be_read_as_its_type_is_shown_as_it_is() -> None:
    state = pair(Field(value=5, version=1, marketo=Side(seen=5, shows=1)))
    told = shown(1, state, rules(mapped("title", type=FieldType.NUMBER)), live("many")).fields[0]
    assert told.marketo.value == "many"


NOTES: dict[str, tuple[PairState, Qualification, Live, str]] = {
    "does not qualify": (
        pair(Field(), salesforce=Record()),
        Qualification(groups=((Clause(field="title", filled=True),),)),
        {},
        "not in Salesforce: the person does not qualify (people.qualify)",
    ),
    "qualifies": (pair(Field(), salesforce=Record()), Qualification(everyone=True), {}, "not created yet"),
    "refused": (
        pair(Field(), salesforce=Record(refused="REQUIRED_FIELD_MISSING")),
        Qualification(everyone=True),
        {},
        "creation refused: REQUIRED_FIELD_MISSING",
    ),
    "under way": (pair(Field(), salesforce=Record(creating=1000)), Qualification(everyone=True), {}, "creation under way"),
    "held": (
        pair(Field(), salesforce=Record(), hold="ambiguous match: 2 people"),
        Qualification(everyone=True),
        {},
        "not created: ambiguous match: 2 people",
    ),
    "deleted": (pair(Field(), salesforce=Record(id="00Q000000000001AAA", deleted=True)), Qualification(), {}, "deleted"),
    "gone": (pair(Field()), Qualification(), {System.SALESFORCE: None}, "not there any more, or not visible to Tandem's user"),
    "ours, incomplete": (
        pair(Field(), salesforce=Record(id="00Q000000000001AAA", origin="tandem", calling=2000)),
        Qualification(),
        {},
        "created by Tandem, a call is under way, to be read",
    ),
}


@pytest.mark.parametrize(("state", "qualification", "rows", "note"), NOTES.values(), ids=NOTES)
def test_how_a_record_stands(state: PairState, qualification: Qualification, rows: Live, note: str) -> None:
    assert shown(1, state, rules(BOTH, qualification), rows).salesforce_note == note


def test_the_fields_to_ask_for_are_the_mapped_ones() -> None:
    mapping = ObjectMapping(object=LEAD, fields=(BOTH, mapped("watched", salesforce="")))
    assert fields_to_read(mapping, System.SALESFORCE) == ["Title"]
    assert fields_to_read(mapping, System.MARKETO) == ["title", "watched"]


@pytest.mark.parametrize(("number", "mark"), [(1001, Mark.SAME), ("1001", Mark.SAME), (None, Mark.NEWS), ("003000000000002AAA", Mark.NEWS)])
def test_a_parent_that_marketo_names_by_its_own_number_is_no_news(number: Value, mark: Mark) -> None:
    rule = Rule(name=RuleName.SALESFORCE, default=System.SALESFORCE)
    link = FieldMapping(
        key="leadId", salesforce="ContactId", marketo="leadId", type=FieldType.REFERENCE, direction=Direction.TO_MARKETO, rule=rule,
        parent="person",
    )  # fmt: skip
    mapping = ObjectMapping(object=Object("role"), fields=(link,), kind="role", marketo=Object("role"))
    contact = "003000000000001AAA"
    field = Field(contact, 1, 0, Side(seen=contact, shows=1), Side(seen=contact, shows=1))
    state = PairState(
        Object("role"), {"leadId": field}, Record(id="00K000000000001AAA"), Record(id="guid"), counterpart=Object("role")
    )  # fmt: skip
    told = shown(1, state, SyncRules(objects={mapping.object: mapping}), {System.MARKETO: {"leadId": number}})
    assert told.fields[0].marketo.mark is mark
