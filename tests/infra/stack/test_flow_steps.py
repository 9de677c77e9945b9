"""A whole stack on the sandbox: Marketo's smart campaigns ask for people in Salesforce, and are told what became of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.stack.stack import Stack

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 90


class Both:
    """Both systems, as their people see them, and the flow steps as Marketo's administrator installs them."""

    def __init__(self, http: aiohttp.ClientSession, stack: Stack) -> None:
        told = stack.told()
        self._http, self._url = http, stack.sandbox.endpoints()["sandbox"]["url"]
        self.service = f"http://127.0.0.1:{told['TANDEM_FLOW_STEPS_PORT']}"
        self.key = Path(told["TANDEM_FLOW_STEPS_KEY_FILE"]).read_text()
        self.services: dict[str, dict[str, Any]] = {}

    async def does(self, verb: str, **body: Any) -> dict[str, Any]:
        """Somebody does this by hand."""
        async with self._http.post(f"{self._url}/{verb}", json=body) as answer:
            told: dict[str, Any] = await answer.json(content_type=None)
            assert answer.ok, told
            return told

    async def rows(self, where: str) -> list[dict[str, Any]]:
        """Every live record."""
        async with self._http.get(f"{self._url}/dump/{where}") as answer:
            return [json.loads(line) for line in (await answer.text()).splitlines()]

    async def person(self, name: str, **fields: Any) -> int:
        """A new person in Marketo, who doesn't qualify."""
        values = {"lastName": name, "email": f"{name.lower()}@example.com", "company": "Acme", **fields}
        return int((await self.does("marketo/person/create", fields=values))["id"])

    async def install(self, step: str, **options: Any) -> int:
        """The step as a service of Marketo's."""
        url = f"{self.service}/flow-steps/{step}/openapi.json"
        self.services[step] = await self.does("marketo/service/install", url=url, key=self.key, **options)
        return int(self.services[step]["id"])

    async def campaign(self, step: str, **context: Any) -> tuple[int, int]:
        """A list whose people go through a flow with this step, and the campaign."""
        created = await self.does("marketo/list/create", name=f"{step} {json.dumps(context)}")
        steps = [{"type": "flow_step", "service": self.services[step]["id"], "context": context}]
        made = await self.does("marketo/campaign/create", name=f"C {step}", on="added_to_list", key=created["id"], steps=steps)
        return int(created["id"]), int(made["id"])

    async def runs(self, step: str, *people: int, **context: Any) -> None:
        """These people go through a flow with this step."""
        number, _ = await self.campaign(step, **context)
        await self.does("marketo/list/add", list=number, ids=list(people))

    async def told(self, step: str, person: int) -> list[dict[str, Any]]:
        """The activities that the step has left with a person."""
        kind = self.services[step]["activityType"]
        rows = [row for row in await self.rows("marketo/FlowStepActivity") if row["type"] == kind and row["lead_id"] == person]
        return [dict(row["extra"]) for row in rows]

    async def lead(self, person: int) -> dict[str, Any] | None:
        """The lead of a Marketo person."""
        return next((row for row in await self.rows("salesforce/Lead") if row.get("Marketo_Person_Id__c") == str(person)), None)


async def until(what: Callable[[], Awaitable[Any]], said: str) -> Any:
    """Waits for it; what it came to."""
    last: object = None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (last := await what()):
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{said}: not within {DEADLINE_SECONDS} s ({last})") from None
    return last


async def test_people_reach_salesforce_by_flow_steps(tmp_path: Path) -> None:
    async with Stack(tmp_path / "run") as stack, aiohttp.ClientSession() as http:
        both = Both(http, stack)
        await both.install("push")
        ada = await both.person("Ada")
        await both.runs("push", ada)
        (told,) = await until(lambda: both.told("push", ada), "Marketo is told")
        lead = await both.lead(ada)
        assert lead is not None
        assert told["Success"] is True, told
        assert told["Salesforce Id"] == lead["Id"]
    await stack.clean()
