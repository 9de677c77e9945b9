"""Rows of the activity log: parsed, ordered, gathered."""

import itertools
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.marketo.sources.rows import Activity, FieldChange, Row, RowError, arrange, chain, combine, parse
from tests.streams.marketo.marketo_stub import NOW_MS, NUMBERS, OWN, SHOWN, as_activity, change, creation, merge


def row(guid: str, name: str, old: object, new: object, *, at: int = NOW_MS, lead: str = "1", call: str | None = None) -> Row:
    changes = (FieldChange(name=name, old=old, new=new),)
    return Row(guid=guid, lead=lead, at=at, type=Activity.VALUE_CHANGED, changes=changes, call=call)


def born(guid: str, lead: str = "1") -> Row:
    return Row(guid=guid, lead=lead, at=NOW_MS, type=Activity.NEW_LEAD)


def guids(rows: list[Row]) -> list[str]:
    return [each.guid for each in rows]


def test_a_row_as_marketo_sends_it() -> None:
    parsed = parse(change("g1", 775, "firstName", "Ann", "Anna", author=OWN, call="e42b#1"))
    assert parsed == Row(
        guid="g1",
        lead="775",
        at=NOW_MS,
        type=Activity.VALUE_CHANGED,
        changes=(FieldChange(name="firstName", old="Ann", new="Anna"),),
        author=OWN,
        call="e42b#1",
        origin="Web service API",
    )


@pytest.mark.parametrize("date", ["2026-03-02T10:00:00Z", "2026-03-02T10:00:00+0000", "2026-03-02T04:00:00-06:00"])
def test_dates_come_in_several_spellings(date: str) -> None:
    parsed = parse(creation("g", 1) | {"activityDate": date})
    assert parsed is not None
    assert parsed.at == NOW_MS


def test_attributes_are_found_in_any_spelling_and_empty_ones_are_none() -> None:
    raw = creation("g", 1) | {"attributes": [{"name": "modifying_user", "value": " Tandem "}, {"name": "Request Id", "value": ""}]}
    parsed = parse(raw)
    assert parsed is not None
    assert (parsed.author, parsed.call, parsed.origin) == ("Tandem", None, None)


def test_a_merge_names_its_losers() -> None:
    parsed = parse(merge("g", 9, [3, 4]))
    assert parsed is not None
    assert (parsed.lead, parsed.losers, parsed.origin) == ("9", ("3", "4"), "leaddb")


def test_a_row_without_guid_is_named_by_id_or_by_its_contents() -> None:
    raw = creation("g", 1)
    del raw["marketoGUID"]
    first, again, other = parse(raw), parse(dict(reversed(raw.items()))), parse(raw | {"leadId": 2})
    numbered = parse(raw | {"id": 77})
    assert first is not None
    assert again is not None
    assert other is not None
    assert numbered is not None
    assert first.guid == again.guid != other.guid
    assert numbered.guid == "77"


def test_other_types_are_passed_over() -> None:
    assert parse(creation("g", 1) | {"activityTypeId": 6}) is None


@pytest.mark.parametrize(
    "raw",
    [
        "text",
        None,
        {},
        creation("g", 1) | {"activityTypeId": "twelve"},
        creation("g", 1) | {"leadId": None},
        creation("g", 1) | {"leadId": "x1"},
        creation("g", 1) | {"leadId": True},
        creation("g", 1) | {"activityDate": None},
        creation("g", 1) | {"activityDate": "yesterday"},
        change("g", 1, "a", "x", "y") | {"fields": None},
        change("g", 1, "a", "x", "y") | {"fields": []},
        change("g", 1, "a", "x", "y") | {"fields": ["a"]},
        change("g", 1, "a", "x", "y") | {"fields": [{"newValue": "y"}]},
        change("g", 1, "a", "x", "y") | {"fields": [{"name": "a"}]},
        merge("g", 1, []),
        merge("g", 1, [2]) | {"attributes": [{"name": "Merge IDs", "value": "[x]"}]},
    ],
)
def test_rows_that_cannot_be_used_are_refused_with_a_reason(raw: Any) -> None:
    with pytest.raises(RowError, match=r"\w+"):
        parse(raw)


def test_order_is_by_date_then_as_it_came_and_repetitions_count_once() -> None:
    late, early = row("late", "a", "x", "y", at=NOW_MS + 1000), row("early", "a", "w", "x")
    other = row("other", "a", "x", "y", lead="2")
    assert guids(arrange([late, early, other, early])) == ["early", "other", "late"]


def test_a_creation_comes_before_the_changes_of_its_second() -> None:
    assert guids(arrange([row("g1", "a", None, "x"), born("g0")])) == ["g0", "g1"]


def test_values_that_come_back_are_chained_from_where_they_began() -> None:
    rows = [row("3", "a", "B", "C"), row("2", "a", "A", "B"), row("1", "a", "B", "A"), row("0", "a", None, "B")]
    ordered = chain(rows)
    values = [(each.changes[0].old, each.changes[0].new) for each in ordered]
    assert values[0][0] is None
    assert values[-1][1] == "C"
    assert all(one[1] == two[0] for one, two in itertools.pairwise(values))


def test_rows_that_do_not_chain_stay_as_they_came() -> None:
    assert guids(chain([row("1", "a", "C", "D"), row("2", "a", "A", "B")])) == ["1", "2"]
    assert guids(chain([row("1", "a", "A", "B"), row("2", "a", "A", "C")])) == ["1", "2"]


def test_fields_that_contradict_each_other_keep_every_row() -> None:
    def both(guid: str, a: tuple[str, str], b: tuple[str, str]) -> Row:
        changes = (FieldChange(name="a", old=a[0], new=a[1]), FieldChange(name="b", old=b[0], new=b[1]))
        return Row(guid=guid, lead="1", at=NOW_MS, type=Activity.VALUE_CHANGED, changes=changes)

    assert guids(chain([both("1", ("x", "y"), ("q", "r")), both("2", ("y", "z"), ("p", "q"))])) == ["1", "2"]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Edits of one lead in one second, as they happened, and as some feed delivers them. Values of a field don't come back."""
    current = {name: f"{name}0" for name in ("a", "b", "c")}
    happened: list[Row] = []
    for number in range(draw(st.integers(1, 8))):
        name = draw(st.sampled_from(sorted(current)))
        new = f"{name}{number + 1}"
        happened.append(row(f"g{number}", name, current[name], new, call=draw(st.sampled_from(["r1", "r2"]))))
        current[name] = new
    return happened, draw(st.permutations(happened))


@given(histories())
def test_any_permutation_within_a_second_is_put_right_where_values_chain(history: tuple[list[Row], list[Row]]) -> None:
    happened, delivered = history
    ordered = chain(delivered)
    assert sorted(guids(ordered)) == sorted(guids(happened))
    for name in ("a", "b", "c"):
        assert [each.guid for each in ordered if each.changes[0].name == name] == [
            each.guid for each in happened if each.changes[0].name == name
        ]
    assert guids(chain(ordered)) == guids(ordered)


@given(values=st.lists(st.sampled_from("xyz"), min_size=2, max_size=9), data=st.data())
def test_values_that_return_still_make_one_chain(values: list[str], data: st.DataObject) -> None:
    assume(values[0] != values[-1])
    edges = [row(f"g{number}", "a", old, new) for number, (old, new) in enumerate(itertools.pairwise(values))]
    ordered = chain(data.draw(st.permutations(edges)))
    assert sorted(guids(ordered)) == sorted(guids(edges))
    steps = [(each.changes[0].old, each.changes[0].new) for each in ordered]
    assert steps[0][0] == values[0]
    assert steps[-1][1] == values[-1]
    assert all(one[1] == two[0] for one, two in itertools.pairwise(steps))


def test_neighbours_of_one_call_with_different_fields_are_one_change() -> None:
    rows = [row("1", "a", "x", "y", call="r1"), row("2", "b", "x", "y", call="r1"), row("3", "a", "y", "z", call="r1")]
    assert [[each.guid for each in group] for group in combine(rows)] == [["1", "2"], ["3"]]


@pytest.mark.parametrize(
    "other",
    [
        row("2", "b", "x", "y", call="r2"),
        row("2", "b", "x", "y", call="r1", lead="2"),
        row("2", "b", "x", "y", call="r1", at=NOW_MS + 1000),
        born("2"),
    ],
)
def test_changes_of_another_call_lead_second_or_kind_stay_apart(other: Row) -> None:
    assert len(combine([row("1", "a", "x", "y", call="r1"), other])) == 2


def test_rows_of_one_call_that_a_feed_mixed_with_another_are_brought_together() -> None:
    mixed = [row("1", "a", "x", "y", call="r1"), row("2", "b", "p", "q", call="r2"), row("3", "c", "x", "y", call="r1")]
    assert [[each.guid for each in group] for group in combine(arrange(mixed))] == [["1", "3"], ["2"]]


def test_a_change_is_the_same_in_both_shapes_and_other_fields_are_passed_over() -> None:
    told = change("g1", 7, "leadScore", "1", None, author=OWN, call="r#1")
    shown = as_activity(told)
    assert parse(shown, SHOWN) == parse(told)
    by_label = {**shown, "primaryAttributeValueId": None}
    assert parse(by_label, {"The leadScore": "leadScore"}) == parse(told)
    assert parse(shown, {NUMBERS["firstName"]: "firstName"}) is None
    ways: list[dict[str, Any]] = [{"primaryAttributeValueId": None, "primaryAttributeValue": None}, {"attributes": []}]
    for broken in ways:
        with pytest.raises(RowError, match="field"):
            parse({**shown, **broken}, SHOWN)
