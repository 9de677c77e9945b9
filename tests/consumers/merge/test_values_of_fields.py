"""Values: one shape for both systems, one form to compare, and what each system can be sent."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.mapping.fields import Direction, FieldMapping, FieldType, Overlong, Rule, RuleName
from consumers.merge.edits.values import NOBODY, Unfit, blank, canonical, choices, equal, neutral, wire
from streams.wire.events import Value
from streams.wire.systems import System


def mapping(kind: FieldType, **changes: Any) -> FieldMapping:
    made: dict[str, Any] = {"key": "x", "salesforce": "X__c", "marketo": "x", "type": kind, "direction": Direction.BOTH}
    return FieldMapping(**made, rule=Rule(name=RuleName.MARKETO, default=System.MARKETO), **changes)


F = FieldType
TEXTS = st.text(max_size=12)
WIRES: dict[FieldType, st.SearchStrategy[Any]] = {
    F.TEXT: TEXTS,
    F.EMAIL: st.emails(),
    F.PHONE: TEXTS,
    F.URL: TEXTS,
    F.NUMBER: st.one_of(st.integers(-(10**12), 10**12), st.floats(-1e12, 1e12), st.integers(-999, 999).map(str)),
    F.CURRENCY: st.decimals(-(10**9), 10**9, places=2).map(float),
    F.PERCENT: st.floats(0, 100),
    F.BOOLEAN: st.sampled_from([True, False, "true", "false", 1, 0, None, ""]),
    F.DATE: st.dates().map(str),
    F.DATETIME: st.datetimes(timezones=st.timezones()).filter(lambda moment: 1 < moment.year < 9999).map(lambda moment: moment.isoformat()),
    F.PICKLIST: TEXTS,
    F.MULTIPICKLIST: st.lists(st.text("abc ", min_size=1, max_size=3), max_size=4).map(";".join),
    F.REFERENCE: st.text("abcDEF019", min_size=18, max_size=18) | st.sampled_from([NOBODY, ""]),
    F.OWNER: st.sampled_from(["005", "00G"]).flatmap(lambda prefix: st.text("abcDEF019", min_size=15, max_size=15).map(prefix.__add__)),
}
TYPED = st.sampled_from(list(F)).flatmap(lambda kind: WIRES[kind].map(lambda value: (kind, value)))


@given(TYPED)
def test_the_neutral_shape_is_stable_and_means_the_same(typed: tuple[FieldType, Any]) -> None:
    kind, told = typed
    once = neutral(kind, told)
    assert neutral(kind, once) == once
    assert isinstance(once, str | int | float | bool | None)
    assert equal(mapping(kind), once, neutral(kind, once))


@given(TYPED, st.sampled_from(System))
def test_what_is_sent_and_told_back_is_equal(typed: tuple[FieldType, Any], system: System) -> None:
    kind, told = typed
    value = neutral(kind, told)
    item = mapping(kind)
    try:
        sent = wire(item, system, value)
    except Unfit:
        assert kind is F.EMAIL
        return
    assert equal(item, neutral(kind, sent), value)


def test_a_queue_owns_as_nobody_does() -> None:
    user, queue = "005000000000001AAA", "00G000000000001AAA"
    assert [neutral(F.OWNER, each) for each in (user, queue, "", None)] == [user, None, None, None]
    assert equal(mapping(F.OWNER), None, queue)


def test_who_stands_for_nobody_is_nobody() -> None:
    item = replace(mapping(F.REFERENCE), placeholder=True)
    assert (wire(item, System.MARKETO, None), wire(item, System.SALESFORCE, None)) == (NOBODY, None)
    assert neutral(F.REFERENCE, NOBODY) is None
    assert equal(item, NOBODY, None)
    assert not equal(item, NOBODY, "001000000000001AAA")


@given(TYPED)
def test_equality_is_that_of_the_canonical_form_and_keeps_its_laws(typed: tuple[FieldType, Any]) -> None:
    kind, told = typed
    item, value = mapping(kind), neutral(kind, told)
    form = canonical(item, value)
    if isinstance(form, str):
        assert canonical(item, form) == form
    assert equal(item, value, value)
    assert hash(form) == hash(canonical(item, value))


SAME: list[tuple[FieldType, Any, Any]] = [
    # Salesforce, Marketo
    (F.TEXT, "Zoë ", "Zoe\u0308"),
    (F.TEXT, "a\r\nb", "a\nb"),
    (F.TEXT, "", None),
    (F.TEXT, "   ", None),
    (F.EMAIL, "Ada@Example.com", "ada@example.com"),
    (F.NUMBER, 12, 12.0),
    (F.NUMBER, "1,234.50", 1234.5),
    (F.CURRENCY, 0.1 + 0.2, 0.3),
    (F.BOOLEAN, None, False),
    (F.BOOLEAN, True, "true"),
    (F.DATE, "2026-02-03", "2026-02-03T00:00:00Z"),
    (F.DATETIME, "2026-02-03T04:05:06.789+0000", "2026-02-03T04:05:06Z"),
    (F.DATETIME, "2026-02-03T05:05:06+01:00", "2026-02-03T04:05:06Z"),
    (F.DATETIME, "2026-02-03T04:05:06Z+0000", "2026-02-03T04:05:06Z"),
    (F.MULTIPICKLIST, "b; a", "a;b"),
]
OTHER: list[tuple[FieldType, Any, Any]] = [
    (F.TEXT, "ada", "Ada"),
    (F.TEXT, "0", None),
    (F.NUMBER, 0, None),
    (F.BOOLEAN, True, None),
    (F.PICKLIST, "Open", "open"),
    (F.MULTIPICKLIST, "a;b", "a"),
]


@pytest.mark.parametrize(("kind", "one", "other"), SAME)
def test_both_systems_mean_the_same(kind: FieldType, one: Any, other: Any) -> None:
    assert equal(mapping(kind), neutral(kind, one), neutral(kind, other))


@pytest.mark.parametrize(("kind", "one", "other"), OTHER)
def test_they_mean_different_things(kind: FieldType, one: Any, other: Any) -> None:
    assert not equal(mapping(kind), neutral(kind, one), neutral(kind, other))


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (F.NUMBER, "many"),
        (F.NUMBER, "NaN"),
        (F.NUMBER, "Infinity"),
        (F.BOOLEAN, "perhaps"),
        (F.DATE, "yesterday"),
        (F.DATETIME, "soon"),
        (F.DATETIME, "9999-12-31T23:00:00-05:00"),
        (F.TEXT, {"street": "x"}),
        (F.TEXT, ["x"]),
    ],
)
def test_what_the_type_can_not_hold_is_refused_without_repeating_it(kind: FieldType, told: object) -> None:
    with pytest.raises(Unfit) as refused:
        neutral(kind, told)
    assert str(told) not in str(refused.value)


def test_an_unticked_box_and_an_empty_text_are_blank_and_zero_is_not() -> None:
    assert blank(mapping(F.BOOLEAN), False)
    assert blank(mapping(F.TEXT), " ")
    assert not blank(mapping(F.NUMBER), 0)


FIT: list[tuple[FieldMapping, System, Value, Value | type[Unfit]]] = [
    (mapping(F.TEXT, salesforce_length=3), System.SALESFORCE, "abc", "abc"),
    (mapping(F.TEXT, salesforce_length=3), System.SALESFORCE, "abcd", Unfit),
    (mapping(F.TEXT, salesforce_length=3), System.MARKETO, "abcd", "abcd"),
    (mapping(F.TEXT, salesforce_length=3, overlong=Overlong.CUT), System.SALESFORCE, "abcd", "abc"),
    (mapping(F.EMAIL, salesforce_length=3, overlong=Overlong.CUT), System.SALESFORCE, "abcd", Unfit),  # half an address is none
    (mapping(F.EMAIL), System.MARKETO, "zoë@example.com", Unfit),
    (mapping(F.EMAIL), System.SALESFORCE, "zoë@example.com", "zoë@example.com"),
    (mapping(F.NUMBER, scale=2), System.SALESFORCE, 1.239, 1.24),
    (mapping(F.NUMBER, scale=0), System.MARKETO, 1.6, 2),
    (mapping(F.BOOLEAN), System.SALESFORCE, None, False),
    (mapping(F.TEXT), System.SALESFORCE, None, None),
]


@pytest.mark.parametrize(("item", "system", "value", "sent"), FIT)
def test_what_a_system_is_sent(item: FieldMapping, system: System, value: Value, sent: Value | type[Unfit]) -> None:
    if sent is Unfit:
        with pytest.raises(Unfit) as refused:
            wire(item, system, value)
        assert str(value) not in str(refused.value), "reasons are shown to everyone; values are personal data"
    else:
        assert wire(item, system, value) == sent


@given(st.lists(st.text("ab ;", max_size=4), max_size=4))
def test_choices_are_trimmed_and_never_blank(parts: list[str]) -> None:
    assert all(choice == choice.strip() and choice for choice in choices(";".join(parts)))


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-9.9e17, max_value=9.9e17))
def test_numbers_survive_storage(number: float) -> None:
    assert math.isclose(float(str(neutral(F.NUMBER, number))), number, rel_tol=1e-12, abs_tol=1e-300)
