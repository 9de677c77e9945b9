"""Who a token is of, composite graphs, and the addresses that published samples use."""

from __future__ import annotations

from typing import Any

from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import CREDENTIALS, Client


async def test_a_token_says_who_it_is_of(org: Client) -> None:
    username = CREDENTIALS["tandem"]["username"]
    told = (await org.call("GET", "/services/oauth2/userinfo")).body
    user = (await org.query("SELECT Id FROM User WHERE Username LIKE 'tandem%'"))["records"][0]["Id"]
    assert (told["user_id"], told["preferred_username"], told["zoneinfo"]) == (user, username, "GMT")
    identity = (await org.call("GET", "")).body["identity"]
    path = identity.removeprefix("https://login.salesforce.com")
    answer = await org.call("GET", f"{org.url}{path}")
    assert (answer.body["user_id"], answer.body["username"], answer.body["active"]) == (user, username, True)
    other = path.replace(user, "0055fA000000999EAA")
    assert (await org.call("GET", f"{org.url}{other}")).status == 403
    await org.verb("expire_sessions", {"user": username})
    assert (await org.call("GET", f"{org.url}/services/oauth2/userinfo")).status == 403


def created(reference: str, **values: Any) -> dict[str, Any]:
    return {"method": "POST", "url": "/services/data/v66.0/sobjects/Contact", "referenceId": reference, "body": values}


async def test_a_part_may_name_its_address_as_a_call_does(org: Client) -> None:
    window = "start=2026-01-01T00:00:00Z&end=2026-01-01T00:01:00Z"
    urls = [f"/services/data/v66.0/sobjects/Lead/deleted{slash}?{window}" for slash in ("", "/")]
    parts = [{"method": "GET", "url": url, "referenceId": f"r{place}"} for place, url in enumerate(urls)]
    told = (await org.call("POST", "/composite", {"compositeRequest": parts})).body["compositeResponse"]
    alone = [(await org.call("GET", f"{org.url}{url}")).status for url in urls]
    assert [each["httpStatusCode"] for each in told] == alone
    assert told[0]["body"] == told[1]["body"]


async def test_each_graph_is_all_or_none(org: Client) -> None:
    account = {"method": "POST", "url": "/services/data/v66.0/sobjects/Account", "referenceId": "a", "body": {"Name": "Acme"}}
    graphs = [
        {"graphId": "good", "compositeRequest": [account, created("c", LastName="Ito", AccountId="@{a.id}")]},
        {"graphId": "bad", "compositeRequest": [created("c", LastName="Lee"), created("d", FirstName="no last name")]},
    ]
    answer = (await org.call("POST", "/composite/graph", {"graphs": graphs})).body["graphs"]
    assert [(each["graphId"], each["isSuccessful"]) for each in answer] == [("good", True), ("bad", False)]
    codes = [one["body"][0]["errorCode"] for one in answer[1]["graphResponse"]["compositeResponse"]]
    assert codes == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    found = await org.query("SELECT LastName, Account.Name FROM Contact")
    assert [(each["LastName"], each["Account"]["Name"]) for each in found["records"]] == [("Ito", "Acme")]
    for wrong in ({}, {"graphs": [{"graphId": "x"}]}, {"graphs": [{"graphId": "x", "compositeRequest": ["y"]}]}):
        assert (await org.call("POST", "/composite/graph", wrong)).body[0]["errorCode"] == "JSON_PARSER_ERROR"
    twice = [{"graphId": "x", "compositeRequest": []}, {"graphId": "x", "compositeRequest": []}]
    assert (await org.call("POST", "/composite/graph", {"graphs": twice})).body[0]["errorCode"] == "LIMIT_EXCEEDED"


async def test_the_stream_is_at_the_address_of_the_samples_too(org: Client) -> None:
    stream = Stream(org, version="66.0/")
    await stream.open()
    await stream.close()
