"""Every page that a person can reach by a link is there, whatever the records hold."""

import html
import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration
PAGES_MAX = 600


async def fill_salesforce(sandbox: Any) -> None:
    """A record of each kind, with values of each kind."""

    async def made(name: str, **fields: Any) -> str:
        return str((await sandbox.post("/salesforce/create", {"object": name, "fields": fields}))["id"])

    for field in (
        {"name": "Many__c", "type": "multipicklist", "picklist": ["a", "b"]}, {"name": "When__c", "type": "date"},
        {"name": "Twice__c", "type": "double", "formula": "NumberOfEmployees * 2"},
    ):  # fmt: skip
        await sandbox.post("/salesforce/define_field", {"object": "Lead", "field": field})
    await sandbox.post("/salesforce/define_object", {"name": "Visit__c", "label": "Visit", "fields": []})
    await sandbox.post("/salesforce/add_record_type", {"object": "Lead", "name": "Partner"})
    account = await made("Account", Name="Acme & <Sons>")
    contact = await made("Contact", LastName='"quoted"', AccountId=account)
    lead = await made("Lead", LastName="L", Company="C", Many__c="a;b", When__c="2026-01-31", NumberOfEmployees=3, DoNotCall=True)
    deal = await made("Opportunity", Name="Deal", StageName="Prospecting", CloseDate="2026-01-01", Amount=1.5, AccountId=account)
    await made("OpportunityContactRole", OpportunityId=deal, ContactId=contact)
    campaign = await made("Campaign", Name="Fair")
    await made("CampaignMember", CampaignId=campaign, LeadId=lead)
    await made("Task", Subject="Call", WhoId=lead)
    await made("Event", Subject="Meet", WhatId=account, StartDateTime="2026-01-01T10:00:00Z", EndDateTime="2026-01-01T11:00:00Z")
    await made("Group", Name="Queue")
    await made("Visit__c", Name="First")
    await sandbox.post("/salesforce/convert", {"lead": await made("Lead", LastName="Conv", Company="C"), "opportunity": "New"})
    await sandbox.post("/salesforce/delete", {"id": await made("Contact", LastName="Gone")})


async def fill_marketo(sandbox: Any) -> None:
    await sandbox.post("/marketo/field/create", {"name": "own", "displayName": "Own", "dataType": "boolean"})
    for number in range(3):
        fields = {"email": f"{number}@x.example", "firstName": "<i>", "own": True, "company": "C", "dateOfBirth": "1990-01-31"}
        await sandbox.post("/marketo/person/create", {"fields": fields})
    await sandbox.post("/marketo/person/merge", {"winner": 1, "losers": [2]})
    program = (await sandbox.post("/marketo/program/create", {"name": "P"}))["id"]
    await sandbox.post("/marketo/program/status", {"program": program, "ids": [1], "status": "Clicked"})
    static = (await sandbox.post("/marketo/list/create", {"name": "L"}))["id"]
    await sandbox.post("/marketo/list/add", {"list": static, "ids": [1, 3]})
    hook = (await sandbox.post("/marketo/webhook/create", {"name": "W", "url": "http://127.0.0.1:9/", "headers": {"A": "b"}}))["id"]
    steps = [{"type": "webhook", "webhook": hook}]
    await sandbox.post("/marketo/campaign/create", {"name": "C", "on": "request", "steps": steps})
    await sandbox.post("/marketo/service/create", {"name": "S", "url": "http://127.0.0.1:9/", "fields": []})
    await sandbox.post("/marketo/stream/create", {"client_id": "u"})


@pytest.mark.parametrize(("system", "fill"), [("salesforce", fill_salesforce), ("marketo", fill_marketo)])
async def test_every_link_leads_to_a_page(start: Any, tmp_path: Path, system: str, fill: Any) -> None:
    async with start(tmp_path / "sandbox", "--only", system) as sandbox:
        await fill(sandbox)
        fault = {"system": system, "action": {"type": "latency", "ms": 1}, "match": {"path": "/nowhere/*"}, "times": None}
        await sandbox.post("/faults", fault)
        waiting, seen = ["/ui"], {"/ui"}
        while waiting and len(seen) < PAGES_MAX:
            path = waiting.pop()
            async with sandbox.http.get(f"{sandbox.url}{path}") as answer:
                text = await answer.text()
                assert (answer.status, answer.content_type) == (200, "text/html"), f"{path}: {answer.status} {text[:300]}"
            found = {html.unescape(link) for link in re.findall(r'href="(/[^"]*)"', text)}
            waiting += sorted(found - seen)
            seen |= found
    records = {path for path in seen if path.count("/") == 4 and "?" not in path and "/-/" not in path}
    assert len({path.split("/")[3] for path in records}) >= 8
    assert any("mode=edit" in path for path in seen)
