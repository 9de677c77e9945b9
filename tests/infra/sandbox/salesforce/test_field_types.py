"""A custom field that gets another type: the values, the events, and what a restart makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import Client, Start

ALL = "/data/ChangeEvents"


@pytest.mark.parametrize(
    "case",
    [
        ({"type": "string"}, {"type": "string", "length": 3}, ("12345", "123"), "nothing"),
        ({"type": "double"}, {"type": "string"}, (12.5, "12.5"), "nothing"),
        ({"type": "double", "scale": 2}, {"type": "int"}, (12.5, 12), "nothing"),
        ({"type": "picklist", "picklist": ["a", "b"]}, {"type": "multipicklist", "picklist": ["a", "b"]}, ("a", "a"), "gap"),
        ({"type": "date"}, {"type": "string"}, ("2026-01-01", None), "wildcard"),
        ({"type": "boolean"}, {"type": "string"}, (True, None), "wildcard"),
        ({"type": "string"}, {"type": "date"}, ("x", None), "wildcard"),
    ],
)
async def test_values_and_events(start: Start, tmp_path: Path, case: tuple[dict[str, Any], dict[str, Any], tuple[Any, Any], str]) -> None:
    old, new, (value, stored), told = case
    org = await start(tmp_path / "org")
    await org.log_in()
    await org.verb("define_field", {"object": "Lead", "field": {"name": "F__c", **old}})
    leads = [await org.made("Lead", LastName=name, Company="C", F__c=value) for name in "ab"]
    untouched = await org.made("Lead", LastName="c", Company="C")
    before = {each: (await org.call("GET", f"/sobjects/Lead/{each}")).body["SystemModstamp"] for each in leads}
    stream = Stream(org)
    await stream.handshake()
    await stream.connect()
    await stream.subscribe(ALL, -1)
    assert await org.verb("change_field_type", {"object": "Lead", "field": "F__c", **new}) == {"told": told}
    if told != "nothing":
        (event,) = await stream.events(1)
        header = event["data"]["payload"]["ChangeEventHeader"]
        assert set(event["data"]["payload"]) == {"ChangeEventHeader"}
        expected = ("UPDATE", ["00Q*"]) if told == "wildcard" else ("GAP_UPDATE", leads)
        assert (header["changeType"], header["recordIds"]) == expected
    await stream.close()
    again = await start(tmp_path / "org")
    again.token = org.token
    for client in (org, again):
        rows = [(await client.call("GET", f"/sobjects/Lead/{each}")).body for each in leads]
        assert [row["F__c"] for row in rows] == [stored, stored]
        assert {row["Id"]: row["SystemModstamp"] for row in rows} == before
        described = (await client.call("GET", "/sobjects/Lead/describe")).body["fields"]
        assert next(field["type"] for field in described if field["name"] == "F__c") == new["type"]
    lines = [orjson.loads(line.partition(" ")[2]) for line in (await org.control("GET", "history?object=Lead")).body.splitlines()]
    changed = [line["id"] for line in lines if line.get("via") == "change_field_type"]
    assert changed == leads
    assert untouched not in changed


@pytest.mark.parametrize("field", ["Email", "Nothing__c"])
async def test_only_custom_fields(org: Client, field: str) -> None:
    answer = await org.control("POST", "verb/change_field_type", {"object": "Lead", "field": field, "type": "string"})
    assert (answer.status, "no custom field" in str(answer.body)) == (400, True)
