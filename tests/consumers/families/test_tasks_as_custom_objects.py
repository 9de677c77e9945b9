"""Tasks kept as custom objects in Marketo: they follow their records, wherever those go."""

import pytest

from consumers.mapping.kind import Form
from streams.wire.systems import MARKETO
from tests.consumers.families.diary import Diary


@pytest.fixture
def family() -> Diary:
    return Diary(form=Form.CUSTOM_OBJECT)


async def test_a_task_is_linked_to_its_person_and_follows_its_record(family: Diary) -> None:
    one, other = family.lead("One"), family.contact("Other")
    task = family.task(one, "Call", Status="Not Started")
    await family.rest()
    assert {"subject": "Call", "status": "Not Started", "leadId": int(family.pair(one).marketo.id)}.items() <= family.tasks()[task].items()
    family.org.edit(task, Status="Completed", Subject=None, WhoId=other)
    await family.rest()
    wanted = {"subject": "(no subject)", "status": "Completed", "leadId": int(family.pair(other).marketo.id)}
    assert wanted.items() <= family.tasks()[task].items()


async def test_a_deleted_task_goes_and_comes_back(family: Diary) -> None:
    task = family.task(family.lead("Ada"))
    await family.rest()
    kind, row = family.org.delete(task)
    await family.rest()
    assert task not in family.tasks()
    family.org.restore(task, kind, row)
    await family.rest()
    assert family.tasks()[task]["subject"] == "Call"


async def test_it_waits_for_its_person(family: Diary) -> None:
    task = family.task("00Q000000000077AAA")
    await family.rest()
    assert task not in family.tasks()
    family.org.edit(task, WhoId=family.lead("Late"))
    await family.rest()
    assert task in family.tasks()


@pytest.mark.parametrize("fault", ["answer", "request"])
async def test_a_lost_call_is_simply_made_again(family: Diary, fault: str) -> None:
    lead = family.lead("Ada")
    await family.rest()
    faults = iter([fault, fault])
    family.marketo.fails = lambda: next(faults, "")
    task = family.task(lead)
    await family.rest()
    made = [record for path, what, record, _ in family.marketo.written if (path, what) == ("customobjects/salesforceTask_c", "created")]
    assert made == [task]


async def test_another_form_begins_with_what_changes_from_then_on() -> None:
    family = Diary()
    task = family.task(family.lead("Ada"))
    await family.rest()
    family.form = Form.CUSTOM_OBJECT
    family.started()
    await family.rest()
    assert (family.times(task), family.tasks()) == ([1], {})
    family.org.edit(task, Status="Completed")
    await family.rest()
    assert family.tasks()[task]["status"] == "Completed"
    assert family.tasks()[task]["subject"] == "Call"
    assert family.pair(task).marketo.id == task
    family.form = Form.ACTIVITY
    family.started()
    family.org.edit(task, Status="Deferred")
    await family.rest()
    assert family.times(task) == [1]
    assert family.pair(task).record(MARKETO).id == task
