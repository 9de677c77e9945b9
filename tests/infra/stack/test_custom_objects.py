"""A whole stack on the sandbox: custom objects of Salesforce live in Marketo, linked to people, companies and each other, once through the
streams and once through the polls alone."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.setup.found import ROOT
from infra.stack.stack import CONFIG, PARTS, Lent, Stack
from infra.stack.tandem import Worker

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 90
COMMAND_SECONDS = 180
"""A command shares Marketo's 100 calls in 20 seconds with the worker, and waits where they are used up."""
OBJECTS = """
custom_objects:
  Enrollment__c:
    links: {Contact__c: contact, Lead__c: lead, Account__c: account, Course__c: Course__c}
    fields:
      Secret__c: false
  Course__c: {}
"""
COURSE = [{"name": "Code__c", "type": "string"}, {"name": "Starts__c", "type": "date"}]
ENROLLMENT = [
    {"name": "Contact__c", "type": "reference", "reference_to": ["Contact"]},
    {"name": "Lead__c", "type": "reference", "reference_to": ["Lead"]},
    {"name": "Account__c", "type": "reference", "reference_to": ["Account"]},
    {"name": "Course__c", "type": "reference", "reference_to": ["Course__c"]},
    {"name": "Sponsor__c", "type": "reference", "reference_to": ["User"]},
    {"name": "Grade__c", "type": "picklist", "picklist": ["A", "B"]},
    {"name": "Topics__c", "type": "multipicklist", "picklist": ["x", "y", "z"], "length": 4000},
    {"name": "Fee__c", "type": "currency"},
    {"name": "Places__c", "type": "int"},
    {"name": "Share__c", "type": "percent"},
    {"name": "Mail__c", "type": "email"},
    {"name": "Seen__c", "type": "datetime"},
    {"name": "Notes__c", "type": "textarea", "length": 32_000},
    {"name": "Done__c", "type": "boolean"},
    {"name": "Secret__c", "type": "string"},
    {"name": "Total__c", "type": "double", "formula": "Fee__c * Places__c"},
]


class Both:
    """Both systems, as their people see them."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url

    async def does(self, verb: str, **body: Any) -> dict[str, Any]:
        """Somebody does this by hand."""
        async with self._http.post(f"{self._url}/{verb}", json=body) as answer:
            told: dict[str, Any] = await answer.json(content_type=None)
            assert answer.ok, told
            return told

    async def made(self, obj: str, **fields: Any) -> str:
        """A new record in Salesforce."""
        return str((await self.does("salesforce/create", object=obj, fields=fields))["id"])

    async def rows(self, obj: str, key: str = "salesforceId") -> dict[str, dict[str, Any]]:
        """Marketo's live records, by a field of theirs."""
        async with self._http.get(f"{self._url}/dump/marketo/{obj}") as answer:
            if not answer.ok:
                return {}  # nobody has made a record yet
            return {str(row.get(key)): row for row in map(json.loads, (await answer.text()).splitlines())}

    async def person(self, name: str) -> dict[str, Any]:
        """Marketo's, by last name."""
        return (await self.rows("Lead", "lastName")).get(name, {})


async def until(what: Callable[[], Awaitable[object]], said: str) -> None:
    """Waits for it."""
    last: object = None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (last := await what()):
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{said}: not within {DEADLINE_SECONDS} s ({last})") from None


def tandem(stack: Stack, config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of Tandem's."""
    environment = {**os.environ, **stack.told(), "TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0"}
    command = [sys.executable, "-m", "consumers.cli", *arguments, "--config", str(config)]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)


async def an_administrator_defines_them(both: Both) -> None:
    await both.does("salesforce/define_object", name="Course__c", label="Course", fields=COURSE)
    await both.does("salesforce/define_object", name="Enrollment__c", label="Enrollment", fields=ENROLLMENT)
    await both.does("salesforce/select_entities", entities=["Lead", "Contact", "Account", "Course__c", "Enrollment__c"])


async def make_them_in_marketo(stack: Stack, config: Path) -> None:
    planned = await asyncio.to_thread(tandem, stack, config, "custom-objects", "plan")
    assert planned.returncode == 6, planned.stdout + planned.stderr
    assert "Contact__c (Contact): link to lead id" in planned.stdout
    assert "Secret__c" not in planned.stdout
    applied = await asyncio.to_thread(tandem, stack, config, "custom-objects", "apply")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    again = await asyncio.to_thread(tandem, stack, config, "custom-objects", "plan", "--json")
    told = json.loads(again.stdout)
    assert (again.returncode, told["changes"], told["problems"]) == (0, 0, 0), again.stdout


async def a_record_through_its_life(both: Both) -> None:
    account = await both.made("Account", Name="Acme")
    contact = await both.made("Contact", LastName="Pupil", Email="pupil@example.com", AccountId=account)
    lead = await both.made("Lead", LastName="Guest", Company="Globex", Email="guest@example.com")
    course = await both.made("Course__c", Name="Looms", Code__c="L1", Starts__c="2027-01-31")
    first = await both.made(
        "Enrollment__c", Name="First", Contact__c=contact, Account__c=account, Course__c=course, Grade__c="A", Topics__c="x;z", Fee__c=12.5,
        Places__c=2, Share__c=25, Mail__c="desk@example.com", Seen__c="2026-11-28T10:00:00.000Z", Notes__c="n" * 2_500, Done__c=True,
        Secret__c="hush",
    )  # fmt: skip
    second = await both.made("Enrollment__c", Name="Second", Lead__c=lead)

    async def there() -> bool:
        return {first, second} <= set(await both.rows("enrollment_c")) and course in await both.rows("course_c")

    await until(there, "they are in Marketo")
    row, pupil, guest = (await both.rows("enrollment_c"))[first], await both.person("Pupil"), await both.person("Guest")
    company = (await both.rows("Company", "externalCompanyId"))[account]
    assert {name: row[name] for name in ("Contact__c", "Account__c", "Course__c")} == {
        "Contact__c": pupil["id"], "Account__c": company["id"], "Course__c": course,
    }  # fmt: skip
    assert {name: row[name] for name in ("Name", "Grade__c", "Topics__c", "Fee__c", "Places__c", "Share__c", "Mail__c", "Done__c")} == {
        "Name": "First", "Grade__c": "A", "Topics__c": "x;z", "Fee__c": 12.5, "Places__c": 2, "Share__c": 25, "Mail__c": "desk@example.com",
        "Done__c": True,
    }  # fmt: skip
    assert row["Seen__c"].startswith("2026-11-28T10:00:00")
    assert row["Notes__c"] == "n" * 2_000

    async def worked_out() -> bool:
        return (await both.rows("enrollment_c"))[first].get("Total__c") == 25

    await until(worked_out, "what Salesforce works out comes by the poll")
    assert "Secret__c" not in row
    assert (await both.rows("enrollment_c"))[second]["Lead__c"] == guest["id"]

    await both.does("salesforce/edit", object="Enrollment__c", id=first, fields={"Grade__c": "B", "Topics__c": None, "Contact__c": None})
    await both.does("salesforce/edit", object="Course__c", id=course, fields={"Starts__c": "2027-02-01"})

    async def edited() -> bool:
        mine, its = (await both.rows("enrollment_c"))[first], (await both.rows("course_c"))[course]
        return (mine["Grade__c"], mine.get("Topics__c"), mine.get("Contact__c"), its["Starts__c"]) == ("B", None, None, "2027-02-01")

    await until(edited, "edits reach it, blanks and links too")
    await both.does("salesforce/delete", id=first)
    await until(lambda: _gone(both, first), "deleted")
    await both.does("salesforce/undelete", id=first)

    async def back() -> bool:
        return (await both.rows("enrollment_c")).get(first, {}).get("Grade__c") == "B"

    await until(back, "it comes back with what it said")


async def a_child_that_waits_for_its_parents(both: Both) -> None:
    """Made in the same moment as its contact, before Marketo has that."""
    contact = await both.made("Contact", LastName="Late", Email="late@example.com")
    child = await both.made("Enrollment__c", Name="Waits", Contact__c=contact)

    async def linked() -> bool:
        return bool((await both.rows("enrollment_c")).get(child, {}).get("Contact__c")) and bool(await both.person("Late"))

    await until(linked, "it is linked once its parent is there")
    assert (await both.rows("enrollment_c"))[child]["Contact__c"] == (await both.person("Late"))["id"]


async def what_follows_people(both: Both) -> None:
    """Contacts who merge take their records along, as Salesforce has it; a lead that converts stays who it was."""
    winner = await both.made("Contact", LastName="Winner", Email="winner@example.com")
    loser = await both.made("Contact", LastName="Loser", Email="loser@example.com")
    lead = await both.made("Lead", LastName="Becomes", Company="Initech", Email="becomes@example.com")
    merged, converted = await both.made("Enrollment__c", Contact__c=loser), await both.made("Enrollment__c", Lead__c=lead)

    async def linked() -> bool:
        return {merged, converted} <= set(await both.rows("enrollment_c"))

    await until(linked, "both are in Marketo")
    person = (await both.person("Becomes"))["id"]
    await both.does("salesforce/merge", object="Contact", master=winner, victims=[loser])
    await both.does("salesforce/convert", lead=lead)

    async def followed() -> bool:
        rows, people = await both.rows("enrollment_c"), await both.rows("Lead", "lastName")
        mine = (rows[merged]["Contact__c"], rows[converted]["Lead__c"])
        winner, became = people.get("Winner", {}), people.get("Becomes", {})
        return mine == (winner.get("id"), person) and "Loser" not in people and bool(became.get("sfContactId"))

    await until(followed, "records follow their people")


async def a_field_that_appears(both: Both, stack: Stack, config: Path, roles: tuple[str, ...]) -> None:
    """It is offered, made by `apply`, and filled from then on, of records that nobody touches, too."""
    old = await both.made("Course__c", Name="Old")
    await until(lambda: _there(both, old), "it is in Marketo")
    await both.does("salesforce/define_field", object="Course__c", field={"name": "Room__c", "type": "string"})
    await both.does("salesforce/edit", object="Course__c", id=old, fields={"Room__c": "12"})
    planned = await asyncio.to_thread(tandem, stack, config, "custom-objects", "plan", "--json")
    told = {each["name"]: [field["name"] for field in each["add"]] for each in json.loads(planned.stdout)["objects"]}
    assert (planned.returncode, told) == (6, {"Course__c": ["Room__c"], "Enrollment__c": []})
    checked = json.loads((await asyncio.to_thread(tandem, stack, config, "check", "--json")).stdout)
    assert (checked["refused"], checked["unreachable"]) == ([], [])
    assert [each["message"] for each in checked["findings"] if each["object"] == "custom-course" and each["level"] == "warning"] == [
        *(["Salesforce: Course__c's change events are not visible: changes are found by the poll only, minutes later"] if roles else []),
        "Marketo's course_c lacks Room__c",
    ][-1:]  # fmt: skip
    applied = await asyncio.to_thread(tandem, stack, config, "custom-objects", "apply")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    await stack.restart("tandem")

    async def filled() -> bool:
        return (await both.rows("course_c"))[old].get("Room__c") == "12"

    await until(filled, "what it said before anybody mapped it is there")


async def it_is_shown_as_any_record_is(both: Both, stack: Stack, config: Path) -> None:
    record = next(iter(await both.rows("enrollment_c")))
    told = json.loads((await asyncio.to_thread(tandem, stack, config, "record", record, "--json")).stdout)["records"][0]
    assert {"Name", "Fee__c", "Contact__c", "Total__c"} <= {each["field"] for each in told["fields"]}
    assert [each["field"] for each in told["fields"] if each["marketo"]["mark"] not in ("same", "absent", "altered")] == []
    explained = await asyncio.to_thread(tandem, stack, config, "explain", record, "Name")
    assert explained.returncode == 0, explained.stderr
    assert "Tandem wrote" in explained.stdout or "Tandem made" in explained.stdout, explained.stdout
    seen = await asyncio.to_thread(tandem, stack, config, "visibility", "Enrollment__c", "--json")
    assert {each["field"] for each in json.loads(seen.stdout) if each["why"] == "left out"} == {"Secret__c"}


async def _there(both: Both, course: str) -> bool:
    return course in await both.rows("course_c")


async def _gone(both: Both, record: str) -> bool:
    return record not in await both.rows("enrollment_c")


@pytest.mark.parametrize("roles", [(), ("observe", "settle", "reconcile")], ids=["streams", "polls"])
async def test_custom_objects_live_in_marketo(tmp_path: Path, lent: Lent, roles: tuple[str, ...]) -> None:
    config = tmp_path / "tandem.yaml"
    config.write_text(CONFIG.read_text().replace("poll: 20s", "poll: 2s") + OBJECTS)
    worker = Worker(arguments=tuple(part for role in roles for part in ("--role", role)))
    stack = Stack(tmp_path / "run", workers=(worker,), config=config, lent=lent)
    async with Stack(tmp_path / "run", parts=PARTS - {"tandem"}, config=config, lent=lent) as ground, aiohttp.ClientSession() as http:
        both = Both(http, ground.sandbox.endpoints()["sandbox"]["url"])
        await an_administrator_defines_them(both)
        await make_them_in_marketo(stack, config)
        async with stack:
            await a_record_through_its_life(both)
            await a_child_that_waits_for_its_parents(both)
            await what_follows_people(both)
            await a_field_that_appears(both, stack, config, roles)
            await it_is_shown_as_any_record_is(both, stack, config)
            told = json.loads((await asyncio.to_thread(tandem, stack, config, "status", "--json")).stdout)
            kinds = {each["kind"]: each["linked"] for each in told["others"]}
            assert (kinds["Enrollment__c"], kinds["Course__c"]) == (5, 2)
    await stack.clean()
