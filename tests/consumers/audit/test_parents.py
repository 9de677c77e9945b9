"""A parent that Marketo names by its own number is the one that was agreed, or another one; and a comparison says so."""

import pytest

from consumers.audit.compare import Cause, Class, compare
from consumers.audit.parents import doubtful, in_our_names
from consumers.mapping.fields import Direction, FieldType, ObjectMapping, SyncRules
from consumers.merge.edits.values import equal
from consumers.merge.pair.state import Field, PairState, Record, Side
from streams.marketo.api.resource import Resource
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import LEAD, PERSON, Object
from tests.consumers.merge.person_pair import FIELDS, MK, SF, T, agreed, mapped, terms

ROLE = Object("role")
WHO = mapped("leadId", "ContactId", FieldType.REFERENCE, parent="person", direction=Direction.TO_MARKETO)
SORTS = {
    LEAD: ObjectMapping(object=LEAD, fields=FIELDS),
    ROLE: ObjectMapping(
        object=ROLE, fields=(WHO, mapped("part", "Role", direction=Direction.TO_MARKETO)), kind="role", marketo=ROLE,
        answer_is_witness=True,
        resource=Resource(object=ROLE, path="opportunities/roles", key=("leadId",), id_field="marketoGUID"), flow=Direction.TO_MARKETO,
    ),
}  # fmt: skip
RULES = SyncRules(objects=SORTS)
TERMS = terms(objects=SORTS)
ADA, BOB = "003000000000001AAA", "003000000000002AAA"


def state(seen: Value) -> PairState:
    """A role of Ada's, whom Marketo was told by a number."""
    shown = Side(seen=seen, shows=1)
    who = Field(value=ADA, version=1, agreed_at=T, salesforce=Side(seen=ADA, seen_at=T, shows=1), marketo=shown)
    return PairState(
        object=ROLE,
        counterpart=ROLE,
        fields={"leadId": who, "part": agreed("Evaluator")},
        salesforce=Record(id="00K000000000001AAA", complete=True, at=T),
        marketo=Record(id="guid", complete=True, at=T),
    )


def shows(system: object, **fields: Value) -> ChangeEvent:
    """A reading of it."""
    record = "guid" if system is MK else "00K000000000001AAA"
    at = T + 60_000
    return ChangeEvent(
        system=MK if system is MK else SF, object=ROLE, id=record, kind=Happened.READ, source="read", at=at, until=at + 100, fields=fields
    )


OURS = shows(SF, ContactId=ADA, Role="Evaluator")


@pytest.mark.parametrize(
    ("seen", "shown", "there", "drifts"),
    [
        (3, 3, {ADA: "3"}, False),
        (3, 7, {ADA: "7"}, False),  # she was merged: she goes by another number, and Marketo shows it
        (3, 4, {ADA: "3"}, True),
        (3, 3, {ADA: "7"}, True),  # it names somebody else since
        (3, 3, {}, True),
    ],
)
def test_a_number_is_held_against_the_record_that_was_agreed(seen: int, shown: int, there: dict[str, str], *, drifts: bool) -> None:
    told = in_our_names(state(seen), shows(MK, leadId=shown, part="Evaluator"), RULES, there, {(PERSON, "4"): BOB})
    found = [(each.field, each.klass, each.cause) for each in compare(state(seen), {SF: OURS, MK: told}, TERMS)]
    assert found == ([("leadId", Class.TRUE_DRIFT, Cause.UNTOLD)] if drifts else [])


def test_another_one_is_told_by_the_id_that_people_know() -> None:
    told = in_our_names(state(3), shows(MK, leadId=4), RULES, {ADA: "3"}, {(PERSON, "4"): BOB})
    assert told.fields == {"leadId": BOB}
    assert in_our_names(state(3), shows(MK, leadId=5), RULES, {ADA: "3"}, {}).fields == {"leadId": "person:5"}


def test_what_is_named_alike_needs_no_looking_up() -> None:
    assert not list(doubtful(state(ADA), shows(MK, leadId=ADA), RULES))
    assert not list(doubtful(state(3), shows(MK, leadId=None), RULES))


def test_a_number_is_the_same_as_its_digits() -> None:
    assert equal(WHO, 3, "3")
    assert not equal(WHO, 3, "4")
