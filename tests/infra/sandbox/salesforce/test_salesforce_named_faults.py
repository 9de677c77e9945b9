"""Every named fault does what its name says."""

from __future__ import annotations

import pytest

from infra.sandbox.salesforce.org.faults import NAMED
from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import Client

LEAD = {"LastName": "Ito", "Company": "Acme"}


@pytest.mark.parametrize("name", sorted(name for name, action in NAMED.items() if action["type"] == "salesforce_error"))
async def test_calls_are_refused(org: Client, name: str) -> None:
    await org.fault({"type": name}, {"path": "/services/data/*"})
    answer = await org.call("GET", "/query?q=SELECT+Id+FROM+Lead")
    assert (answer.status, answer.body[0]["errorCode"]) == (NAMED[name]["status"], NAMED[name]["code"])
    assert (await org.call("GET", "/query?q=SELECT+Id+FROM+Lead")).status == 200


@pytest.mark.parametrize("name", sorted(name for name, action in NAMED.items() if action["type"] == "record_errors"))
async def test_records_are_refused_and_others_not(org: Client, name: str) -> None:
    await org.fault({"type": name, "every": 2})
    records = [{"attributes": {"type": "Lead"}, **LEAD} for _ in range(4)]
    items = (await org.call("POST", "/composite/sobjects", {"records": records})).body
    assert [item["success"] for item in items] == [False, True, False, True]
    assert items[0]["errors"][0]["statusCode"] == NAMED[name]["statusCode"]


@pytest.mark.parametrize("name", sorted(name for name, action in NAMED.items() if action["type"] == "streaming_error"))
async def test_streams_are_refused(org: Client, name: str) -> None:
    await org.fault({"type": name})
    stream = Stream(org)
    answer = await stream.handshake()
    if NAMED[name]["on"] == "connect":
        assert answer["successful"]
        [answer] = await stream.connect()
    assert (answer["successful"], answer["error"]) == (False, NAMED[name]["error"])
    if NAMED[name]["failure_reason"]:
        assert answer["ext"]["sfdc"]["failureReason"] == NAMED[name]["failure_reason"]
    await stream.close()


async def test_what_is_said_goes_before_the_name(org: Client) -> None:
    await org.fault({"type": "daily_limit", "status": 503}, {"path": "/services/data/*"})
    assert (await org.call("GET", "/limits")).status == 503
