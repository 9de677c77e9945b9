"""Opportunities and the parts that people take in them: what must be there first, and what names a part."""

from dataclasses import replace

from consumers.kinds.opportunity import OPPORTUNITY
from consumers.kinds.registry import KINDS
from consumers.kinds.role import NO_ROLE, ROLE
from consumers.mapping.fields import Direction, FieldMapping, FieldType, ObjectMapping, Rule, RuleName, SyncRules
from consumers.merge.edits.values import equal, wire
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.writing.plan import Create, Delete, Update, plan
from streams.wire.systems import MARKETO, Object, System

RULE = Rule(name=RuleName.SALESFORCE, default=System.SALESFORCE)


def line(name: str, **said: object) -> FieldMapping:
    made = FieldMapping(key=name, salesforce=name, marketo=name, type=FieldType.PICKLIST, direction=Direction.TO_MARKETO, rule=RULE)
    return replace(made, **said)  # type: ignore[arg-type]


ROLES = ObjectMapping(
    object=Object("role"), fields=(line("role", is_key=True, blank=NO_ROLE), line("isPrimary", type=FieldType.BOOLEAN)), kind="role",
    marketo=Object("role"), flow=Direction.TO_MARKETO, resource=ROLE.resource, answer_is_witness=True, delete_in_marketo=True,
)  # fmt: skip
RULES = SyncRules(objects={ROLES.object: ROLES})


def role(changed: str, *, there: bool = True, shows: int = 1) -> PairState:
    field = Field("Influencer", 2, 0, Side(seen="Influencer", shows=2), Side(seen="Other", shows=shows))
    rest = Field(True, 1, 0, Side(seen=True, shows=1), Side(seen=True, shows=1 if changed == "role" else 0))
    fields = {"role": field if changed == "role" else replaced(field), "isPrimary": rest}
    marketo = Record(id="guid", complete=True) if there else Record(id="guid", complete=True, deleted=True)
    return PairState(ROLES.object, fields, Record(id="00K000000000001AAA", complete=True), marketo, counterpart=Object("role"))


def replaced(field: Field) -> Field:
    return field.with_side(MARKETO, Side(seen="Influencer", shows=2))


def test_parents_come_first() -> None:
    places = [kind.name for kind in KINDS]
    for kind in (OPPORTUNITY, ROLE):
        parents = {item.parent for sort in kind.sorts for item in sort.fields if item.parent}
        assert all(places.index(parent) < places.index(kind.name) for parent in parents)
    assert {item.marketo for item in ROLE.sorts[0].fields if item.required} == {"externalOpportunityId", "leadId"}
    assert ROLE.resource is not None
    assert set(ROLE.resource.key) == {"externalOpportunityId", "leadId", "role"}


def test_a_part_that_is_another_one_is_made_again() -> None:
    gone = plan(role("role"), MARKETO, RULES, exact=False)
    assert isinstance(gone, Delete)
    assert (gone.id, gone.why) == ("guid", "what names it there has changed: it is made again")
    again = plan(role("role", there=False), MARKETO, RULES, exact=False)
    assert isinstance(again, Create)
    assert {out.key: out.value for out in again.fields} == {"role": "Influencer", "isPrimary": True}


def test_what_does_not_name_it_is_just_written() -> None:
    told = plan(role("isPrimary"), MARKETO, RULES, exact=False)
    assert isinstance(told, Update)
    assert [out.key for out in told.fields] == ["isPrimary"]


def test_no_part_has_a_name() -> None:
    item = ROLES.by_key["role"]
    assert (wire(item, MARKETO, None), wire(item, System.SALESFORCE, None)) == (NO_ROLE, None)
    assert not equal(item, NO_ROLE, None), "what is told of Marketo's record is what was sent"
