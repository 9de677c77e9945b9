"""What people write into a step's inputs, as a request; or what is wrong with it."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.errands.catalogue import STEPS, Wrong, request_of
from consumers.errands.errand import AddToCampaign, ChangeOwner, Convert, CreateTask, Push, Request, What, decode, encode, what_of

TODAY = date(2026, 11, 28)
ACCOUNT, CONTACT = "001000000000001AAA", "003000000000001AAA"

MADE: dict[str, tuple[What, dict[str, Any], Request]] = {
    "nothing is needed": (What.PUSH, {}, Push()),
    "blanks are nothing": (What.PUSH, {"note": None}, Push()),
    "text is trimmed": (What.ADD_TO_CAMPAIGN, {"campaign": " Fair ", "memberStatus": ""}, AddToCampaign("Fair")),
    "an owner": (What.CHANGE_OWNER, {"owner": "otto@example.com"}, ChangeOwner("otto@example.com")),
    "days are counted once": (What.CREATE_TASK, {"subject": "x", "dueInDays": 4}, CreateTask("x", "2026-12-02")),
    "also as a float": (What.CREATE_TASK, {"subject": "x", "dueInDays": 4.0}, CreateTask("x", "2026-12-02")),
    "today": (What.CREATE_TASK, {"subject": "x", "dueInDays": "0"}, CreateTask("x", "2026-11-28")),
    "a day": (What.CREATE_TASK, {"subject": "x", "dueDate": "2026-12-24"}, CreateTask("x", "2026-12-24")),
    "a task with all": (
        What.CREATE_TASK,
        {"subject": "x", "taskOwner": "o", "taskStatus": "s", "taskPriority": "p", "comments": "c"},
        CreateTask("x", "", "o", "s", "p", "c"),
    ),
    "a conversion into what is there": (
        What.CONVERT,
        {"accountId": ACCOUNT[:15], "contactId": CONTACT, "convertedStatus": "Won"},
        Convert("Won", ACCOUNT, CONTACT),
    ),
}
WRONG: dict[str, tuple[What, dict[str, Any], str]] = {
    "an input that there is not": (What.PUSH, {"owner": "x"}, "owner: no input of Sync Person to SFDC; it has note"),
    "what is needed is missing": (What.ADD_TO_CAMPAIGN, {"memberStatus": "Sent"}, "Campaign is missing (Name or id of the campaign)"),
    "blank is missing": (What.CHANGE_OWNER, {"owner": "  "}, "Owner is missing"),
    "too long": (What.CREATE_TASK, {"subject": "x" * 256}, "Subject: 256 characters; Salesforce takes 255"),
    "no number": (What.CREATE_TASK, {"subject": "x", "dueInDays": "soon"}, "Due in (days): 'soon' is not a number from 0 to 3650"),
    "a number below": (What.CREATE_TASK, {"subject": "x", "dueInDays": -1}, "'-1' is not a number"),
    "two days": (What.CREATE_TASK, {"subject": "x", "dueInDays": 1, "dueDate": "2026-12-24"}, "one of them"),
    "no day": (What.CREATE_TASK, {"subject": "x", "dueDate": "24.12."}, "Due date: '24.12.' is not a day"),
    "no id": (What.CONVERT, {"accountId": "Globex"}, "Account: 'Globex' is not a Salesforce id"),
    "an id of something else": (What.CONVERT, {"accountId": CONTACT}, "begins with 001"),
    "no text": (What.CHANGE_OWNER, {"owner": {"a": 1}}, "Owner: text is needed, not dict"),
    "a box": (What.CHANGE_OWNER, {"owner": True}, "Owner: text is needed, not bool"),
}


@pytest.mark.parametrize("name", MADE)
def test_a_request(name: str) -> None:
    what, given_, request = MADE[name]
    assert request_of(what, given_, TODAY) == request
    assert decode(encode(request)) == request
    assert what_of(request) is what


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_sense_is_told(name: str) -> None:
    what, given_, told = WRONG[name]
    with pytest.raises(Wrong) as error:
        request_of(what, given_, TODAY)
    assert told in str(error.value)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers(), max_size=2))


@given(st.sampled_from(What), st.data())
def test_whatever_is_written_is_a_request_or_told(what: What, data: st.DataObject) -> None:
    names = st.one_of(st.sampled_from(list(STEPS[what].by_name)), st.text(max_size=8))
    given_ = data.draw(st.dictionaries(names, VALUES, max_size=5))
    try:
        request = request_of(what, given_, TODAY)
    except Wrong:
        return
    assert decode(encode(request)) == request


def test_each_step_can_be_a_flow_step_of_marketo() -> None:
    """The service provider interface: the first input names the activity; none is called like what the activity has anyway."""
    assert list(STEPS) == list(What)
    for step in STEPS.values():
        assert step.inputs
        assert not {each.name for each in step.inputs} & {"success", "reason", "errorCode", "salesforceId"}
        assert len(step.by_name) == len(step.inputs)
