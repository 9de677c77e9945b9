"""Clients that others wrote, against the org: simple-salesforce over REST, aiosfstream-ng over CometD."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import requests
from aiosfstream_ng import Client as StreamingClient
from aiosfstream_ng import ReplayOption
from aiosfstream_ng.auth import PasswordAuthenticator
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceMalformedRequest, SalesforceResourceNotFound

from tests.infra.sandbox.salesforce.conftest import CREDENTIALS, Client


class PlainHttp(HTTPAdapter):
    """The client insists on https addresses; this sends them without TLS."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **options)


def salesforce(org: Client) -> Salesforce:
    session = requests.Session()
    session.mount("https://", PlainHttp())
    return Salesforce(instance=org.url.removeprefix("http://"), session_id=org.token, version="66.0", session=session)


async def test_simple_salesforce_rows_and_queries(org: Client) -> None:
    await org.verb("define_field", {"object": "Contact", "field": {"name": "Ext__c", "type": "string", "external_id": True}})
    await org.verb("set_options", {"query_batch": 2})

    def use() -> None:
        sf = salesforce(org)
        contacts = sf.Contact
        made = contacts.create({"LastName": "Ito", "Email": "ito@x.example"})
        assert contacts.get(made["id"])["Email"] == "ito@x.example"
        assert contacts.update(made["id"], {"Title": "CTO"}) == 204
        assert contacts.upsert("Ext__c/k1", {"LastName": "Upserted"}) == 201
        assert contacts.get_by_custom_id("Ext__c", "k1")["LastName"] == "Upserted"
        assert {field["name"] for field in contacts.describe()["fields"]} >= {"Email", "Ext__c"}
        contacts.create({"LastName": "third"})
        found = sf.query_all("SELECT Id, LastName, Owner.Name FROM Contact ORDER BY LastName")
        assert [record["LastName"] for record in found["records"]] == ["Ito", "third", "Upserted"]
        assert found["records"][0]["Owner"]["Name"] == "Tandem Integration"
        assert [record["LastName"] for record in sf.query_all_iter("SELECT LastName FROM Contact WHERE Email != null")] == ["Ito"]
        assert contacts.delete(made["id"]) == 204
        assert sf.query("SELECT COUNT() FROM Contact")["totalSize"] == 2
        assert sf.query("SELECT Id FROM Contact WHERE IsDeleted = TRUE", include_deleted=True)["totalSize"] == 1
        assert sf.limits()["DailyApiRequests"]["Max"] > 0
        assert any(each["name"] == "Lead" for each in sf.describe()["sobjects"])
        with pytest.raises(SalesforceResourceNotFound):
            contacts.get(made["id"])
        with pytest.raises(SalesforceMalformedRequest) as refused:
            sf.query("SELECT Nothing FROM Contact")
        assert refused.value.content[0]["errorCode"] == "INVALID_FIELD"
        batch = sf.restful(
            "composite/sobjects", method="POST", json={"records": [{"attributes": {"type": "Lead"}, "LastName": "x", "Company": "y"}]}
        )
        assert batch[0]["success"]

    await asyncio.to_thread(use)
    await org.verb("expire_sessions", {"user": "tandem@sandbox.example"})
    with pytest.raises(SalesforceExpiredSession):
        await asyncio.to_thread(lambda: salesforce(org).query("SELECT Id FROM Lead"))


class SandboxAuthenticator(PasswordAuthenticator):
    url = ""

    @property
    def _token_url(self) -> str:
        return f"{self.url}/services/oauth2/token"


def streaming_client(org: Client, **options: Any) -> StreamingClient:
    ann = CREDENTIALS["user"]
    authenticator = SandboxAuthenticator(ann["client_id"], ann["client_secret"], ann["username"], ann["password"])
    authenticator.url = org.url
    return StreamingClient(authenticator, connection_timeout=0, **options)


async def test_aiosfstream_hears_and_replays(org: Client) -> None:
    await org.call("POST", "/sobjects/Lead", {"LastName": "before", "Company": "Acme"})
    async with streaming_client(org, replay=ReplayOption.ALL_EVENTS) as client:
        await client.subscribe("/data/LeadChangeEvent")
        first = await asyncio.wait_for(client.receive(), 10)
        assert first["data"]["payload"]["Name"]["LastName"] == "before"
        made = await org.call("POST", "/sobjects/Lead", {"LastName": "after", "Company": "Acme"})
        second = await asyncio.wait_for(client.receive(), 10)
        assert second["data"]["payload"]["ChangeEventHeader"]["recordIds"] == [made.body["id"]]
        assert second["data"]["event"]["replayId"] > first["data"]["event"]["replayId"]


async def test_aiosfstream_recovers_from_a_dropped_session(org: Client) -> None:
    async with streaming_client(org, replay={}) as client:
        await client.subscribe("/data/ChangeEvents")
        await org.call("POST", "/sobjects/Lead", {"LastName": "one", "Company": "Acme"})
        await asyncio.wait_for(client.receive(), 10)
        await org.fault({"type": "session_drop"})
        await org.call("POST", "/sobjects/Lead", {"LastName": "two", "Company": "Acme"})
        message = await asyncio.wait_for(client.receive(), 10)
        assert message["data"]["payload"]["Name"]["LastName"] == "two"
