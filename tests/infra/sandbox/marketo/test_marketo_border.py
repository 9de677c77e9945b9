"""The HTTP border: tokens, limits, refusals, scripted faults, duplicates by concurrency."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from infra.sandbox.kernel.process import ChildSettings
from infra.sandbox.marketo.server import build
from tests.infra.sandbox.marketo.conftest import CREDENTIALS

PEOPLE = "/rest/v1/leads.json"


async def refused(server: Any, **more: Any) -> str:
    return (await server.call("GET", "lead/1.json", **more))["errors"][0]["code"]  # type: ignore[no-any-return]


async def test_a_token_is_kept_while_it_lives_then_602_then_601(server: Any) -> None:
    first = await server.token()
    assert (first["token_type"], first["scope"], first["expires_in"]) == ("bearer", "people@example.com", 3599)
    server.running.system.advance(1000)
    again = await server.token()
    assert again["access_token"] == first["access_token"]
    assert 2595 <= again["expires_in"] <= 2599
    server.tokens["u"] = first["access_token"]
    server.running.system.advance(2600)
    assert [await refused(server) for _ in range(3)] == ["602", "601", "601"]
    assert (await server.token())["access_token"] != first["access_token"]


async def test_bad_credentials_and_tokens(server: Any) -> None:
    bad = await server.token("u", "wrong")
    assert (bad["status"], bad["error"]) == (401, "invalid_client")
    assert (await server.token("nobody"))["status"] == 401
    server.tokens["u"] = "no-such-token"
    assert await refused(server) == "601"
    async with server.http.get(f"{server.url}/rest/v1/lead/1.json") as answer:
        assert (answer.status, orjson.loads(await answer.read())["errors"][0]["code"]) == (200, "603")
    token = (await server.token())["access_token"]
    async with server.http.get(f"{server.url}/rest/v1/leads/partitions.json", params={"access_token": token}) as answer:
        assert orjson.loads(await answer.read())["success"] is True


async def test_token_life_can_be_cut_by_a_fault(server: Any) -> None:
    server.fault({"type": "token_expiry", "seconds": 5}, path="/identity/*")
    assert (await server.token())["expires_in"] <= 5
    server.tokens["u"] = (await server.token())["access_token"]
    server.running.system.advance(6)
    assert await refused(server) == "602"


async def test_wrong_requests(server: Any) -> None:
    json = {"Content-Type": "application/json"}
    cases: list[tuple[str, str, dict[str, Any], str]] = [
        ("POST", PEOPLE, {"data": b"{", "headers": json}, "609"),
        ("POST", PEOPLE, {"data": b"[]", "headers": json}, "609"),
        ("POST", PEOPLE, {"data": b"{}", "headers": {"Content-Type": "text/plain"}}, "612"),
        ("PUT", PEOPLE, {"data": b"{}", "headers": json}, "605"),
        ("GET", "/rest/v1/nope.json", {}, "610"),
        ("GET", "/rest/v1/namedAccountLists.json", {}, "610"),
        ("GET", "/rest/asset/v1/emails.json", {}, "610"),
    ]
    for method, path, more, code in cases:
        answer = await server.raw(method, path, **more)
        envelope = orjson.loads(await answer.read())
        assert (answer.status, envelope["success"], envelope["errors"][0]["code"]) == (200, False, code)


async def test_too_large(server: Any) -> None:
    assert (await server.raw("GET", PEOPLE + "?filterValues=" + "x" * 9000)).status == 414
    assert (await server.raw("POST", PEOPLE, data=b"{" + b" " * (1 << 20) + b"}")).status == 413


async def test_the_window_of_20_seconds(server: Any) -> None:
    await server.verb("limits", {"calls_per_20s": 5})
    outcomes = [await refused(server) for _ in range(7)]
    assert outcomes == ["1004"] * 5 + ["606"] * 2
    server.running.system.advance(20)
    assert await refused(server) == "1004"
    report = server.running.system.extra_meters()
    assert report["limits"]["calls_per_20s"] == 5
    assert report["now"]["calls_in_20s"] == 1
    assert server.running.system.meters.report()["high"]["calls_in_20s"] == 5


async def test_the_day_and_its_reset_at_midnight_central(server: Any) -> None:
    await server.verb("limits", {"daily": 3})
    assert [await refused(server) for _ in range(5)] == ["1004"] * 3 + ["607"] * 2
    server.running.system.advance(86_400)
    server.tokens.clear()
    assert await refused(server) == "1004"
    usage = (await server.call("GET", "stats/usage/last7days.json"))["result"]
    assert [day["total"] for day in usage[:2]] == [2, 3]
    assert usage[1]["users"] == [{"userId": "people@example.com", "count": 3}]
    errors = (await server.call("GET", "stats/errors/last7days.json"))["result"]
    assert {"errorCode": "607", "count": 2} in errors[1]["errors"]


async def test_calls_at_once(server: Any) -> None:
    await server.verb("limits", {"concurrency": 2})
    await server.token()
    server.fault({"type": "latency", "ms": 300}, times=None, path="/rest/*")
    outcomes = await asyncio.gather(refused(server), refused(server, who="t"), refused(server, who="t"))
    assert sorted(outcomes) == ["1004", "1004", "615"]
    assert server.running.system.meters.report()["high"]["concurrency"] == 2


async def test_upserts_of_one_new_key_in_flight_at_once_make_duplicates(server: Any) -> None:
    server.tokens["u"] = (await server.token())["access_token"]
    fault = server.fault({"type": "latency", "ms": 300}, times=None, path=PEOPLE)
    first, second = await asyncio.gather(server.sync({"email": "a@example.com"}), server.sync({"email": "a@example.com"}))
    assert {first[0]["status"], second[0]["status"]} == {"created"}
    assert first[0]["id"] != second[0]["id"]
    server.running.system.faults.remove(fault)
    results = await server.sync({"email": "a@example.com"})
    assert results[0]["reasons"][0]["code"] == "1007"


async def test_one_after_the_other_makes_no_duplicate(server: Any) -> None:
    results = [(await server.sync({"email": "a@example.com"}))[0] for _ in range(3)]
    assert [one["status"] for one in results] == ["created", "updated", "updated"]


async def test_answer_lost_after_the_change(server: Any) -> None:
    server.fault("lose_answer", path=PEOPLE, method="POST")
    with pytest.raises(aiohttp.ClientError):
        await server.sync({"email": "a@example.com"})
    assert (await server.call("GET", "lead/1.json"))["success"]


@pytest.mark.parametrize("kind", ["lose_request", "reset"])
async def test_connection_lost_before_the_change(server: Any, kind: str) -> None:
    server.fault(kind, path=PEOPLE, method="POST")
    with pytest.raises(aiohttp.ClientError):
        await server.sync({"email": "a@example.com"})
    assert (await server.call("GET", "lead/1.json"))["success"] is False


async def test_half_an_answer(server: Any) -> None:
    server.fault("half_answer", path=PEOPLE, method="POST")
    with pytest.raises(aiohttp.ClientPayloadError):
        await server.sync({"email": "a@example.com"})
    assert (await server.call("GET", "lead/1.json"))["success"]


async def test_gateway_errors(server: Any) -> None:
    server.tokens["u"] = (await server.token())["access_token"]
    server.fault("html_502")
    server.fault({"type": "status", "status": 503, "body": {"why": "x"}})
    server.fault({"type": "burst_5xx", "statuses": [500, 504]}, times=2)
    answers = [await server.raw("GET", "/rest/v1/lead/1.json") for _ in range(4)]
    assert [answer.status for answer in answers] == [502, 503, 500, 504]
    assert "text/html" in answers[0].headers["Content-Type"]
    server.fault({"type": "timeout", "seconds": 0.01}, times=None)  # the client repeats a GET by itself
    with pytest.raises(aiohttp.ClientError):
        await server.raw("GET", "/rest/v1/lead/1.json")


async def test_marketo_errors_with_and_without_the_change(server: Any) -> None:
    server.fault({"type": "marketo_error", "code": "604", "applied": True}, path=PEOPLE)
    server.fault({"type": "marketo_error", "code": "608"}, path=PEOPLE)
    for code in ("604", "608"):
        envelope = await server.call("POST", "leads.json", json={"input": [{"email": f"{code}@example.com"}]})
        assert (envelope["success"], envelope["errors"][0]["code"]) == (False, code)
    mails = [person["email"] for person in server.running.system.dump("Lead")]
    assert mails == ["604@example.com"]


async def test_some_records_of_a_batch_refused(server: Any) -> None:
    server.fault({"type": "record_errors", "code": "1004", "every": 2}, path=PEOPLE)
    results = await server.sync(*({"email": f"{n}@example.com"} for n in range(5)))
    assert [one["status"] for one in results] == ["created", "skipped", "created", "skipped", "created"]


async def test_meters_name_actor_endpoint_records_and_errors(server: Any) -> None:
    await server.sync({"email": "a@example.com"}, {"nope": 1}, who="t")
    await server.call("GET", "lead/9.json")
    rows = {(row["actor"], row["endpoint"]): row for row in server.running.system.meters.report()["rows"]}
    assert rows["tandem@example.com", "POST /rest/v1/leads.json"] == {
        "actor": "tandem@example.com",
        "endpoint": "POST /rest/v1/leads.json",
        "calls": 1,
        "records": 2,
        "errors": {"1002": 1},
    }
    assert rows["people@example.com", "GET /rest/v1/lead/{id}.json"]["calls"] == 1


async def test_control_routes_want_their_token(server: Any) -> None:
    async with server.http.get(f"{server.url}/__sandbox__/history") as answer:
        assert answer.status == 403
    headers = {"Authorization": "Bearer control-token"}
    async with server.http.get(f"{server.url}/__sandbox__/health", headers=headers) as answer:
        assert (await answer.json())["system"] == "marketo"


async def test_gzip_for_larger_answers(server: Any) -> None:
    small = await server.raw("GET", "/rest/v1/lead/1.json", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers
    large = await server.raw("GET", "/rest/v1/leads/describe.json", headers={"Accept-Encoding": "gzip"})
    assert large.headers["Content-Encoding"] == "gzip"
    assert (await large.json())["success"]
    plain = await server.raw("GET", "/rest/v1/leads/describe.json", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers


async def test_limits_outlive_the_process(server: Any, tmp_path: Path) -> None:
    await server.verb("limits", {"daily": 7, "concurrency": 2})
    await server.verb("limits", {"concurrency": 3})
    again = await build(ChildSettings(data=str(tmp_path / "marketo"), credentials=CREDENTIALS))
    assert again.system.extra_meters()["limits"] == {"calls_per_20s": 100, "concurrency": 3, "daily": 7}
    again.system.journal.close()
