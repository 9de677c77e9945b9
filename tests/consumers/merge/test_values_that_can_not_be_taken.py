"""A value that no field can take is refused for itself, with its value; what was agreed stands, and the next value is taken."""

import json

import pytest

from consumers.mapping.fields import FieldType
from consumers.merge.edits.values import Unfit, neutral, wire
from consumers.merge.events.fold import fold
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import pack, unpack
from consumers.merge.writing.plan import plan
from consumers.reports.records.record import Mark, shown
from streams.wire.codec import decode, encode
from streams.wire.events import Value
from streams.wire.systems import System
from tests.consumers.merge.person_pair import MK, SF, T, agreed, event, mapped, paired, reading, rules, terms

HUGE: list[Value] = [98765432109876543210987, "98765432109876543210987", 9.8765432109876e22, -1e18, 10**18, "1e999999999", "9" * 500]
NAMES = {SF: "Score__c", MK: "leadScore"}
TERMS = terms()


def after(state: PairState, system: System, value: Value, at: int, before: Value = None) -> tuple[PairState, list[str]]:
    told = event(system, {NAMES[system]: value, ("Title" if system is SF else "title"): f"b{at}"}, at)
    state, rulings = fold(state, decode(encode(told)), TERMS, T)
    return unpack(pack(state)), [ruling.verdict for ruling in rulings]


@pytest.mark.parametrize("kind", [FieldType.NUMBER, FieldType.CURRENCY, FieldType.PERCENT])
@pytest.mark.parametrize("value", [*HUGE, float("inf"), float("nan")])
def test_no_number_beyond_the_bound_passes_the_border(kind: FieldType, value: Value) -> None:
    with pytest.raises(Unfit):
        neutral(kind, value)


@pytest.mark.parametrize("value", [10**18 - 1, -(10**18) + 1, 1e17, "123456789012345678", "0.000000000000000001"])
def test_numbers_within_it_do(value: Value) -> None:
    assert isinstance(neutral(FieldType.NUMBER, value), int | float)


@pytest.mark.parametrize("scale", [None, 0, 2])
@pytest.mark.parametrize("value", [9.8e22, 10**18])
def test_a_number_of_an_earlier_version_is_refused_where_it_is_written(scale: int | None, value: float) -> None:
    item = mapped("annualRevenue", "AnnualRevenue", FieldType.CURRENCY, scale=scale)
    with pytest.raises(Unfit):
        wire(item, SF, value)


@pytest.mark.parametrize("system", [SF, MK])
@pytest.mark.parametrize("value", HUGE)
def test_the_field_alone_is_refused_and_shown_with_its_value(system: System, value: Value) -> None:
    state, verdicts = after(paired(), system, value, T + 9_000)
    assert verdicts == [Verdict.UNUSABLE, Verdict.ACCEPTED]
    assert (state.fields["leadScore"].value, state.fields["title"].value) == (10, f"b{T + 9_000}")
    field = next(each for each in shown(1, state, rules(), {}).fields if each.field == "leadScore")
    side = field.salesforce if system is SF else field.marketo
    assert side.mark is Mark.REFUSED
    assert str(value)[:8] in side.why
    assert len(side.why) < 250
    outs = plan(state, system.other, rules(), exact=True)
    assert [out.key for out in getattr(outs, "fields", ())] == ["title"]


@pytest.mark.parametrize("system", [SF, MK])
def test_the_next_value_is_taken_though_the_one_before_it_could_not(system: System) -> None:
    state, _ = after(paired(), system, HUGE[0], T + 9_000)
    told = event(system, {NAMES[system]: 12}, T + 19_000, before=None if system is SF else {"leadScore": HUGE[0]})
    state, rulings = fold(state, decode(encode(told)), TERMS, T)
    assert [ruling.verdict for ruling in rulings] == [Verdict.ACCEPTED]
    assert (state.fields["leadScore"].value, state.fields["leadScore"].side(system).unusable) == (12, "")


@pytest.mark.parametrize("system", [SF, MK])
def test_a_reading_with_such_a_value_tells_the_other_fields(system: System) -> None:
    row: dict[str, Value] = (
        {"Email": "ada@example.com", "LastName": "Lovelace", "Title": "z", "Score__c": HUGE[0]}
        if system is SF
        else {"email": "ada@example.com", "lastName": "Lovelace", "title": "z", "leadScore": HUGE[0]}
    )
    state, rulings = fold(paired(), decode(encode(reading(system, row))), TERMS, T)
    assert state.fields["title"].value == "z"
    assert state.fields["leadScore"].side(system).unusable
    assert {ruling.value for ruling in rulings if ruling.verdict is Verdict.UNUSABLE} == {str(HUGE[0])}
    pack(state)


def test_a_change_of_a_stranger_with_such_a_value_can_be_kept_until_it_is_known() -> None:
    stranger = PairState().with_record(SF, paired().salesforce.__class__(id=paired().salesforce.id))
    told = decode(json.dumps({**json.loads(encode(event(SF, {"Score__c": 1}))), "fields": {"Score__c": HUGE[0]}}).encode())
    state, rulings = fold(stranger, told, TERMS, T)
    assert rulings[0].verdict is Verdict.WAITING
    pack(state)


def test_sums_stay_within_the_bound() -> None:
    state = paired(leadScore=agreed(9 * 10**17))
    state, _ = after(state, SF, 9 * 10**17 + 5_000, T + 9_000)
    told = event(MK, {"leadScore": 10**18 - 1}, T + 19_000)
    state, rulings = fold(state, told, TERMS, T)
    assert rulings[0].verdict is Verdict.UNUSABLE
    pack(state)
