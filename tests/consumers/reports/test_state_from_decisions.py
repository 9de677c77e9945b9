"""What a pair was at any moment, by its decisions alone; and what keeps a change back beside the record itself."""

from collections.abc import Sequence

from consumers.configuration.mapping.defaults import build
from consumers.merge.pair.decision import Decision, Origin, Ruling, Verdict
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.reports.records.derived import Difference, Showed, Then, agreements, differences, then
from consumers.reports.records.now import as_it_was, now_in_all
from consumers.reports.records.obstacles import Obstacles, kept_back
from consumers.reports.records.record import shown
from consumers.reports.records.story import story
from streams.wire.events import Happened, Value
from streams.wire.systems import LEAD, System
from tests.consumers.configuration.test_default_mapping import SETTINGS

SF, MK = System.SALESFORCE, System.MARKETO
AT = 1_800_000_000_000


def judged(at: int, system: System, verdict: Verdict, value: Value, agreed: Value, version: int, **more: str) -> Decision:  # noqa: PLR0917
    ruling = Ruling(field=more.pop("field", "title"), verdict=verdict, value=value, agreed=agreed, version=version, **more)
    event = Origin(topic="t", partition=0, offset=at, kind=Happened.UPDATED, at=AT + at)
    return Decision(kind="judged", at=AT + at, pair=3, system=system, record={SF: "00Q", MK: "7"}[system], event=event, fields=(ruling,))


def written(at: int, system: System, value: Value, version: int, outcome: str = "update confirmed", *, call: str = "") -> Decision:
    ruling = Ruling(field="title", verdict=Verdict.ACCEPTED, value=value, version=version)
    return Decision(
        kind="written", at=AT + at, pair=3, system=system, record="7", fields=(ruling,), write=12, outcome=outcome, call=call
    )  # fmt: skip


HISTORY: Sequence[tuple[int, Decision]] = list(
    enumerate(
        [
            judged(1, SF, Verdict.ACCEPTED, "CEO", "CEO", 1),
            judged(2, MK, Verdict.SAME, "CEO", "CEO", 1),
            judged(3, SF, Verdict.ACCEPTED, "CTO", "CTO", 2),
            judged(4, MK, Verdict.LOST, "Boss", "CTO", 2, reason="salesforce wins", rule="salesforce@1"),
            judged(5, MK, Verdict.SUPERSEDED, "Old", "CTO", 2),
            written(6, MK, "CTO", 2, call="14a#7"),
            judged(7, MK, Verdict.ECHO, "CTO", "CTO", 2),
        ]
    )
)


def as_of(at: int) -> Then:
    return then((number, decision) for number, decision in HISTORY if decision.at <= AT + at)


def test_what_was_agreed_and_shown_at_each_moment() -> None:
    seen = []
    for at in range(1, 8):
        field = as_of(at).fields["title"]
        assert field.agreed is not None
        seen.append((field.agreed.value, field.agreed.version, *(side and side.value for side in (field.salesforce, field.marketo))))
    assert seen == [
        ("CEO", 1, "CEO", None),
        ("CEO", 1, "CEO", "CEO"),
        ("CTO", 2, "CTO", "CEO"),
        ("CTO", 2, "CTO", "Boss"),
        ("CTO", 2, "CTO", "Boss"),
        ("CTO", 2, "CTO", "CTO"),
        ("CTO", 2, "CTO", "CTO"),
    ]
    assert as_of(7).records == {SF: "00Q", MK: "7"}


def test_an_agreement_stands_since_the_decision_that_made_it() -> None:
    agreed = as_of(7).fields["title"].agreed
    assert agreed is not None
    assert (agreed.decision, agreed.at) == (2, AT + 3)


def test_a_write_that_was_refused_shows_nothing() -> None:
    told = then([*enumerate([decision for _, decision in HISTORY[:4]]), (9, written(8, MK, "CTO", 2, "update rejected"))])
    assert told.fields["title"].marketo == Showed(value="Boss", at=AT + 4)


def test_a_deletion_stands_until_the_record_is_back() -> None:
    gone = judged(8, SF, Verdict.ACCEPTED, None, None, 0, field="*", reason="deleted in salesforce")
    back = Decision(
        kind="judged", at=AT + 9, pair=3, system=SF, record="00Q",
        event=Origin(topic="t", partition=0, offset=1, kind=Happened.UNDELETED), fields=(),
    )  # fmt: skip
    assert then([(8, gone)]).deleted == (SF,)
    assert then([(8, gone), (9, back)]).deleted == ()


def test_a_pair_is_held_from_the_review_to_the_next_write() -> None:
    review = judged(8, SF, Verdict.REVIEW, None, None, 0, field="*", reason="ambiguous match: two")
    after = judged(9, SF, Verdict.ACCEPTED, "CFO", "CFO", 3)
    assert then([(8, review), (9, after)]).hold == "ambiguous match: two"
    assert then([(8, review), (9, after), (10, written(10, MK, "CFO", 3))]).hold == ""


def test_the_difference_between_two_moments() -> None:
    assert differences(as_of(2), as_of(4)) == (
        Difference(field="title", what="agreed", before="CEO", after="CTO"),
        Difference(field="title", what="salesforce", before="CEO", after="CTO"),
        Difference(field="title", what="marketo", before="CEO", after="Boss"),
    )
    assert differences(as_of(6), as_of(7)) == ()


def test_no_agreement_comes_from_what_was_passed_over_or_written() -> None:
    assert [number for number, decision in HISTORY if any(agreements(number, decision))] == [0, 1, 2, 3, 6]


def test_a_chapter_says_what_each_side_showed_before() -> None:
    chapters = story([*reversed(HISTORY)], "title", most=50)
    assert [each.before for each in chapters][:4] == [
        {},
        {"salesforce": "CEO"},
        {"salesforce": "CEO", "marketo": "CEO"},
        {"salesforce": "CTO", "marketo": "CEO"},
    ]


def test_a_write_is_told_with_the_systems_own_name_of_the_call() -> None:
    (chapter,) = story([(5, written(6, MK, "CTO", 2, call="14a#7"))], "title", most=5)
    assert chapter.sentence == "Tandem wrote “CTO” to Marketo (write 12, request 14a#7): the system took it."
    assert chapter.call == "14a#7"


def test_of_a_whole_record_every_field_is_told() -> None:
    other = judged(8, MK, Verdict.ACCEPTED, "123", "123", 1, field="phone")
    chapters = story([(8, other), (2, HISTORY[2][1])], None, most=50)
    assert [each.field for each in chapters] == ["title", "phone"]


def test_the_sentence_of_a_moment() -> None:
    assert as_it_was(as_of(4), "title") == ("Then: “CTO” was agreed, version 2; Salesforce showed “CTO”, Marketo showed “Boss”.",)
    assert as_it_was(Then(), "title") == ("Then: nothing was known of it, or the decisions of that time have been let go.",)
    assert as_it_was(as_of(4), "phone") == ("Then: nothing had been told of it yet, as far as the decisions are kept.",)


def owed() -> PairState:
    title = Field(value="CTO", version=2, salesforce=Side(seen="CTO", shows=2), marketo=Side(seen="CEO", shows=1))
    return PairState(object=LEAD, fields={"title": title}, salesforce=Record(id="00Q"), marketo=Record(id="7"))


def test_what_waits_for_calls_says_so_and_what_is_in_step_does_not() -> None:
    record = shown(3, owed(), build(SETTINGS), {})
    short = Obstacles(calls={MK: "Marketo's calls of the day are used up"}, hidden={})
    assert kept_back(record, "title", short) == ("Now: it waits, since Marketo's calls of the day are used up.",)
    assert kept_back(record, "phone", short) == ()
    assert kept_back(record, "title", Obstacles(calls={SF: "Salesforce takes no calls"}, hidden={})) == ()


def test_a_field_that_is_hidden_says_since_when() -> None:
    record = shown(3, owed(), build(SETTINGS), {})
    (told,) = kept_back(record, "title", Obstacles(calls={}, hidden={(LEAD, SF, "title"): AT}))
    assert told.startswith("Now: Salesforce shows no title since ")


def test_all_that_is_not_in_step_is_told_of_a_record() -> None:
    assert now_in_all(shown(3, owed(), build(SETTINGS), {})) == ("title: Now: Marketo has “CEO” and is owed “CTO”.",)
