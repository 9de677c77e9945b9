"""What Marketo submits, as a batch; and what is refused."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.errands.errand import CreateTask, Push, What
from consumers.flowsteps.submission import Batch, Refused, batch_of, may_be_called

TODAY = date(2026, 11, 28)
HOSTS = ".marketo.com, .mktorest.com, localhost"
CALL: dict[str, Any] = {
    "token": "secret-token",
    "batchid": "b-1",
    "apiCallBackKey": "secret-key",
    "campaignId": 1001,
    "callbackUrl": "https://app-ab12.marketo.com/callback/1",
    "context": {"subscription": {"munchkinId": "123-ABC-456", "prefix": "x"}, "admin": {}, "campaign": {"id": 1001}},
    "objectData": [{"objectType": "lead", "objectContext": {"id": 7, "email": "a@b.c"}, "flowStepContext": {"note": "fair"}}],
}


def batch(what: What = What.PUSH, munchkin_id: str | None = None, **changes: Any) -> Batch:
    return batch_of(what, json.dumps({**CALL, **changes}).encode(), TODAY, hosts=HOSTS, munchkin_id=munchkin_id)


def people(*ids: int, **context: Any) -> list[dict[str, Any]]:
    return [{"objectType": "lead", "objectContext": {"id": each}, "flowStepContext": context} for each in ids]


def test_a_batch_is_known_by_its_call() -> None:
    one = batch()
    assert one == batch()
    assert [(each.person, each.request) for each in one.errands] == [("7", Push("fair"))]
    assert one.callback.url == CALL["callbackUrl"]
    assert (one.callback.munchkin_id, one.callback.api_key, one.callback.token) == ("123-ABC-456", "secret-key", "secret-token")
    assert "Sync Person to SFDC" in one.asked_by


def test_no_secret_stands_in_a_name() -> None:
    one = batch()
    assert "secret" not in one.name + "".join(each.name for each in one.errands)


DIFFERENT: dict[str, Any] = {"token": "another", "batchid": "b-2", "campaignId": 1002}


@pytest.mark.parametrize("part", DIFFERENT)
def test_another_call_is_another_batch(part: str) -> None:
    assert batch(**{part: DIFFERENT[part]}).name != batch().name


def test_the_same_call_of_another_step_is_another_batch() -> None:
    assert batch(What.CONVERT, objectData=people(7)).name != batch(What.PUSH, objectData=people(7)).name


def test_a_person_who_is_named_twice_is_one() -> None:
    assert [each.person for each in batch(objectData=people(7, 8, 7)).errands] == ["7", "8"]


def test_what_makes_no_sense_of_one_person_is_told_of_that_one() -> None:
    good, bad = people(7, subject="x", dueInDays=1), people(8, subject="")
    other = [{"objectType": "opportunity", "objectContext": {"id": 9}}]
    told = batch(What.CREATE_TASK, objectData=good + bad + other).errands
    assert [each.request for each in told] == [CreateTask("x", "2026-11-29"), None, None]
    assert [each.wrong[0] for each in told] == ["", "INVALID_INPUT", "INVALID_INPUT"]
    assert "Subject is missing" in told[1].wrong[1]


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "without a token": ({"token": ""}, 400),
    "without people": ({"objectData": []}, 400),
    "a person without an id": ({"objectData": [{"objectType": "lead", "objectContext": {}}]}, 400),
    "an id that is none": ({"objectData": [{"objectType": "lead", "objectContext": {"id": True}}]}, 400),
    "no subscription": ({"context": {}}, 400),
    "a stranger to be called": ({"callbackUrl": "https://evil.example/"}, 400),
    "a call in clear": ({"callbackUrl": "http://app.marketo.com/"}, 400),
    "another subscription": ({"context": {"subscription": {"munchkinId": "999-XYZ-000"}}}, 403),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_call_that_can_not_be_taken(name: str) -> None:
    changes, status = REFUSED[name]
    with pytest.raises(Refused) as error:
        batch(munchkin_id="123-ABC-456", **changes)
    assert error.value.status == status


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"token": 1}', b"\xff"])
def test_what_can_not_be_read(body: bytes) -> None:
    with pytest.raises(Refused):
        batch_of(What.PUSH, body, TODAY, hosts=HOSTS, munchkin_id=None)


CALLABLE = {
    "https://app.marketo.com/x": True,
    "https://APP.Marketo.com:443/x": True,
    "https://123-abc-456.mktorest.com/": True,
    "http://localhost:8082/x": True,
    "https://marketo.com/": False,
    "https://marketo.com.evil.example/": False,
    "https://evilmarketo.com/": False,
    "https://app.marketo.com@evil.example/": False,
    "https://user:x@app.marketo.com/": False,
    "ftp://app.marketo.com/": False,
    "http://169.254.169.254/": False,
    "https://app.marketo.com:x/": False,
    "https://[::1/": False,
    "": False,
}


@pytest.mark.parametrize("url", CALLABLE)
def test_who_may_be_called_back(url: str) -> None:
    assert may_be_called(url, HOSTS) is CALLABLE[url]


@given(st.binary(max_size=60) | st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_nothing_that_is_sent_breaks_it(sent: Any) -> None:
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    with pytest.raises(Refused):
        batch_of(What.PUSH, body, TODAY, hosts=HOSTS, munchkin_id=None)
