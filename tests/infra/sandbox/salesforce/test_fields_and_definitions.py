"""FIELDS() in a field list, and EntityDefinition through the Tooling API."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.infra.sandbox.salesforce.conftest import Client


@pytest.fixture
async def with_custom_field(org: Client) -> Client:
    await org.verb("define_field", {"object": "Lead", "field": {"name": "Score__c", "type": "int"}})
    await org.made("Lead", LastName="Ito", Company="Acme", Score__c=7)
    return org


async def one(org: Client, soql: str) -> dict[str, Any]:
    (record,) = (await org.query(soql))["records"]
    return dict(record)


async def test_fields_stand_for_all_that_the_caller_sees(with_custom_field: Client) -> None:
    org = with_custom_field
    described = {field["name"] for field in (await org.call("GET", "/sobjects/Lead/describe")).body["fields"]}
    assert set(await one(org, "SELECT FIELDS(ALL) FROM Lead LIMIT 200")) == described | {"attributes"}
    assert set(await one(org, "SELECT FIELDS(STANDARD) FROM Lead")) == described - {"Score__c"} | {"attributes"}
    assert await one(org, "SELECT LastName, fields(custom) FROM Lead LIMIT 1") == {
        "attributes": await one(org, "SELECT Id FROM Lead") and (await one(org, "SELECT LastName FROM Lead"))["attributes"],
        "LastName": "Ito", "Score__c": 7,
    }  # fmt: skip
    user = {"user": "tandem@sandbox.example", "object": "Lead", "field": "Email", "readable": False}
    await org.verb("set_field_permission", user)
    assert "Email" not in await one(org, "SELECT FIELDS(ALL) FROM Lead LIMIT 1")
    account = await org.made("Account", Name="Acme")
    await org.made("Contact", LastName="C", AccountId=account)
    parent = await one(org, "SELECT Name, (SELECT FIELDS(STANDARD) FROM Contacts LIMIT 200) FROM Account")
    assert parent["Contacts"]["records"][0]["LastName"] == "C"


@pytest.mark.parametrize(
    ("soql", "code", "text"),
    [
        ("SELECT FIELDS(ALL) FROM Lead", "MALFORMED_QUERY", "The SOQL FIELDS function must have a LIMIT of at most 200"),
        ("SELECT FIELDS(CUSTOM) FROM Lead LIMIT 201", "MALFORMED_QUERY", "The SOQL FIELDS function must have a LIMIT of at most 200"),
        ("SELECT (SELECT FIELDS(ALL) FROM Contacts) FROM Account", "MALFORMED_QUERY", "must have a LIMIT of at most 200"),
        ("SELECT Id, FIELDS(STANDARD) FROM Lead", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Id, LastName, id FROM Lead", "INVALID_FIELD", "duplicate field selected: id"),
        ("SELECT FIELDS(MOST) FROM Lead", "MALFORMED_QUERY", "unexpected token: 'MOST'"),
    ],
)
async def test_refused(with_custom_field: Client, soql: str, code: str, text: str) -> None:
    (refused,) = await with_custom_field.query(soql)
    assert refused["errorCode"] == code
    assert text in refused["message"]


async def test_a_query_job_takes_the_bounded_group_only(with_custom_field: Client) -> None:
    org = with_custom_field
    refused = await org.call("POST", "/jobs/query", {"operation": "query", "query": "SELECT FIELDS(ALL) FROM Lead LIMIT 200"})
    assert "unbounded set of fields" in refused.body[0]["message"]
    job = (await org.call("POST", "/jobs/query", {"operation": "query", "query": "SELECT FIELDS(STANDARD) FROM Lead"})).body
    async with asyncio.timeout(10):
        while (await org.call("GET", f"/jobs/query/{job['id']}")).body["state"] != "JobComplete":
            await asyncio.sleep(0.01)
    head = (await org.call("GET", f"/jobs/query/{job['id']}/results")).body.splitlines()[0]
    assert ('"Email"' in head, '"Score__c"' in head, '"Address"' in head) == (True, False, False)


async def test_entity_definitions_are_those_that_the_caller_sees(org: Client) -> None:
    await org.verb("define_object", {"name": "Visit__c", "label": "Visit", "fields": []})
    await org.verb("set_sharing", {"object": "Lead"})
    soql = "SELECT QualifiedApiName, DurableId, KeyPrefix, Label, InternalSharingModel, IsQueryable FROM EntityDefinition"

    async def found(where: str = "") -> dict[str, Any]:
        answer = await org.query(f"{soql}{where}", "tooling/query")
        assert answer["entityTypeName"] == "EntityDefinition"
        return {each["QualifiedApiName"]: each for each in answer["records"]}

    whole = await found()
    assert (whole["Lead"]["DurableId"], whole["Lead"]["KeyPrefix"], whole["Lead"]["InternalSharingModel"]) == ("Lead", "00Q", "Private")
    assert whole["Visit__c"]["DurableId"].startswith("01I")
    assert list(await found(" WHERE QualifiedApiName IN ('Contact', 'Visit__c')")) == ["Contact", "Visit__c"]
    listed = {each["name"] for each in (await org.call("GET", "/sobjects")).body["sobjects"] if not each["name"].endswith("ChangeEvent")}
    assert set(whole) == listed
    rights = {"user": "tandem@sandbox.example", "object": "Campaign", "readable": False}
    await org.verb("set_object_permission", rights)
    assert "Campaign" not in await found()


@pytest.mark.parametrize(
    "rest", ["SELECT COUNT() FROM EntityDefinition", "SELECT Label FROM EntityDefinition WHERE Label != 'x'",
             "SELECT Label FROM EntityDefinition WHERE Label = 'x' OR Label = 'y'", "SELECT Label FROM EntityDefinition LIMIT 5 OFFSET 5"]
)  # fmt: skip
async def test_what_it_does_not_do(org: Client, rest: str) -> None:
    (refused,) = await org.query(rest, "tooling/query")
    assert refused["errorCode"] == "MALFORMED_QUERY"
