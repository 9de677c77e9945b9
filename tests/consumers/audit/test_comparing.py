"""What two readings of a pair say against its state: each class by a case, and what must hold of every pair by properties."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.audit.allowance import days_to_proof, pause_seconds
from consumers.audit.compare import WHOLE, Cause, Class, compare
from consumers.audit.mending import mended
from consumers.mapping.fields import Qualification
from consumers.merge.lives.aside import out_of_sight
from consumers.merge.pair.state import NEVER, Field, PairState, Record, Side, Write, shallow
from consumers.merge.writing.plan import row_mark
from streams.wire.events import Value
from streams.wire.systems import System
from tests.consumers.merge.person_pair import LINKS, MK, SF, SF_ID, T, agreed, paired, reading, terms

TERMS = terms()
OURS: dict[str, Value] = {
    "Email": "ada@example.com", "LastName": "Lovelace", "Title": "a", "Score__c": 10, "HasOptedOutOfEmail": False, "Phone": None,
}  # fmt: skip
THEIRS: dict[str, Value] = {
    "email": "ada@example.com", "lastName": "Lovelace", "title": "a", "leadScore": 10, "unsubscribed": False,
    LINKS.lead_id: SF_ID, LINKS.type: "Lead", LINKS.is_deleted: False,
}  # fmt: skip


def both(ours: Mapping[str, Value] | None = None, theirs: Mapping[str, Value] | None = None, at: int = T + 9_100) -> dict[System, Any]:
    """Both sides as they were read."""
    return {SF: reading(SF, {**OURS, **(ours or {})}, at), MK: reading(MK, {**THEIRS, **(theirs or {})}, at)}


def told(state: PairState, readings: dict[System, Any]) -> list[tuple[str, Class, Cause]]:
    return [(each.field, each.klass, each.cause) for each in compare(state, readings, TERMS)]


def behind(**changes: Any) -> Side:
    """A side that still shows what was agreed before."""
    return Side(**{"seen": "a", "seen_at": T, "shows": 1, **changes})


def owing(**side: Any) -> PairState:
    """The title is owed to Marketo, and a write of it is due."""
    return TERMS.with_due(paired(title=agreed("b", 2, marketo=behind(**side))), T)


def undue(state: PairState) -> PairState:
    new = shallow(state)
    new.due = (0, 0, 0, 0)
    return new


WRITE = Write(id=1, version=2, value="b", sent=T, look_at=T + 60_000)
B = {"Title": "b"}


def one_sided(**marketo: Any) -> PairState:
    state = paired()
    fields = {key: field.with_side(MK, Side()) for key, field in state.fields.items()}
    return msgspec.structs.replace(state, fields=fields, marketo=Record(**marketo))


def corrupted_ledger() -> PairState:
    """The ledger has it that both sides show the agreement; each shows what it saw."""
    salesforce, marketo = Side(seen="b", seen_at=T, shows=2), Side(seen="a", seen_at=T, shows=2)
    return paired(title=Field(value="b", version=2, agreed_at=T, salesforce=salesforce, marketo=marketo))


HELD = msgspec.structs.replace(paired(), hold="ambiguous match: two")
GONE = {SF: None, MK: reading(MK, THEIRS)}
CASES: dict[str, tuple[PairState, dict[System, Any], list[tuple[str, Class, Cause]]]] = {
    "in step": (paired(), both(), []),
    "in step but for what means the same": (paired(), both({"Email": " ADA@example.com "}), []),
    "Salesforce's value changed and nobody told": (paired(), both(B), [("title", Class.TRUE_DRIFT, Cause.UNTOLD)]),
    "Marketo's value changed and nobody told": (paired(), both(None, {"title": "b"}), [("title", Class.TRUE_DRIFT, Cause.UNTOLD)]),
    "both changed alike and nobody told": (paired(), both(B, {"title": "b"}), [("title", Class.TRUE_DRIFT, Cause.UNTOLD)]),
    "a damaged agreement": (paired(title=agreed("c")), both(), [("title", Class.TRUE_DRIFT, Cause.UNTOLD)]),
    "a damaged row": (corrupted_ledger(), both(B), [("title", Class.TRUE_DRIFT, Cause.UNEQUAL)]),
    "on its way": (owing(), both(B), [("title", Class.IN_FLIGHT, Cause.NONE)]),
    "under way": (owing(writes=(WRITE,)), both(B), [("title", Class.IN_FLIGHT, Cause.NONE)]),
    "owed and forgotten": (undue(owing()), both(B), [("title", Class.TRUE_DRIFT, Cause.UNWRITTEN)]),
    "refused": (owing(refused=2, reason="1003 bad"), both(B), [("title", Class.REFUSED, Cause.NONE)]),
    "waits for its parent": (owing(refused=2, reason="waits for user 005"), both(B), [("title", Class.HELD, Cause.NONE)]),
    "held": (HELD, both(B), [("title", Class.HELD, Cause.NONE)]),
    "told meanwhile": (paired(), both(B, at=T - 5_000), [("title", Class.IN_FLIGHT, Cause.NONE)]),
    "Salesforce's record is gone": (paired(), GONE, [(WHOLE, Class.TRUE_DRIFT, Cause.GONE)]),
    "out of sight": (out_of_sight(paired(), SF, "why"), GONE, [(WHOLE, Class.HIDDEN, Cause.NONE)]),
    "being made": (one_sided(creating=1), {SF: reading(SF, OURS)}, [(WHOLE, Class.IN_FLIGHT, Cause.NONE)]),
    "never made": (undue(one_sided()), {SF: reading(SF, OURS)}, [(WHOLE, Class.TRUE_DRIFT, Cause.UNWRITTEN)]),
    "going to be made": (TERMS.with_due(one_sided(), T), {SF: reading(SF, OURS)}, [(WHOLE, Class.IN_FLIGHT, Cause.NONE)]),
    "not to be made": (
        msgspec.structs.replace(paired(), salesforce=Record()), {MK: reading(MK, THEIRS)}, [(WHOLE, Class.RULE_BLOCKED, Cause.NONE)]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_case(name: str) -> None:
    state, readings, wanted = CASES[name]
    rules = terms(qualification=Qualification()) if name == "not to be made" else TERMS
    found = [(each.field, each.klass, each.cause) for each in compare(state, readings, rules)]
    assert [each for each in found if each[0] in ("", "title")] == wanted
    assert not [each for each in found if each[0] not in ("", "title") and each[1] is Class.TRUE_DRIFT]


def test_what_is_refused_as_a_whole_is_so_while_nothing_has_changed() -> None:
    state = one_sided(refused="1003 no", refused_mark=row_mark(one_sided(), TERMS.rules))
    assert told(state, {SF: reading(SF, OURS)})[0] == (WHOLE, Class.REFUSED, Cause.NONE)


def test_what_can_not_be_seen_is_hidden_where_it_is_owed() -> None:
    readings = both(B)
    readings[MK].fields.pop("title")
    assert told(owing(), readings) == [("title", Class.HIDDEN, Cause.NONE)]
    assert told(paired(), {**both(), MK: readings[MK]}) == []


VALUES = st.sampled_from(["a", "b", "c", None])
SIDES = st.builds(
    Side,
    seen=VALUES,
    seen_at=st.sampled_from([0, T]),
    shows=st.sampled_from([NEVER, 1, 2]),
    writes=st.sampled_from([(), (WRITE,)]),
    refused=st.sampled_from([NEVER, 2]),
)
TITLES = st.builds(Field, value=VALUES, version=st.sampled_from([1, 2]), agreed_at=st.just(T), salesforce=SIDES, marketo=SIDES).filter(
    lambda field: max(field.salesforce.shows, field.marketo.shows) <= field.version  # nobody shows what was never agreed
)


@given(title=TITLES, ours=VALUES, theirs=VALUES)
def test_nothing_that_is_under_way_is_drift_and_nothing_that_agrees_everywhere_is_a_difference(
    title: Field, ours: Value, theirs: Value
) -> None:
    state = TERMS.with_due(paired(title=title), T)
    found = [each for each in compare(state, both({"Title": ours}, {"title": theirs}), TERMS) if each.field == "title"]
    assert len(found) <= 1
    shown = {SF: ours, MK: theirs}
    settled = all(title.side(system).shows == title.version and not title.side(system).writes for system in System)
    if settled and all(title.side(system).seen == shown[system] == title.value for system in System):
        assert found == []
    if settled and ours != theirs:
        assert found
    if all(title.side(system).writes for system in System) and found:
        assert found[0].klass is not Class.TRUE_DRIFT


@given(title=TITLES, ours=VALUES, theirs=VALUES)
def test_what_is_mended_is_no_drift_any_more(title: Field, ours: Value, theirs: Value) -> None:
    """The state learns what both sides show; what still differs is owed to one of them, and is going to be written."""
    state = TERMS.with_due(paired(title=title), T)
    readings = both({"Title": ours}, {"title": theirs})
    made = mended(state, readings, TERMS, T)
    if made is None:
        assert not [each for each in compare(state, readings, TERMS) if each.klass is Class.TRUE_DRIFT]
        return
    left = [each for each in compare(made.state, readings, TERMS) if each.field == "title" and each.klass is Class.TRUE_DRIFT]
    assert left == []


def test_a_damaged_row_is_mended_by_the_rule_of_its_field() -> None:
    made = mended(corrupted_ledger(), both(B), TERMS, T)
    assert made is not None
    assert [(each.system, each.do, dict(each.fields)) for each in made.writes] == [(SF, "update", {"Title": "a"})]


def test_a_reading_from_before_an_edit_mends_nothing() -> None:
    newer = paired(title=Field(value="n", version=2, agreed_at=T + 20_000, salesforce=Side(seen="n", seen_at=T + 20_000, shows=2),
                               marketo=Side(seen="n", seen_at=T + 21_000, shows=2)))  # fmt: skip
    assert mended(newer, both(B), TERMS, T) is None


def test_the_share_lasts_for_the_rest_of_the_day() -> None:
    assert pause_seconds(allowed=2_500, spent=0, cost=7, left_seconds=86_400) == pytest.approx(241.92)
    assert pause_seconds(allowed=2_500, spent=2_500, cost=7, left_seconds=3_600) == 3_600
    assert pause_seconds(allowed=2_500, spent=2_499, cost=7, left_seconds=3_600) == 3_600
    assert pause_seconds(allowed=2_500, spent=100, cost=0, left_seconds=3_600) == 0
    assert days_to_proof(calls=5_000, allowed_a_day=2_500) == 2
    assert days_to_proof(calls=0, allowed_a_day=0) == 0
    assert days_to_proof(calls=1, allowed_a_day=0) == float("inf")
