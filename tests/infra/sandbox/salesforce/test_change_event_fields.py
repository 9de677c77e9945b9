"""Which fields change events have: fewer than their objects (published typings of the change events; CDC guide)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import Client

DEAL = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01"}
MEETING = {"Subject": "meet", "StartDateTime": "2026-08-10T10:00:00Z", "EndDateTime": "2026-08-10T10:30:00Z"}


async def stream_of(org: Client, entity: str) -> Stream:
    await org.verb("select_entities", {"entities": [entity]})
    stream = Stream(org)
    await stream.open()
    assert (await stream.subscribe(f"/data/{entity}ChangeEvent"))["successful"]
    return stream


async def payload(stream: Stream) -> dict[str, Any]:
    return dict((await stream.events(1))[0]["data"]["payload"])


@pytest.mark.parametrize(
    ("entity", "absent", "present"),
    [
        ("OpportunityContactRole", {"IsPrimary"}, {"Role", "ContactId"}),
        ("CampaignMemberStatus", {"Label"}, {"IsDefault", "HasResponded", "SortOrder"}),
        ("Event", {"StartDateTime", "EndDateTime", "EndDate", "EventSubtype"}, {"ActivityDateTime", "ActivityDate", "DurationInMinutes"}),
        ("Account", {"IsPersonAccount"}, {"Name", "AnnualRevenue"}),
        ("CampaignMember", {"FirstName", "LastName", "Email", "Type", "LeadOrContactId"}, {"Status", "LeadId"}),
        ("Opportunity", {"FiscalYear", "Fiscal"}, {"ExpectedRevenue", "ForecastCategory", "ContactId"}),
    ],
)
async def test_what_a_change_event_does_not_have(org: Client, entity: str, absent: set[str], present: set[str]) -> None:
    await org.verb("select_entities", {"entities": [entity]})
    described = (await org.call("GET", f"/sobjects/{entity}ChangeEvent/describe")).body["fields"]
    schema = (await org.call("GET", f"/sobjects/{entity}ChangeEvent/eventSchema")).body["fields"]
    whole = (await org.call("GET", f"/sobjects/{entity}/describe")).body["fields"]
    assert absent <= {each["name"] for each in whole}
    for names in ({each["name"] for each in described}, {each["name"] for each in schema}):
        assert present <= names
        assert not absent & names


async def test_a_primary_role_has_to_be_read_after_its_event(org: Client) -> None:
    contact, deal = await org.made("Contact", LastName="Ito"), await org.made("Opportunity", **DEAL)
    stream = await stream_of(org, "OpportunityContactRole")
    role = await org.made("OpportunityContactRole", OpportunityId=deal, ContactId=contact)
    assert "IsPrimary" not in await payload(stream)
    await org.call("PATCH", f"/sobjects/OpportunityContactRole/{role}", {"IsPrimary": True})
    told = await payload(stream)
    assert set(told) == {"LastModifiedDate", "ChangeEventHeader"}
    assert told["ChangeEventHeader"]["changedFields"] == ["LastModifiedDate"]
    await stream.close()


async def test_a_meetings_times_are_those_of_its_activity(org: Client) -> None:
    stream = await stream_of(org, "Event")
    meeting = await org.made("Event", **MEETING)
    told = await payload(stream)
    assert (told["ActivityDateTime"], told["ActivityDate"], told["DurationInMinutes"]) == ("2026-08-10T10:00:00.000Z", "2026-08-10", 30)
    assert not {"StartDateTime", "EndDateTime"} & set(told)
    await org.call("PATCH", f"/sobjects/Event/{meeting}", {"EndDateTime": "2026-08-10T11:00:00Z"})
    changed = (await payload(stream))["ChangeEventHeader"]["changedFields"]
    assert changed == ["DurationInMinutes", "LastModifiedDate"] or set(changed) == {"DurationInMinutes", "LastModifiedDate"}
    await stream.close()


async def test_an_update_without_a_change_can_be_silent(org: Client) -> None:
    lead = await org.made("Lead", LastName="Ito", Company="Acme")
    stream = await stream_of(org, "Lead")
    await org.call("PATCH", f"/sobjects/Lead/{lead}", {"Company": "Acme"})
    assert set(await payload(stream)) == {"LastModifiedDate", "ChangeEventHeader"}
    await org.verb("set_options", {"unchanged_events": False})
    await org.call("PATCH", f"/sobjects/Lead/{lead}", {"Company": "Acme"})
    await org.call("PATCH", f"/sobjects/Lead/{lead}", {"Company": "Other"})
    assert (await payload(stream))["Company"] == "Other"
    await stream.close()
