"""Lead conversion and merge over SOAP, as the SOAP API guide and the CDC guide tell of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import Client

LEAD = {"LastName": "Ito", "Company": "Acme", "LeadSource": "Web"}
CONVERTED = "Closed - Converted"


async def soap(org: Client, body: str, headers: str = "") -> ET.Element:
    envelope = (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"><soapenv:Header>'
        f"<SessionHeader><sessionId>{org.token}</sessionId></SessionHeader>{headers}</soapenv:Header>"
        f"<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
    async with org.session.post(f"{org.url}/services/Soap/u/66.0", data=envelope, headers={"SOAPAction": '""'}) as answer:
        return ET.fromstring(await answer.text())  # noqa: S314 - the sandbox's own answer


def texts(root: ET.Element, name: str) -> list[str]:
    return [each.text or "" for each in root.iter() if each.tag.rpartition("}")[2] == name]


async def converted(org: Client, lead: str, **said: str) -> ET.Element:
    parts = "".join(f"<{name}>{value}</{name}>" for name, value in {"leadId": lead, **said}.items())
    return await soap(org, f"<convertLead><leadConverts>{parts}</leadConverts></convertLead>")


async def read(org: Client, name: str, record_id: str) -> dict[str, Any]:
    return dict((await org.call("GET", f"/sobjects/{name}/{record_id}")).body)


async def test_the_opportunity_is_the_leads(org: Client) -> None:
    owner = (await org.query("SELECT Id FROM User WHERE Username LIKE 'ann%'"))["records"][0]["Id"]
    lead = await org.made("Lead", **LEAD, OwnerId=owner)
    campaigns = [await org.made("Campaign", Name=each) for each in "ab"]
    for campaign in campaigns:
        await org.made("CampaignMember", CampaignId=campaign, LeadId=lead)
    result = await converted(org, lead, convertedStatus=CONVERTED)
    assert texts(result, "success") == ["true"]
    deal = await read(org, "Opportunity", texts(result, "opportunityId")[0])
    assert (deal["OwnerId"], deal["LeadSource"], deal["CampaignId"]) == (owner, "Web", campaigns[-1])
    closes = date.fromisoformat(deal["CloseDate"])
    assert (closes.month % 3, closes >= org_day(org)) == (0, True)
    assert (await read(org, "Account", texts(result, "accountId")[0]))["OwnerId"] == owner


def org_day(org: Client) -> date:
    return datetime.fromtimestamp(org.running.system.clock.now_ms() / 1000, UTC).date()


@pytest.mark.parametrize("status", ["", "Working - Contacted", "no such status"])
async def test_a_converted_status_is_asked_for(org: Client, status: str) -> None:
    lead = await org.made("Lead", **LEAD)
    result = await converted(org, lead, **({"convertedStatus": status} if status else {}))
    assert (texts(result, "success"), texts(result, "statusCode")) == (["false"], ["INVALID_STATUS"])


async def test_only_a_conversion_gives_a_converted_status(org: Client) -> None:
    lead = await org.made("Lead", **LEAD)
    refused = await org.call("PATCH", f"/sobjects/Lead/{lead}", {"Status": CONVERTED})
    assert refused.body[0]["errorCode"] == "INVALID_STATUS"
    await org.verb("set_options", {"converted_status_by_update": True})
    assert (await org.call("PATCH", f"/sobjects/Lead/{lead}", {"Status": CONVERTED})).status == 204


async def test_a_queues_lead_is_converted_for_somebody(org: Client) -> None:
    queue = await org.made("Group", Name="Web", Type="Queue")
    await org.made("QueueSobject", QueueId=queue, SobjectType="Lead")
    lead = await org.made("Lead", **LEAD, OwnerId=queue)
    assert texts(await converted(org, lead, convertedStatus=CONVERTED), "statusCode") == ["REQUIRED_FIELD_MISSING"]
    owner = (await org.query("SELECT Id FROM User LIMIT 1"))["records"][0]["Id"]
    result = await converted(org, lead, convertedStatus=CONVERTED, ownerId=owner)
    assert (await read(org, "Contact", texts(result, "contactId")[0]))["OwnerId"] == owner


async def test_custom_fields_go_where_the_administrator_maps_them(org: Client) -> None:
    for name in ("Lead", "Contact", "Account"):
        await org.verb("define_field", {"object": name, "field": {"name": "Key__c", "type": "string"}})
    lead = await org.made("Lead", **LEAD, Key__c="k1")
    result = await converted(org, lead, convertedStatus=CONVERTED)
    assert (await read(org, "Contact", texts(result, "contactId")[0]))["Key__c"] is None
    await org.verb("map_lead_fields", {"fields": {"Key__c": ["Contact.Key__c"]}})
    result = await converted(org, await org.made("Lead", **LEAD, Key__c="k2"), convertedStatus=CONVERTED)
    assert (await read(org, "Contact", texts(result, "contactId")[0]))["Key__c"] == "k2"
    assert (await read(org, "Account", texts(result, "accountId")[0]))["Key__c"] is None
    await org.verb("set_options", {"convert_lead_maps_same_names": True})
    result = await converted(org, await org.made("Lead", **LEAD, Key__c="k3"), convertedStatus=CONVERTED)
    assert (await read(org, "Account", texts(result, "accountId")[0]))["Key__c"] == "k3"
    assert (await org.control("POST", "verb/map_lead_fields", {"fields": {"Key__c": ["Contact.No__c"]}})).status == 400


async def test_each_merge_of_a_call_is_a_transaction(org: Client) -> None:
    leads = [await org.made("Lead", LastName=f"n{number}", Company="Acme") for number in range(6)]
    stream = Stream(org)
    await stream.open()
    await stream.subscribe("/data/LeadChangeEvent")
    pairs = [(leads[0], leads[1]), (leads[2], leads[2]), (leads[3], leads[4])]
    body = "".join(
        f"<request><masterRecord><type>Lead</type><Id>{master}</Id></masterRecord><recordToMergeIds>{loser}</recordToMergeIds></request>"
        for master, loser in pairs
    )
    result = await soap(org, f"<merge>{body}</merge>", "<AllOrNoneHeader><allOrNone>true</allOrNone></AllOrNoneHeader>")
    assert texts(result, "success") == ["true", "false", "true"]
    headers = [each["data"]["payload"]["ChangeEventHeader"] for each in await stream.events(4)]
    by_transaction: dict[str, list[tuple[str, list[str]]]] = {}
    for each in headers:
        by_transaction.setdefault(each["transactionKey"], []).append((each["changeType"], each["recordIds"]))
    assert list(by_transaction.values()) == [
        [("DELETE", [leads[1]]), ("UPDATE", [leads[0]])], [("DELETE", [leads[4]]), ("UPDATE", [leads[3]])],
    ]  # fmt: skip
    await stream.close()
