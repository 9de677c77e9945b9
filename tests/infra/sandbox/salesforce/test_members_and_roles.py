"""Members of campaigns and their statuses, contact roles: what the org keeps to one, and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import Client

LEAD = {"LastName": "Ito", "FirstName": "Aki", "Company": "Acme", "Email": "ito@x.example", "City": "Oslo"}
DEAL = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01"}


def code(answer: Any) -> str:
    return str(answer.body[0]["errorCode"])


async def read(org: Client, name: str, record_id: str) -> dict[str, Any]:
    answer = await org.call("GET", f"/sobjects/{name}/{record_id}")
    return dict(answer.body) if answer.status == 200 else {}


async def primaries(org: Client) -> list[str]:
    return [
        each["ContactId"] for each in (await org.query("SELECT ContactId FROM OpportunityContactRole WHERE IsPrimary = TRUE"))["records"]
    ]


async def test_an_opportunity_has_one_primary_role(org: Client) -> None:
    await org.verb("select_entities", {"entities": ["OpportunityContactRole"]})
    deal, one, two = await org.made("Opportunity", **DEAL), *[await org.made("Contact", LastName=each) for each in "ab"]
    first = await org.made("OpportunityContactRole", OpportunityId=deal, ContactId=one, IsPrimary=True)
    stream = Stream(org)
    await stream.open()
    await stream.subscribe("/data/OpportunityContactRoleChangeEvent")
    second = await org.made("OpportunityContactRole", OpportunityId=deal, ContactId=two, IsPrimary=True)
    headers = [each["data"]["payload"]["ChangeEventHeader"] for each in await stream.events(2)]
    assert [(each["changeType"], each["recordIds"]) for each in headers] == [("CREATE", [second]), ("UPDATE", [first])]
    assert len({each["transactionKey"] for each in headers}) == 1
    assert await primaries(org) == [two]
    await org.call("PATCH", f"/sobjects/OpportunityContactRole/{first}", {"IsPrimary": True})
    assert await primaries(org) == [one]
    await stream.close()


async def test_the_contact_of_a_new_opportunity_is_its_primary_role(org: Client) -> None:
    contact = await org.made("Contact", LastName="Ito")
    deal = await org.made("Opportunity", **DEAL, ContactId=contact)
    assert await primaries(org) == [contact]
    assert code(await org.call("PATCH", f"/sobjects/Opportunity/{deal}", {"ContactId": contact})) == "INVALID_FIELD_FOR_INSERT_UPDATE"


async def test_an_opportunity_knows_what_follows_from_its_stage(org: Client) -> None:
    deal = await org.made("Opportunity", **DEAL, Amount=200)
    row = await read(org, "Opportunity", deal)
    assert (row["Probability"], row["ExpectedRevenue"], row["ForecastCategoryName"], row["ForecastCategory"]) == (
        10,
        20,
        "Pipeline",
        "Pipeline",
    )
    assert (row["FiscalYear"], row["FiscalQuarter"], row["Fiscal"], row["LastStageChangeDate"]) == (2026, 4, "2026 4", None)
    await org.call("PATCH", f"/sobjects/Opportunity/{deal}", {"StageName": "Closed Won"})
    row = await read(org, "Opportunity", deal)
    assert (row["IsWon"], row["ExpectedRevenue"], row["ForecastCategory"]) == (True, 200, "Closed")
    assert row["LastStageChangeDate"] is not None


async def statuses(org: Client) -> list[dict[str, Any]]:
    return list((await org.query("SELECT Id, Label, SortOrder, IsDefault FROM CampaignMemberStatus ORDER BY SortOrder"))["records"])


async def test_a_campaign_has_one_default_status_and_unlike_places(org: Client) -> None:
    campaign = await org.made("Campaign", Name="C")
    sent, responded = [each["Id"] for each in await statuses(org)]
    new = await org.made("CampaignMemberStatus", CampaignId=campaign, Label="Visited", IsDefault=True)
    assert [(each["Label"], each["SortOrder"], each["IsDefault"]) for each in await statuses(org)] == [
        ("Sent", 1, False), ("Responded", 2, False), ("Visited", 3, True),
    ]  # fmt: skip
    for twice in ({"Label": "visited"}, {"Label": "Other", "SortOrder": 2}):
        refused = await org.call("POST", "/sobjects/CampaignMemberStatus", {"CampaignId": campaign, **twice})
        assert code(refused) == "DUPLICATE_VALUE"
    assert code(await org.call("PATCH", f"/sobjects/CampaignMemberStatus/{new}", {"IsDefault": False})) == "FIELD_INTEGRITY_EXCEPTION"
    assert code(await org.call("DELETE", f"/sobjects/CampaignMemberStatus/{new}")) == "DELETE_FAILED"
    lead = await org.made("Lead", **LEAD)
    await org.made("CampaignMember", CampaignId=campaign, LeadId=lead, Status="Sent")
    assert code(await org.call("DELETE", f"/sobjects/CampaignMemberStatus/{sent}")) == "DELETE_FAILED"
    assert (await org.call("DELETE", f"/sobjects/CampaignMemberStatus/{responded}")).status == 204


async def test_a_member_stays_with_its_person_and_shows_it(org: Client) -> None:
    campaign, lead = await org.made("Campaign", Name="C"), await org.made("Lead", **LEAD)
    account = await org.made("Account", Name="Ltd")
    contact = await org.made("Contact", LastName="Lee", AccountId=account, MailingCity="Rome")
    member = await org.made("CampaignMember", CampaignId=campaign, LeadId=lead)
    for values in ({"LeadId": None, "ContactId": contact}, {"LeadId": lead}):
        refused = await org.call("PATCH", f"/sobjects/CampaignMember/{member}", values)
        assert code(refused) == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert (
        code(await org.call("PATCH", f"/sobjects/CampaignMember/{member}", {"Email": "x@x.example"})) == "INVALID_FIELD_FOR_INSERT_UPDATE"
    )
    row = await read(org, "CampaignMember", member)
    assert (row["FirstName"], row["Name"], row["Email"], row["City"]) == ("Aki", "Aki Ito", "ito@x.example", "Oslo")
    assert (row["CompanyOrAccount"], row["Type"], row["LeadOrContactId"]) == ("Acme", "Lead", lead)
    await org.call("PATCH", f"/sobjects/Lead/{lead}", {"Email": "new@x.example"})
    found = await org.query("SELECT Id FROM CampaignMember WHERE Email = 'new@x.example'")
    assert [each["Id"] for each in found["records"]] == [member]
    row = await read(org, "CampaignMember", await org.made("CampaignMember", CampaignId=campaign, ContactId=contact))
    assert (row["LastName"], row["City"], row["CompanyOrAccount"], row["Type"]) == ("Lee", "Rome", "Ltd", "Contact")
    described = {each["name"]: each for each in (await org.call("GET", "/sobjects/CampaignMember/describe")).body["fields"]}
    assert (described["LeadId"]["createable"], described["LeadId"]["updateable"]) == (True, False)
    assert (described["Status"]["type"], [each["value"] for each in described["Status"]["picklistValues"]]) == (
        "picklist",
        ["Sent", "Responded"],
    )


async def test_a_campaign_counts_its_members_and_deals(org: Client) -> None:
    campaign, leads = await org.made("Campaign", Name="C"), [await org.made("Lead", **LEAD) for _ in range(2)]
    contact = await org.made("Contact", LastName="Lee")
    members = [await org.made("CampaignMember", CampaignId=campaign, LeadId=each) for each in leads]
    await org.made("CampaignMember", CampaignId=campaign, ContactId=contact, Status="Responded")
    deal = await org.made("Opportunity", **DEAL, CampaignId=campaign, Amount=10)
    names = (
        "NumberOfLeads",
        "NumberOfContacts",
        "NumberOfConvertedLeads",
        "NumberOfResponses",
        "NumberOfOpportunities",
        "AmountAllOpportunities",
    )

    async def counts() -> list[float]:
        row = await read(org, "Campaign", campaign)
        return [row[name] for name in names]

    assert await counts() == [2, 1, 0, 1, 1, 10]
    await org.call("PATCH", f"/sobjects/CampaignMember/{members[0]}", {"Status": "Responded"})
    await org.call("PATCH", f"/sobjects/Opportunity/{deal}", {"StageName": "Closed Won", "Amount": 30})
    assert await counts() == [2, 1, 0, 2, 1, 30]
    assert (await read(org, "Campaign", campaign))["AmountWonOpportunities"] == 30
    await org.call("DELETE", f"/sobjects/Lead/{leads[0]}")
    await org.call("DELETE", f"/sobjects/Opportunity/{deal}")
    assert await counts() == [1, 1, 0, 1, 0, 0]
    await org.verb("undelete", {"id": leads[0]})
    await org.verb("convert", {"lead": leads[1]})
    assert await counts() == [1, 1, 1, 2, 0, 0]
    refused = await org.call("PATCH", f"/sobjects/Campaign/{campaign}", {"NumberOfLeads": 9})
    assert code(refused) == "INVALID_FIELD_FOR_INSERT_UPDATE"
    described = (await org.call("POST", "/composite/sobjects", {"allOrNone": True, "records": [
        {"attributes": {"type": "CampaignMember"}, "CampaignId": campaign, "LeadId": await org.made("Lead", **LEAD)},
        {"attributes": {"type": "CampaignMember"}, "CampaignId": campaign},
    ]})).body  # fmt: skip
    assert [each["success"] for each in described] == [False, False]
    assert await counts() == [1, 1, 1, 2, 0, 0]


@pytest.mark.parametrize("name", ["Lead", "Contact"])
async def test_a_bounce_shows(org: Client, name: str) -> None:
    values = LEAD if name == "Lead" else {"LastName": "Ito"}
    bounced = await org.made(name, **values, EmailBouncedDate="2026-08-01T00:00:00Z", EmailBouncedReason="no such user")
    row = await read(org, name, bounced)
    assert row["EmailBouncedReason"] == "no such user"
    assert row.get("IsEmailBounced") is (True if name == "Contact" else None)
