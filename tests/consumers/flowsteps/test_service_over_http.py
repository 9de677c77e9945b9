"""The service as Marketo meets it over HTTP: the key, limits, documents, and that a call is answered only once it is kept."""

import json
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from consumers.configuration.groups.services import FlowStepSettings
from consumers.configuration.reading.types import Secret
from consumers.errands.catalogue import STEPS, Choices
from consumers.errands.errand import What
from consumers.flowsteps.documents import addresses
from consumers.flowsteps.service import Service
from streams.wire.errors import Retry
from tests.consumers.flowsteps.test_submissions import CALL

KEY = {"x-api-key": "right"}
SETTINGS = FlowStepSettings(
    key=Secret("right", "env: X"), url="https://tandem.example.com/base", callback_hosts=".marketo.com", request_kilobytes_max=16
)


class Kept:
    """Stands for the tables."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.away = False

    async def ask(self, *asked: Any) -> bool:
        if self.away:
            raise Retry("PostgreSQL is away")
        new = asked[0] not in {each[0] for each in self.asked}
        self.asked += [asked] if new else []
        return new

    async def open(self) -> int:
        return len(self.asked)


class Choosing:
    """Stands for Salesforce."""

    async def choices(self, wanted: Choices) -> list[dict[str, Any]]:
        return [{"displayValue": {"en_US": str(wanted)}, "submittedValue": "x"}]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
async def client(kept: Kept) -> AsyncIterator[TestClient[Any, Any]]:
    service = Service(SETTINGS, kept, Choosing(), lambda: 5, lambda: date(2026, 11, 28))  # type: ignore[arg-type]
    async with TestClient(TestServer(service.app())) as opened:
        yield opened


@pytest.mark.parametrize("what", STEPS)
async def test_every_step_is_installed_by_its_document(client: TestClient[Any, Any], what: What) -> None:
    root = f"/flow-steps/{what}"
    document = await (await client.get(f"{root}/openapi.json")).json()
    assert document["servers"] == [{"url": f"https://tandem.example.com/base{root}"}]
    assert {"/submitAsyncAction", "/getServiceDefinition", "/status", "/getPicklist"} <= document["paths"].keys()
    told = await (await client.get(f"{root}/getServiceDefinition", headers=KEY)).json()
    assert told["invocationEndpoint"] == f"https://tandem.example.com/base{root}/submitAsyncAction"
    assert told["authSetting"] == {"authType": "apiKey", "headerName": "x-api-key"}
    names = [each["apiName"] for each in told["invocationPayloadDef"]["flowAttributes"]]
    assert told["primaryAttribute"] in names
    assert names == list(STEPS[what].by_name)
    assert (await client.get(f"{root}/serviceIcon")).content_type == "image/png"
    assert STEPS[what].doc in await (await client.get(f"{root}/providerInstructions")).text()
    status = await (await client.get(f"{root}/status", headers=KEY)).json()
    assert status == {"info": ["all that was asked for is done"], "warnings": [], "errors": []}


@pytest.mark.parametrize(
    "headers", [{}, {"x-api-key": ""}, {"x-api-key": "wrong"}, {"x-api-key": "rïght"}, {"Authorization": "Bearer right"}]
)
async def test_without_the_key_nothing_is_told_and_nothing_kept(client: TestClient[Any, Any], kept: Kept, headers: dict[str, str]) -> None:
    root = "/flow-steps/push"
    answers = [
        await client.get(f"{root}/getServiceDefinition", headers=headers),
        await client.get(f"{root}/status", headers=headers),
        await client.post(f"{root}/getPicklist", headers=headers, data=b"{}"),
        await client.post(f"{root}/submitAsyncAction", headers=headers, data=json.dumps(CALL)),
    ]
    assert [answer.status for answer in answers] == [401] * 4
    assert kept.asked == []


async def test_a_call_is_kept_and_then_answered(client: TestClient[Any, Any], kept: Kept) -> None:
    for _ in range(2):
        answer = await client.post("/flow-steps/push/submitAsyncAction", headers=KEY, data=json.dumps(CALL))
        assert (answer.status, await answer.json()) == (201, {"accepted": 1})
    ((name, _, errands, now, callback),) = kept.asked
    assert ([each.person for each in errands], now, callback.token) == (["7"], 5, "secret-token")
    assert "push" in name


async def test_what_can_not_be_kept_is_not_taken(client: TestClient[Any, Any], kept: Kept) -> None:
    kept.away = True
    answer = await client.post("/flow-steps/push/submitAsyncAction", headers=KEY, data=json.dumps(CALL))
    assert answer.status == 503


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"x" * 17_000, 413), (json.dumps({**CALL, "callbackUrl": "https://x.y"}).encode(), 400)]
)
async def test_what_is_no_call_is_refused(client: TestClient[Any, Any], kept: Kept, body: bytes, status: int) -> None:
    assert (await client.post("/flow-steps/push/submitAsyncAction", headers=KEY, data=body)).status == status
    assert kept.asked == []


async def test_choices(client: TestClient[Any, Any]) -> None:
    url = "/flow-steps/change-owner/getPicklist"
    told = await (await client.post(url, headers=KEY, data=json.dumps({"name": "owner", "type": "flow"}))).json()
    assert told["choices"] == [{"displayValue": {"en_US": "owners"}, "submittedValue": "x"}]
    bodies: tuple[object, ...] = ({"name": "nothing", "type": "flow"}, {"name": 1}, [])
    for body in bodies:
        assert (await client.post(url, headers=KEY, data=json.dumps(body))).status == 400


def test_what_an_administrator_installs_is_named_where_something_is_served() -> None:
    told = addresses(SETTINGS)
    assert [address.rsplit("/", 2)[1] for address in told] == list(STEPS)
    assert told[0] == "https://tandem.example.com/base/flow-steps/push/openapi.json"
    assert addresses(FlowStepSettings(key=Secret("x", "env: X")))[0].startswith("http://127.0.0.1:6067/")
    assert addresses(FlowStepSettings()) == ()


async def test_a_step_that_there_is_not(client: TestClient[Any, Any]) -> None:
    assert (await client.get("/flow-steps/destroy/openapi.json")).status == 404
    assert (await client.get("/flow-steps/push/submitAsyncAction", headers=KEY)).status == 405
