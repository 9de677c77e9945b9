"""Members, owners, tasks, conversions: each once, whatever Salesforce answers or fails to."""

from typing import Any, cast

import pytest

from consumers.errands.actions.calling import DOUBT_MS
from consumers.errands.actions.conversions import Conversions
from consumers.errands.actions.members import Members
from consumers.errands.actions.owners import Owners
from consumers.errands.actions.tasks import Tasks, mark_of
from consumers.errands.directory import Directory
from consumers.errands.errand import AddToCampaign, ChangeOwner, Convert, CreateTask, Done, Failed, Later, Outcome
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.errors import Fatal, Reject, Retry, SyncError, Unknown
from streams.wire.systems import CONTACT, LEAD
from tests.consumers.errands.salesforce_told import NOW, Salesforce, made, ready, refused

FAIR, OTTO, TASK, PERSON = "701000000000001AAA", "005000000000001AAA", "00T000000000001AAA", "003000000000001AAA"
CAMPAIGNS = {
    "Campaign": [{"Id": FAIR, "Name": "Fair"}],
    "CampaignMemberStatus": [{"CampaignId": FAIR, "Label": each} for each in ("Sent", "Came")],
}
USERS = {"User": [{"Id": OTTO, "Username": "otto@x.example", "Email": "o@x.example", "Name": "Otto Hahn", "IsActive": True}]}
NAMES = {LEAD: "Lead", CONTACT: "Contact"}


def directory(salesforce: Salesforce) -> Directory:
    return Directory(cast("SalesforceRest", salesforce))


def members(salesforce: Salesforce) -> Members:
    return Members(salesforce.calling(), directory(salesforce))


def tasks(salesforce: Salesforce, *before: str, now: int = NOW) -> Tasks:
    async def made_before(people: Any) -> set[str]:
        del people
        return set(before)

    return Tasks(salesforce.calling(lambda: now), directory(salesforce), OTTO, made_before)


# -- campaign members


async def test_a_member_is_made_and_one_who_is_there_stays() -> None:
    salesforce = Salesforce(
        **CAMPAIGNS, CampaignMember=[{"Id": "00v1", "CampaignId": FAIR, "LeadId": ready(2, AddToCampaign("Fair")).record}]
    )
    salesforce.rows["CampaignMember"][0].update(Id="00v000000000002AAA", Status="Sent")
    salesforce.answers = [[made("00v000000000001AAA")]]
    told = await members(salesforce).carry_out([ready(1, AddToCampaign("Fair", "came")), ready(2, AddToCampaign("Fair", "Came"))])
    assert told[1] == Done(reason="is a member now", id="00v000000000001AAA")
    assert told[2] == Done(reason="is a member already, with the status 'Sent', which stays", id="00v000000000002AAA")
    assert salesforce.written == [{"CampaignId": FAIR, "LeadId": ready(1, AddToCampaign("Fair")).record, "Status": "Came"}]
    assert salesforce.happened == ["trying [1] at 0", "create 1 CampaignMember"]


async def test_a_contact_is_a_member_as_a_contact_and_without_a_status_by_default() -> None:
    salesforce = Salesforce(**CAMPAIGNS)
    salesforce.answers = [[made("00v000000000001AAA")]]
    await members(salesforce).carry_out([ready(1, AddToCampaign("Fair"), obj=CONTACT, record=PERSON)])
    assert salesforce.written == [{"CampaignId": FAIR, "ContactId": PERSON}]


async def test_whoever_was_made_a_member_meanwhile_is_one() -> None:
    salesforce = Salesforce(**CAMPAIGNS)
    salesforce.answers = [[refused("DUPLICATE_VALUE", "Already a campaign member.")]]
    assert (await members(salesforce).carry_out([ready(1, AddToCampaign("Fair"))]))[1] == Done(
        reason="is a member already; the status stays"
    )


async def test_no_such_campaign_or_status_fails_by_itself() -> None:
    salesforce = Salesforce(**CAMPAIGNS)
    told = await members(salesforce).carry_out([ready(1, AddToCampaign("Nowhere")), ready(2, AddToCampaign("Fair", "Gone"))])
    assert [cast("Failed", told[number]).code for number in (1, 2)] == ["NO_SUCH_CAMPAIGN", "NO_SUCH_STATUS"]
    assert salesforce.happened == []


# -- owners


async def test_an_owner_is_set_once() -> None:
    salesforce = Salesforce(**USERS)
    one, other, gone = ready(1, ChangeOwner("otto@x.example")), ready(2, ChangeOwner("Otto Hahn")), ready(3, ChangeOwner("Otto Hahn"))
    salesforce.records = {one.record: {"OwnerId": "005x"}, other.record: {"OwnerId": OTTO}}
    salesforce.answers = [[made(one.record)]]
    told = await Owners(salesforce.calling(), directory(salesforce), NAMES).carry_out([one, other, gone])
    assert salesforce.written == [{"Id": one.record, "OwnerId": OTTO}]
    assert told[1] == Done(reason="is owned by otto@x.example now", id=OTTO)
    assert told[2] == Done(reason="is owned by Otto Hahn", id=OTTO)
    assert cast("Failed", told[3]).code == "DELETED_IN_SALESFORCE"


async def test_only_a_lead_can_be_a_queues() -> None:
    salesforce = Salesforce(Group=[{"Id": "00G000000000001AAA", "Name": "Inbound", "DeveloperName": "Inbound"}])
    lead, contact = ready(1, ChangeOwner("Inbound")), ready(2, ChangeOwner("Inbound"), obj=CONTACT, record=PERSON)
    salesforce.records = {lead.record: {"OwnerId": OTTO}, PERSON: {"OwnerId": OTTO}}
    salesforce.answers = [[made(lead.record)]]
    told = await Owners(salesforce.calling(), directory(salesforce), NAMES).carry_out([lead, contact])
    assert isinstance(told[1], Done)
    assert cast("Failed", told[2]).code == "NO_SUCH_OWNER"


# -- tasks


async def test_a_task_is_noted_before_it_is_made() -> None:
    salesforce = Salesforce(**USERS)
    salesforce.answers = [[made(TASK), refused("FIELD_CUSTOM_VALIDATION_EXCEPTION", "no tasks here")]]
    one, other = ready(1, CreateTask("x", "2026-12-24", "otto@x.example", comments="c")), ready(2, CreateTask("x"))
    told = await tasks(salesforce).carry_out([one, other])
    assert salesforce.happened == ["trying [1, 2] at 0", "create 2 Task"]
    assert told == {
        1: Done(reason="the task was made", id=TASK),
        2: Failed(code="FIELD_CUSTOM_VALIDATION_EXCEPTION", reason="FIELD_CUSTOM_VALIDATION_EXCEPTION: no tasks here"),
    }
    first, second = salesforce.written
    assert first == {
        "WhoId": one.record, "Subject": "x", "ActivityDate": "2026-12-24", "OwnerId": OTTO, "Description": "c", "CallObject": mark_of(one),
    }  # fmt: skip
    assert second.keys() == {"WhoId", "Subject", "CallObject"}
    assert first["CallObject"] != second["CallObject"]


async def test_a_call_without_an_answer_is_looked_for_once_it_can_not_arrive_any_more() -> None:
    salesforce = Salesforce()
    salesforce.answers = [Unknown("reset")]
    doubt = await tasks(salesforce).carry_out([ready(1, CreateTask("x"))])
    assert doubt == {1: Later(reason="reset", after_seconds=15.0, sure=False)}
    tried = ready(1, CreateTask("x"), tried_at=NOW)
    early = (await tasks(salesforce, now=NOW + 5_000).carry_out([tried]))[1]
    assert early == Later(reason="its call was not answered; what became of it is looked for", after_seconds=10.0, sure=False)
    assert salesforce.happened == ["trying [1] at 0", "create 1 Task"], "nothing is made while it may still be under way"


async def test_a_task_that_was_made_is_found_by_its_mark() -> None:
    tried, lost = ready(1, CreateTask("x"), tried_at=NOW), ready(2, CreateTask("x"), tried_at=NOW)
    salesforce = Salesforce(Task=[{"Id": TASK, "CallObject": mark_of(tried)}])
    salesforce.answers = [[made("00T000000000002AAA")]]
    told = await tasks(salesforce, now=NOW + DOUBT_MS).carry_out([tried, lost])
    assert told == {1: Done(reason="the task was made", id=TASK), 2: Done(reason="the task was made", id="00T000000000002AAA")}
    assert salesforce.happened == [f"trying [2] at {DOUBT_MS}", "create 1 Task"]


async def test_without_a_mark_each_task_stands_for_one_errand() -> None:
    one, other = (ready(number, CreateTask("x"), record="00Q000000000009AAA", tried_at=NOW) for number in (1, 2))
    row = {"WhoId": one.record, "Subject": "x"}
    salesforce = Salesforce(Task=[{"Id": "00T000000000007AAA", **row}, {"Id": TASK, **row}])
    salesforce.marks = False
    salesforce.answers = [[made("00T000000000002AAA")]]
    told = await tasks(salesforce, "00T000000000007AAA", now=NOW + DOUBT_MS).carry_out([one, other])
    assert told[1] == Done(reason="the task was made", id=TASK), "the first is an earlier errand's"
    assert told[2] == Done(reason="the task was made", id="00T000000000002AAA")
    assert [row.keys() for row in salesforce.written] == [{"WhoId", "Subject"}]


ANSWERS: dict[str, tuple[Any, Outcome, list[str]]] = {
    "the org is busy": (
        [refused("UNABLE_TO_LOCK_ROW", "busy")],
        Later(reason="UNABLE_TO_LOCK_ROW: busy", after_seconds=0.5),
        ["untried [1]"],
    ),
    "nobody knows": (
        [refused("UNKNOWN_EXCEPTION", "?")],
        Later(reason="UNKNOWN_EXCEPTION: ?", after_seconds=15.0, sure=False),
        [],
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_what_an_answer_comes_to(name: str) -> None:
    answer, outcome, after = ANSWERS[name]
    salesforce = Salesforce()
    salesforce.answers = [answer]
    assert await tasks(salesforce).carry_out([ready(1, CreateTask("x"))]) == {1: outcome}
    assert salesforce.happened[2:] == after


@pytest.mark.parametrize("error", [Retry("no calls left"), Reject("no", code="MALFORMED"), Fatal("no rights")])
async def test_a_call_that_did_nothing_leaves_no_doubt(error: SyncError) -> None:
    salesforce = Salesforce()
    salesforce.answers = [error]
    with pytest.raises(type(error)):
        await tasks(salesforce).carry_out([ready(1, CreateTask("x"))])
    assert salesforce.happened[-1] == "untried [1]"


# -- conversions


async def test_a_lead_is_converted_with_the_orgs_status_unless_it_is_one_already() -> None:
    salesforce = Salesforce(LeadStatus=[{"MasterLabel": "Won"}])
    one, done, gone = (ready(number, Convert(opportunity="Deal" if number == 1 else "")) for number in (1, 2, 3))
    contact = ready(4, Convert(), obj=CONTACT, record=PERSON)
    salesforce.records = {one.record: {"IsConverted": False}, done.record: {"IsConverted": True, "ConvertedContactId": PERSON}}
    salesforce.answers = [[made(PERSON)]]
    told = await Conversions(salesforce.calling(), directory(salesforce)).carry_out([one, done, gone, contact])
    (order,) = salesforce.written
    assert (order.lead, order.status, order.opportunity, order.account) == (one.record, "Won", "Deal", "")
    assert told[1] == Done(reason=f"was converted: lead {one.record} is contact {PERSON}", id=PERSON)
    assert told[2] == Done(reason=f"is converted: contact {PERSON}", id=PERSON)
    assert cast("Failed", told[3]).code == "DELETED_IN_SALESFORCE"
    assert told[4] == Done(reason=f"is a contact already: {PERSON}", id=PERSON)


async def test_an_org_without_a_status_of_converted_leads_says_so() -> None:
    salesforce = Salesforce()
    one = ready(1, Convert())
    salesforce.records = {one.record: {"IsConverted": False}}
    told = await Conversions(salesforce.calling(), directory(salesforce)).carry_out([one])
    assert cast("Failed", told[1]).code == "NO_SUCH_STATUS"
