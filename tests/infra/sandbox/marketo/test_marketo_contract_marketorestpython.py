"""The instance as marketorestpython sees it: a client that we did not write takes it for a Marketo."""

import asyncio
from typing import Any

import pytest
from marketorestpython.client import MarketoClient

pytestmark = pytest.mark.integration


@pytest.fixture
def client(marketo_only: Any) -> Any:
    known = marketo_only.endpoints["marketo"]
    made = MarketoClient("123-ABC-456", known["client_id"], known["client_secret"], requests_timeout=10)
    made.host = known["url"]
    return made


async def test_a_day_in_the_life(client: Any, marketo_only: Any, conformance: Any) -> None:
    await asyncio.to_thread(scenario, client)
    conformance.met("marketorestpython 0.5.25", "marketo", (await marketo_only.get("/meters"))["marketo"]["rows"])


def scenario(client: Any) -> None:
    token = client.execute(method="get_paging_token", sinceDatetime="2020-01-01T00:00:00Z")
    made = client.execute(
        method="create_update_leads",
        leads=[{"email": "a@example.com", "firstName": "Ann"}, {"email": "b@example.com"}, {"nope": 1}],
        action="createOnly",
    )
    assert [one["status"] for one in made] == ["created", "created", "skipped"]
    client.execute(method="create_update_leads", leads=[{"email": "a@example.com", "firstName": "Änne"}], lookupField="email")
    assert client.execute(method="get_lead_by_id", id=1, fields=["firstName"]) == [{"id": 1, "firstName": "Änne"}]
    found = client.execute(
        method="get_multiple_leads_by_filter_type", filterType="email", filterValues=["a@example.com", "b@example.com"], batchSize=1
    )
    assert [one["email"] for one in found] == ["a@example.com", "b@example.com"]
    changes = client.execute(method="get_lead_changes", fields=["firstName"], nextPageToken=token)
    assert [one["activityTypeId"] for one in changes] == [12, 12, 13]
    rows = client.execute(method="get_lead_activities", activityTypeIds=["12", "13"], nextPageToken=token)
    assert len(rows) == 3
    assert client.execute(method="merge_lead", id=1, leadIds=[2]) is True
    assert client.execute(method="delete_lead", id=[1])[0]["status"] == "deleted"
    assert [one["leadId"] for one in client.execute(method="get_deleted_leads", nextPageToken=token)] == [1]
    with pytest.raises(Exception, match="1004"):
        client.execute(method="get_lead_by_id", id=1)
    assert {one["rest"]["name"] for one in client.execute(method="describe")} >= {"email", "firstName"}
    assert client.execute(method="describe2")[0]["name"] == "API Lead"
    assert {one["id"] for one in client.execute(method="get_activity_types")} >= {12, 13}
    assert client.execute(method="get_lead_partitions")[0]["name"] == "Default"
    assert client.execute(method="get_daily_usage")[0]["total"] >= 12
    assert client.execute(method="get_daily_errors")[0]["errors"] == [{"errorCode": "1004", "count": 1}]
