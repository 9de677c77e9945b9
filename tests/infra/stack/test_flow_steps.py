"""A whole stack on the sandbox: Marketo's smart campaigns ask for people in Salesforce, and are told what became of it."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from aiohttp import web

from infra.stack.part import program_environment
from infra.stack.stack import CONFIG, Lent, Stack
from infra.stack.tandem import Worker

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 90


class Both:
    """Both systems, as their people see them, and the flow steps as Marketo's administrator installs them."""

    def __init__(self, http: aiohttp.ClientSession, stack: Stack) -> None:
        told = stack.told()
        self._http, self._url = http, stack.sandbox.endpoints()["sandbox"]["url"]
        self.service = f"http://127.0.0.1:{told['TANDEM_FLOW_STEPS_PORT']}"
        self.key = Path(told["TANDEM_FLOW_STEPS_KEY_FILE"]).read_text()
        self._numbers = count(1)
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

    async def install_at(self, url: str, step: str, **options: Any) -> None:
        """The step at another address."""
        url = f"{url}/flow-steps/{step}/submitAsyncAction"
        headers = {"x-api-key": self.key}
        self.services[step] = await self.does("marketo/service/create", name=f"{step} elsewhere", url=url, headers=headers, **options)

    async def campaign(self, step: str, **context: Any) -> tuple[int, int]:
        """A list whose people go through a flow with this step, and the campaign."""
        created = await self.does("marketo/list/create", name=f"list {next(self._numbers)}")
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

    async def outcome(self, step: str, person: int, time: int = 1) -> dict[str, Any]:
        """What the step has left with a person for the so manieth time."""

        async def told() -> dict[str, Any] | None:
            found = await self.told(step, person)
            return found[time - 1] if len(found) >= time else None

        found: dict[str, Any] = await until(told, f"person {person} is told of {step}")
        return found

    async def flag(self, person: int, name: str, *, value: object) -> bool:
        """Whether Marketo's field has the value."""
        return any(row["id"] == person and (row.get(name) or False) == (value or False) for row in await self.rows("marketo/Lead"))

    async def tasks(self, person: int) -> list[dict[str, Any]]:
        """The tasks of a person's lead."""
        lead = await self.lead(person)
        assert lead is not None
        return [row for row in await self.rows("salesforce/Task") if row.get("WhoId") == lead["Id"]]

    async def some_tasks(self, subject: str) -> bool:
        """Whether there are any."""
        return any(row["Subject"] == subject for row in await self.rows("salesforce/Task"))

    async def lead(self, person: int) -> dict[str, Any] | None:
        """The lead of a Marketo person."""
        return next((row for row in await self.rows("salesforce/Lead") if row.get("Marketo_Person_Id__c") == str(person)), None)


class Deaf:
    """A way to Tandem on which the first answers to Marketo get lost."""

    def __init__(self, target: str, lost: int) -> None:
        self._target, self._lost = target, lost
        self.url, self.calls = "", 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{tail:.*}", self._pass)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._http = aiohttp.ClientSession()
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._http.close()

    async def _pass(self, request: web.Request) -> web.Response:
        self.calls += 1
        headers = {name: request.headers[name] for name in ("x-api-key", "Content-Type")}
        async with self._http.post(f"{self._target}{request.path}", data=await request.read(), headers=headers) as answer:
            status, body = answer.status, await answer.read()
        if self._lost and request.transport is not None:
            self._lost -= 1
            request.transport.abort()
        return web.Response(status=status, body=body)


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


async def pushed(both: Both) -> None:
    """Nobody qualifies here: only who is asked for becomes a lead, with the defaults for what Salesforce demands."""
    ada, left = await both.person("Ada", company=None), await both.person("Left")
    await both.runs("push", ada, note="fair")
    told = await both.outcome("push", ada)
    lead = await both.lead(ada)
    assert lead is not None
    assert (told["Success"], told["Salesforce Id"], told["Note"]) == (True, lead["Id"], "fair"), told
    assert lead["Company"] == "[not provided]"
    await both.runs("push", ada)
    assert (await both.outcome("push", ada, 2))["Success"] is True, "who is there is done at once"
    assert await both.lead(left) is None


async def pushed_again_after_a_deletion(both: Both) -> None:
    """The native sync: syncing a deleted person again creates a new lead."""
    person = await both.person("Phoenix", title="bird")
    await both.runs("push", person)
    first = (await both.outcome("push", person))["Salesforce Id"]
    await both.does("salesforce/delete", object="Lead", ids=[first])
    await until(lambda: both.flag(person, "sfIsDeleted", value=True), "Marketo knows that the lead is gone")
    await both.runs("push", person)
    told = await both.outcome("push", person, 2)
    lead = await both.lead(person)
    assert lead is not None
    assert (told["Success"], lead["Id"] == told["Salesforce Id"] != first, lead["Title"]) == (True, True, "bird"), told
    await until(lambda: both.flag(person, "sfIsDeleted", value=False), "the flag is taken away")


async def refused(both: Both) -> None:
    """What Salesforce refuses comes back in its own words; nobody else waits for it."""
    rule = {"name": "No Mallory", "object": "Lead", "when": "LastName = 'Mallory'", "message": "Mallory may not enter"}
    await both.does("salesforce/add_validation_rule", **rule)
    bad, good = await both.person("Mallory"), await both.person("Trent")
    await both.runs("push", bad, good)
    assert (await both.outcome("push", good))["Success"] is True
    told = await both.outcome("push", bad)
    assert (told["Success"], told["Error Code"]) == (False, "REFUSED_BY_SALESFORCE")
    assert "Mallory may not enter" in told["Reason"]


async def members(both: Both) -> None:
    """A member is made once, with a status of the campaign's; one who is there keeps the status."""
    made = await both.does("salesforce/create", object="Campaign", fields={"Name": "Spring Fair", "IsActive": True})
    one, other = await both.person("Member"), await both.person("Other")
    await both.runs("add-to-campaign", one, other, campaign="Spring Fair", memberStatus="responded")
    assert [(await both.outcome("add-to-campaign", each))["Success"] for each in (one, other)] == [True, True]
    rows = [row for row in await both.rows("salesforce/CampaignMember") if row["CampaignId"] == made["id"]]
    assert [row["Status"] for row in rows] == ["Responded", "Responded"]
    await both.runs("add-to-campaign", one, campaign=made["id"], memberStatus="Sent")
    told = await both.outcome("add-to-campaign", one, 2)
    assert (told["Success"], "Responded" in told["Reason"]) == (True, True)
    await both.runs("add-to-campaign", one, campaign="Spring Fair", memberStatus="Elsewhere")
    told = await both.outcome("add-to-campaign", one, 3)
    assert (told["Success"], told["Error Code"]) == (False, "NO_SUCH_STATUS")
    assert "Sent, Responded" in told["Reason"]
    after = [row for row in await both.rows("salesforce/CampaignMember") if row["CampaignId"] == made["id"]]
    assert sorted((row["Id"], row["Status"]) for row in after) == sorted((row["Id"], row["Status"]) for row in rows)


async def owners(both: Both) -> None:
    """An owner by name; from Salesforce it comes to Marketo."""
    user = await both.does("salesforce/create_user", username="otto@x.example", first_name="Otto", last_name="Hahn", email="o@x.example")
    person = await both.person("Owned")
    await both.runs("change-owner", person, owner="Otto Hahn")
    told = await both.outcome("change-owner", person)
    lead = await both.lead(person)
    assert lead is not None
    assert (told["Success"], lead["OwnerId"]) == (True, user["id"]), told
    await until(lambda: both.flag(person, "externalSalesPersonId", value=user["id"]), "the owner is in Marketo")
    await both.runs("change-owner", person, owner="Nobody Here")
    assert (await both.outcome("change-owner", person, 2))["Error Code"] == "NO_SUCH_OWNER"


async def tasks(both: Both) -> None:
    """A task with all that it was asked for with."""
    person = await both.person("Busy")
    given = {"subject": "Call back", "dueDate": "2026-12-24", "taskPriority": "High", "comments": "about the fair"}
    await both.runs("create-task", person, **given)
    told = await both.outcome("create-task", person)
    (task,) = await both.tasks(person)
    assert (told["Success"], told["Salesforce Id"], told["Subject"]) == (True, task["Id"], "Call back"), told
    assert (task["Subject"], task["ActivityDate"], task["Priority"], task["Description"]) == (
        "Call back", "2026-12-24", "High", "about the fair",
    )  # fmt: skip
    await both.runs("create-task", person, subject="Call back", dueInDays="soon")
    told = await both.outcome("create-task", person, 2)
    assert (told["Success"], told["Error Code"], len(await both.tasks(person))) == (False, "INVALID_INPUT", 1)


async def converted(both: Both) -> None:
    """Into a new contact and account; into a contact who is there; and whoever is a contact already."""
    person = await both.person("Converted", title="chief")
    await both.runs("convert", person)
    told = await both.outcome("convert", person)
    contact = {row["Id"]: row for row in await both.rows("salesforce/Contact")}[told["Salesforce Id"]]
    assert (told["Success"], contact["LastName"], contact["Title"]) == (True, "Converted", "chief")
    await until(lambda: both.flag(person, "sfType", value="Contact"), "the person is a contact")
    assert await both.flag(person, "sfContactId", value=contact["Id"])
    account = (await both.does("salesforce/create", object="Account", fields={"Name": "Globex"}))["id"]
    other = await both.person("Placed")
    await both.runs("convert", other, accountId=account, opportunityName="A deal")
    told = await both.outcome("convert", other)
    contact = {row["Id"]: row for row in await both.rows("salesforce/Contact")}[told["Salesforce Id"]]
    assert (told["Success"], contact["AccountId"]) == (True, account)
    assert [row["AccountId"] for row in await both.rows("salesforce/Opportunity") if row["Name"] == "A deal"] == [account]
    await both.runs("convert", other)
    assert (await both.outcome("convert", other, 2))["Salesforce Id"] == contact["Id"], "a conversion is done once"


async def a_batch_campaign(both: Both, size: int = 40) -> None:
    """Many people in one call."""
    people = [await both.person(f"Batch{number}") for number in range(size)]
    created = await both.does("marketo/list/create", name="many")
    await both.does("marketo/list/add", list=created["id"], ids=people)
    steps = [{"type": "flow_step", "service": both.services["create-task"]["id"], "context": {"subject": "Greet"}}]
    made = await both.does("marketo/campaign/create", name="Batch", on="batch", key=created["id"], steps=steps)
    await both.does("marketo/campaign/run", id=made["id"])
    for person in people:
        assert (await both.outcome("create-task", person))["Success"] is True
    greeted = [row for row in await both.rows("salesforce/Task") if row["Subject"] == "Greet"]
    assert len({row["WhoId"] for row in greeted}) == len(greeted) == size


async def by_hand(both: Both, stack: Stack) -> None:
    """`tandem person`: dry at first; done once under a key; told why not."""
    person = await both.person("Byhand", company=None)
    said = await tandem(stack, "push", str(person), "--json")
    assert (said["state"], said["marketo_id"]) == ("planned", str(person))
    assert await both.lead(person) is None, "nothing was done"
    done = await tandem(stack, "create-task", str(person), "--subject", "By hand", "--key", "k1", "--apply", "--json")
    again = await tandem(stack, "create-task", str(person), "--subject", "By hand", "--key", "k1", "--apply", "--json")
    lead = await both.lead(person)
    assert lead is not None
    (task,) = await both.tasks(person)
    assert (done["state"], done["record"], again["record"]) == ("done", task["Id"], task["Id"])
    said = await tandem(stack, "push", "byhand@example.com", "--json")
    assert said["steps"] == [f"is lead {lead['Id']} in Salesforce", "is in step; nothing is to be done"]
    owner = await tandem(stack, "change-owner", lead["Id"], "--owner", "Nobody Here", "--apply", "--json", code=1)
    assert (owner["state"], owner["code"]) == ("failed", "NO_SUCH_OWNER")
    nobody = await tandem(stack, "push", "999999", "--apply", "--json", code=1)
    assert (nobody["state"], nobody["code"]) == ("failed", "NO_SUCH_PERSON")


async def tandem(stack: Stack, *arguments: str, code: int = 0) -> dict[str, Any]:
    """What the command says."""
    own = {"TANDEM_CONFIG": str(stack.tandem.config), "TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0"}
    environ = program_environment({**stack.told(), **own})
    command = [sys.executable, "-m", "consumers.cli", "person", *arguments]
    process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, error = await process.communicate()
    assert process.returncode == code, (out, error)
    told: dict[str, Any] = json.loads(out)
    return told


@pytest.mark.parametrize("roles", [(), ("observe", "settle", "reconcile", "flow-steps")], ids=["streams", "polls"])
async def test_people_reach_salesforce_by_flow_steps(tmp_path: Path, lent: Lent, roles: tuple[str, ...]) -> None:
    config = tmp_path / "tandem.yaml"
    config.write_text(CONFIG.read_text().replace("poll: 20s", "poll: 2s"))
    worker = Worker(arguments=tuple(part for role in roles for part in ("--role", role)))
    async with Stack(tmp_path / "run", workers=(worker,), config=config, lent=lent) as stack, aiohttp.ClientSession() as http:
        both = Both(http, stack)
        for step in ("push", "add-to-campaign", "change-owner", "create-task", "convert"):
            await both.install(step)
        await pushed(both)
        await pushed_again_after_a_deletion(both)
        await refused(both)
        await members(both)
        await owners(both)
        await tasks(both)
        await converted(both)
        await a_batch_campaign(both)
        await by_hand(both, stack)
    await stack.clean()


async def test_each_is_done_once_whatever_gets_lost(tmp_path: Path, lent: Lent) -> None:
    """Marketo calls twice since our answer was lost; our callback's answer is lost; Salesforce's answer is lost; the worker is killed."""
    async with Stack(tmp_path / "run", lent=lent) as stack, aiohttp.ClientSession() as http:
        both = Both(http, stack)
        async with Deaf(both.service, lost=2) as deaf:
            await both.install_at(deaf.url, "create-task", lose_callbacks=1)
            person = await both.person("Once")
            await both.runs("create-task", person, subject="Once")
            assert (await both.outcome("create-task", person))["Success"] is True
            assert deaf.calls == 3, "Marketo had called three times"
            assert len(await both.tasks(person)) == 1

            second = await both.person("Unanswered")
            await both.does(
                "faults", system="salesforce", match={"method": "POST", "path": "*/composite/sobjects"}, action={"type": "lose_answer"},
                times=1,
            )  # fmt: skip
            await both.runs("create-task", second, subject="Unanswered")
            assert (await both.outcome("create-task", second))["Success"] is True
            assert len(await both.tasks(second)) == 1

            people = [await both.person(f"Killed{number}") for number in range(12)]
            number, _ = await both.campaign("create-task", subject="Killed")
            await both.does("marketo/list/add", list=number, ids=people)
            await until(lambda: both.some_tasks("Killed"), "the first of them is done")
            await stack.kill("tandem")
            await stack.start("tandem")
            for each in people:
                assert (await both.outcome("create-task", each))["Success"] is True
            made = [row["WhoId"] for row in await both.rows("salesforce/Task") if row["Subject"] == "Killed"]
            assert len(set(made)) == len(made) == len(people)
            assert [len(await both.told("create-task", each)) for each in people] == [1] * len(people)
    await stack.clean()
