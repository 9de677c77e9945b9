"""The types of activities that are to be made, and what is said of one that isn't there."""

import pytest

from consumers.configuration.mapping.defaults import build
from consumers.fitting.check import compare
from consumers.fitting.setup.activities import planned
from consumers.fitting.setup.custom_objects import planned as planned_object
from consumers.mapping.describes import described, salesforce_fields
from consumers.mapping.fields import ObjectMapping
from consumers.mapping.kind import Form
from streams.marketo.api.custom_activities import label_of
from streams.marketo.api.custom_activity import ATTRIBUTES_MAX, TypeState
from streams.marketo.api.object_types import ObjectType, TypeField
from streams.marketo.api.wire import Schema
from streams.wire.errors import Fatal
from tests.consumers.families.diary import Diary
from tests.consumers.families.family import SETTINGS, TASK


def tasks() -> ObjectMapping:
    return Diary().terms.rules.objects[TASK]


def there(*names: str, approved: bool = True) -> TypeState:
    return TypeState(number=7, approved=approved, draft=not approved, attributes=dict.fromkeys(names, "string"))


def all_names() -> list[str]:
    plan = planned(tasks(), None)
    assert plan is not None
    return [each.name for each in plan.attributes]


def test_a_new_type_has_what_is_mapped_and_the_id_of_its_record() -> None:
    plan = planned(tasks(), None)
    assert plan is not None
    assert plan.create
    made = {each.name: each.data_type for each in plan.attributes}
    wanted = {"salesforceId": "string", "description": "text", "dueDate": "date", "isClosed": "boolean", "completedAt": "datetime"}
    assert wanted.items() <= made.items()
    assert not {"leadId", "activityDate", "subject", "IsRecurrence"} & made.keys(), "what every activity has is no attribute"


def test_one_that_is_there_gets_only_what_it_lacks() -> None:
    names = all_names()
    assert planned(tasks(), there(*names)) is None
    plan = planned(tasks(), there(*names[2:]))
    assert plan is not None
    assert not plan.create
    assert [each.name for each in plan.attributes] == names[:2]
    draft = planned(tasks(), there(*names, approved=False))
    assert draft is not None
    assert (draft.attributes, draft.words) == ((), "activity type salesforceTask: approve it")


def test_more_attributes_than_a_type_takes_are_told_by_their_names() -> None:
    other = [f"other{number}" for number in range(ATTRIBUTES_MAX)]
    with pytest.raises(Fatal, match=rf"would have \d+ attributes, and Marketo takes {ATTRIBUTES_MAX}: salesforceId, .*task\.fields\.NAME"):
        planned(tasks(), there(*other))


def test_a_type_that_is_not_there_is_a_problem_with_a_way_out() -> None:
    rules = Diary().terms.rules
    mapping = rules.objects[TASK]
    told = {item.salesforce: {"name": item.salesforce, "type": "string"} for item in mapping.fields}
    assert salesforce_fields(told.values())
    describes = described({TASK: {"fields": list(told.values())}}, Schema(fields=[], searchable=[]))
    (finding,) = [each for each in compare(rules, describes) if each.object == TASK]
    assert "no approved activity type salesforceTask" in finding.message
    assert "tandem setup --yes" in finding.remedy
    assert "task.as: none" in finding.remedy


def test_unless_chosen_no_task_is_kept_in_step() -> None:
    assert TASK not in build(SETTINGS).objects


@pytest.mark.parametrize(("name", "label"), [("salesforceId", "Salesforce Id"), ("subject", "Subject"), ("isAllDay", "Is All Day")])
def test_people_read_labels(name: str, label: str) -> None:
    assert label_of(name) == label


def as_objects() -> ObjectMapping:
    return Diary(form=Form.CUSTOM_OBJECT).terms.rules.objects[TASK]


def custom(*names: str, state: str = "approved") -> ObjectType:
    fields = {name: TypeField(name=name, label=name, type="string") for name in names}
    return ObjectType(name="salesforceTask_c", label="", state=state, key=("salesforceId",), fields=fields)


def test_a_custom_object_is_named_by_its_record_and_linked_to_its_person() -> None:
    plan = planned_object(as_objects(), None)
    assert plan is not None
    assert (plan.create, plan.resource.key) == (True, ("salesforceId",))
    made = {each.name: (each.type, each.related) for each in plan.fields}
    assert made["leadId"] == ("link", ("lead", "id"))
    assert (made["salesforceId"], made["activityDate"], made["subject"]) == (("string", None), ("datetime", None), ("string", None))
    names = list(made)
    assert planned_object(as_objects(), custom(*names)) is None
    more = planned_object(as_objects(), custom(*names[:-1]))
    assert more is not None
    assert more.words == f"custom object salesforceTask_c: add {names[-1]}, then approve it"
    draft = planned_object(as_objects(), custom(*names, state="draft"))
    assert draft is not None
    assert (draft.create, draft.fields) == (False, ())
    assert planned_object(tasks(), None) is None
