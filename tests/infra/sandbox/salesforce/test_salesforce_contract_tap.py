"""tap-salesforce, a Singer tap, run against the org: it describes every object, makes a schema of it, and copies every record by
SystemModstamp, each checked against that schema."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from infra.setup import found, taps
from tests.infra.sandbox.conformance import Records
from tests.infra.sandbox.salesforce.conftest import CREDENTIALS, Client

SCRIPT = Path(__file__).parents[1] / "tap" / "tap_salesforce_to_sandbox.py"
TAP = "tap-salesforce"
SECONDS = 90.0


async def tap(org: Client, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(str(found.tap(TAP)), str(SCRIPT), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "SANDBOX_URL": org.url},
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), SECONDS)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, errors.decode()[-4000:]
    return output.decode()


def selected(catalog: dict[str, Any]) -> dict[str, Any]:
    """The catalog with every stream and field chosen, incremental where that is possible, as its users do it."""
    for stream in catalog["streams"]:
        for each in stream["metadata"]:
            each["metadata"]["selected"] = True
            keys = each["metadata"].get("valid-replication-keys")
            if keys:
                each["metadata"] |= {"replication-key": keys[0], "replication-method": "INCREMENTAL"}
    return catalog


@pytest.mark.integration
@pytest.mark.skipif(not taps.complete(TAP), reason="tap-salesforce is not here, and set-up could not install it")
async def test_a_singer_tap_copies_every_object(org: Client, conformance: Records, tmp_path: Path) -> None:
    account = await org.made("Account", Name="Acme", BillingCity="Oslo", AnnualRevenue=5)
    contact = await org.made("Contact", LastName="Ito", AccountId=account, Birthdate="1990-01-31")
    lead = await org.made("Lead", LastName="Lee", Company="Acme", HasOptedOutOfEmail=True)
    gone = await org.made("Lead", LastName="Gone", Company="Acme")
    await org.call("DELETE", f"/sobjects/Lead/{gone}")
    campaign = await org.made("Campaign", Name="Fair")
    await org.made("CampaignMember", CampaignId=campaign, LeadId=lead)
    await org.made("Event", WhoId=contact, ActivityDateTime="2026-08-10T10:00:00Z", DurationInMinutes=30)
    queue = await org.made("Group", Name="Web", Type="Queue")
    await org.made("QueueSobject", QueueId=queue, SobjectType="Lead")
    await org.made("Lead", LastName="Queued", Company="Acme", OwnerId=queue)
    ann = CREDENTIALS["user"]
    token = (await org.verb("issue_refresh_token", {"client_id": ann["client_id"], "username": ann["username"]}))["refresh_token"]
    config = {
        "refresh_token": token, "client_id": ann["client_id"], "client_secret": ann["client_secret"], "api_type": "REST",
        "start_date": "2020-01-01T00:00:00Z", "select_fields_by_default": True,
    }  # fmt: skip
    settings, catalog = tmp_path / "config.json", tmp_path / "catalog.json"
    settings.write_text(json.dumps(config))
    found = json.loads(await tap(org, "--config", str(settings), "--discover"))
    names = {each["stream"] for each in found["streams"]}
    assert names >= {"Lead", "Contact", "Group", "QueueSobject", "User", "UserRole", "Profile", "Organization", "LeadStatus", "Event"}
    catalog.write_text(json.dumps(selected(found)))
    messages = [json.loads(line) for line in (await tap(org, "--config", str(settings), "--properties", str(catalog))).splitlines()]
    records = [each for each in messages if each["type"] == "RECORD"]
    leads = {each["record"]["LastName"]: each["record"] for each in records if each["stream"] == "Lead"}
    assert {name: lead["IsDeleted"] for name, lead in leads.items()} == {"Lee": False, "Queued": False, "Gone": True}
    assert (leads["Lee"]["HasOptedOutOfEmail"], leads["Queued"]["OwnerId"]) == (True, queue)
    assert {each["stream"] for each in records} >= {"Group", "QueueSobject", "CampaignMember", "CampaignMemberStatus", "Event", "Profile"}
    state = tmp_path / "state.json"
    state.write_text(json.dumps([each for each in messages if each["type"] == "STATE"][-1]["value"]))
    await org.control("POST", "clock", {"advance_seconds": 60})
    await org.made("Lead", LastName="Later", Company="Acme")
    more = await tap(org, "--config", str(settings), "--properties", str(catalog), "--state", str(state))
    again = [
        each["record"]["LastName"] for each in map(json.loads, more.splitlines()) if each["type"] == "RECORD" and each["stream"] == "Lead"
    ]
    assert again[-1] == "Later"
    assert "Lee" in leads
    assert len(again) <= len(leads) + 1
    rows = (await org.control("GET", "meters")).body["rows"]
    refused = {row["endpoint"]: row["errors"] for row in rows if row["errors"]}
    assert refused == {}
    version = (taps.LOCKS / f"{TAP}.in").read_text().partition(f"{TAP}==")[2].split()[0]
    conformance.met(f"{TAP} {version}", "salesforce", rows)
