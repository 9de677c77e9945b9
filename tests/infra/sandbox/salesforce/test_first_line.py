"""The thinnest line: a token, a lead over REST, its change event over CometD."""

from typing import Any

from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import Client


async def test_a_lead_made_over_rest_arrives_on_the_stream(org: Client) -> None:
    stream = Stream(org)
    await stream.open()
    answer = await stream.subscribe("/data/ChangeEvents")
    assert answer["successful"], answer
    made = await org.call("POST", "/sobjects/Lead", {"LastName": "Okafor", "Company": "Acme", "Email": "o@acme.example"})
    assert made.status == 201, made
    [event] = await stream.events(1)
    payload: dict[str, Any] = event["data"]["payload"]
    assert payload["Name"] == {"LastName": "Okafor"}
    assert payload["ChangeEventHeader"]["recordIds"] == [made.body["id"]]
    assert payload["ChangeEventHeader"]["changeType"] == "CREATE"
    assert (await org.call("PATCH", f"/sobjects/Lead/{made.body['id']}", {"Title": "CTO", "Email": None})).status == 204
    [event] = await stream.events(1)
    payload = event["data"]["payload"]
    assert (payload["Title"], payload["Email"]) == ("CTO", None)
    assert sorted(payload["ChangeEventHeader"]["changedFields"]) == ["Email", "LastModifiedDate", "Title"]
    await stream.close()
