"""What webhooks and deliveries of the data stream hint at."""

import json
from typing import Any

import pytest

from streams.marketo.sources.push import adobe, webhook
from streams.marketo.sources.push.hints import Hint


@pytest.mark.parametrize(
    ("body", "leads"),
    [
        ('{"leadId":4711,"email":"a@b.example"}', ["4711"]),
        ('{"leadId":"4711"}', ["4711"]),
        ('{"id":7}', ["7"]),
        ('[{"leadId":1},{"leadId":2},{"leadId":1},{"other":3}]', ["1", "2"]),
    ],
)
def test_whom_a_webhook_is_about(body: str, leads: list[str]) -> None:
    assert webhook.hints_of(body.encode()) == [Hint(lead) for lead in leads]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b"1", b"null", b'{"leadId":""}', b'{"leadId":true}', b'{"leadId":-1}', b'{"leadId":[1]}', b"\xff"]
)
def test_a_body_that_names_nobody_says_so_and_nothing_of_what_it_holds(body: bytes) -> None:
    with pytest.raises(webhook.UnreadableError) as refused:
        webhook.hints_of(body)
    assert "ann@" not in str(refused.value)


def event(**other: Any) -> dict[str, Any]:
    data = {"munchkinId": "123-ABC-456", "leadId": "17", "activityTypeId": 13, **other.pop("data", {})}
    return {"id": "900", "recipientclientid": "us", "data": data, **other}


def told(*events: Any) -> adobe.Told:
    return adobe.told_by(adobe.events_in(json.dumps(list(events)).encode()), client_id="us", munchkin_id="123-abc-456")


def test_an_event_names_person_and_activity() -> None:
    assert told(event()).hints == [Hint("17", "900")]
    assert adobe.events_in(json.dumps(event()).encode()) == [event()], "a single one comes without a list"


def test_only_events_of_the_right_instance_and_client_count() -> None:
    found = told(event(data={"munchkinId": "999-ZZZ-999"}), event(recipientclientid="them"), event())
    assert (found.hints, found.other_instances, found.other_clients) == ([Hint("17", "900")], 1, 1)


@pytest.mark.parametrize("other", [event(data={"activityTypeId": 10}), event(data={"leadId": None}), {"event": {}}, "x", None, {"data": 1}])
def test_what_the_log_is_not_read_for_is_passed_over(other: Any) -> None:
    assert (told(other).hints, told(other).passed_over) == ([], 1)


def test_a_delivery_that_is_no_json() -> None:
    with pytest.raises(webhook.UnreadableError):
        adobe.events_in(b"{")
