"""The conflict rules alone: who wins, why, and that order of arrival does not matter to them."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.mapping.fields import Conflict, Direction, FieldMapping, FieldType, Rule, RuleName
from consumers.merge.edits.rules import Contest, decide
from streams.wire.events import Value
from streams.wire.systems import LEAD, System

SF, MK = System.SALESFORCE, System.MARKETO


def mapping(rule: Rule, kind: FieldType = FieldType.TEXT) -> FieldMapping:
    return FieldMapping(key="x", salesforce="X", marketo="x", type=kind, direction=Direction.BOTH, rule=rule)


def contest(salesforce: Value, marketo: Value, edited: System = MK, **changes: Any) -> Contest:
    times = {SF: changes.pop("salesforce_at", 1_000), MK: changes.pop("marketo_at", 2_000)}
    values = {SF: salesforce, MK: marketo}
    made: dict[str, Any] = {"edited": edited, "value": values[edited], "at": times[edited], "agreed": values[edited.other]}
    return Contest(**made, agreed_at=times[edited.other], object=LEAD, **changes)


def rule(name: RuleName, default: System = SF, **changes: Any) -> Rule:
    return Rule(name=name, default=default, **changes)


STAGES = ("New", "Open", "Won")
CASES: list[tuple[Rule, FieldType, Contest, System | None]] = [
    (rule(RuleName.SALESFORCE, MK), FieldType.TEXT, contest("s", "m"), SF),
    (rule(RuleName.MARKETO), FieldType.TEXT, contest("s", "m"), MK),
    # newest: only outside the tolerance, and only when both times are known
    (rule(RuleName.NEWEST), FieldType.TEXT, contest("s", "m", marketo_at=6_001), MK),
    (rule(RuleName.NEWEST), FieldType.TEXT, contest("s", "m", marketo_at=6_000), SF),
    (rule(RuleName.NEWEST, MK), FieldType.TEXT, contest("s", "m", salesforce_at=9_000), SF),
    (rule(RuleName.NEWEST, MK), FieldType.TEXT, contest("s", "m", salesforce_at=0), MK),
    (rule(RuleName.NON_BLANK), FieldType.TEXT, contest(None, "m"), MK),
    (rule(RuleName.NON_BLANK), FieldType.TEXT, contest(" ", "m"), MK),
    (rule(RuleName.NON_BLANK), FieldType.TEXT, contest("s", "m"), SF),
    (rule(RuleName.NON_BLANK, MK), FieldType.NUMBER, contest(0, None), SF),
    (rule(RuleName.MAX), FieldType.NUMBER, contest(2, 10), MK),
    (rule(RuleName.MAX), FieldType.DATE, contest("2026-01-02", "2025-12-31"), SF),
    (rule(RuleName.MIN), FieldType.NUMBER, contest(2, 10), SF),
    (rule(RuleName.MAX), FieldType.NUMBER, contest(None, -4), MK),
    (rule(RuleName.MIN, MK), FieldType.NUMBER, contest(None, None), MK),
    (rule(RuleName.SUM_DELTAS), FieldType.NUMBER, contest(2, 10, first_meeting=True), MK),
    (rule(RuleName.NEVER_BACKWARDS, order=STAGES), FieldType.PICKLIST, contest("open", "Won"), MK),
    (rule(RuleName.NEVER_BACKWARDS, order=STAGES), FieldType.PICKLIST, contest("Won", "New"), SF),
    (rule(RuleName.NEVER_BACKWARDS, order=STAGES), FieldType.PICKLIST, contest("Lost", "New"), MK),
    (rule(RuleName.NEVER_BACKWARDS, MK, order=STAGES), FieldType.PICKLIST, contest("Lost", "Gone"), MK),
    # an opt-out is never lifted by a conflict, whoever is the default
    *[
        (rule(RuleName.TRUE_WINS, default), FieldType.BOOLEAN, contest(*values, first_meeting=first), winner)
        for first in (False, True)
        for default in System
        for values, winner in (((True, False), SF), ((False, True), MK), ((True, None), SF), ((None, True), MK), ((False, None), default))
    ],
    (rule(RuleName.REVIEW), FieldType.TEXT, contest("s", "m"), None),
    (rule(RuleName.UNION), FieldType.MULTIPICKLIST, contest("s", "m"), SF),
    (rule(RuleName.FUNCTION, function=lambda _: MK), FieldType.TEXT, contest("s", "m"), MK),
    (rule(RuleName.FUNCTION, function=lambda _: None), FieldType.TEXT, contest("s", "m"), None),
    (rule(RuleName.FUNCTION), FieldType.TEXT, contest("s", "m"), SF),
    # a first meeting: nobody has seen anybody, a value beats no value whatever the rule
    (rule(RuleName.MARKETO), FieldType.TEXT, contest("s", None, first_meeting=True), SF),
    (rule(RuleName.REVIEW), FieldType.TEXT, contest(None, "m", first_meeting=True), MK),
    (rule(RuleName.SALESFORCE), FieldType.BOOLEAN, contest(False, True, first_meeting=True), MK),
]


def test_whom_a_record_belongs_to_is_what_its_source_says_at_a_first_meeting_also_where_it_is_nobody() -> None:
    owner = replace(mapping(rule(RuleName.SALESFORCE)), direction=Direction.TO_MARKETO, parent="user")
    assert decide(owner, contest(None, "005", SF, first_meeting=True)).winner is SF
    assert decide(mapping(rule(RuleName.SALESFORCE)), contest(None, "005", SF, first_meeting=True)).winner is MK


@pytest.mark.parametrize("edited", System)
@pytest.mark.parametrize(("decided_by", "kind", "case", "winner"), CASES)
def test_who_wins_whichever_edit_comes_second(
    decided_by: Rule, kind: FieldType, case: Contest, winner: System | None, edited: System
) -> None:
    both = {side: case.of(side) for side in System}
    times = {"salesforce_at": case.made_at(SF), "marketo_at": case.made_at(MK)}
    turned = contest(both[SF], both[MK], edited, first_meeting=case.first_meeting, **times)
    outcome = decide(mapping(decided_by, kind), turned)
    assert outcome.winner is winner, outcome.reason
    assert outcome.reason


@pytest.mark.parametrize(
    ("name", "told"),
    [(RuleName.TRUE_WINS, "it is true in marketo, and a conflict never takes that back"), (RuleName.SALESFORCE, "true beats false")],
)
def test_the_reason_of_an_opt_out_is_the_real_one(name: RuleName, told: str) -> None:
    outcome = decide(mapping(rule(name), FieldType.BOOLEAN), contest(False, True, first_meeting=True))
    assert (outcome.winner, told in outcome.reason, "no value" in outcome.reason) == (MK, True, False)


def test_a_function_is_given_both_sides_as_they_are() -> None:
    given_to: list[Conflict] = []

    def watch(conflict: Conflict) -> System | None:
        given_to.append(conflict)
        return SF

    decide(mapping(rule(RuleName.FUNCTION, function=watch)), contest("s", "m", SF))
    wanted = Conflict(field="x", object=LEAD, salesforce="s", marketo="m", salesforce_at=1_000, marketo_at=2_000)
    assert given_to == [wanted]


def test_a_function_that_fails_holds_the_field_and_keeps_its_secrets() -> None:
    def broken(conflict: Conflict) -> System | None:
        raise KeyError(conflict.salesforce)

    outcome = decide(mapping(rule(RuleName.FUNCTION, function=broken)), contest("ada@example.com", "m"))
    assert outcome.winner is None
    assert "KeyError" in outcome.reason
    assert "ada" not in outcome.reason


NUMBERS = st.one_of(st.none(), st.integers(-99, 99))


@given(NUMBERS, NUMBERS, st.sampled_from(System), st.sampled_from([RuleName.MAX, RuleName.MIN]))
def test_extremes_stand_whoever_typed_them(salesforce: Value, marketo: Value, edited: System, name: RuleName) -> None:
    winner = decide(mapping(rule(name), FieldType.NUMBER), contest(salesforce, marketo, edited)).winner
    filled = [value for value in (salesforce, marketo) if isinstance(value, int)]
    stands = salesforce if winner is SF else marketo
    assert stands == ((max if name is RuleName.MAX else min)(filled) if filled else None)
