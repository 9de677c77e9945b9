"""A whole stack on the sandbox: people who merge and convert in either system are one person in both, once through the streams and once
through the polls alone."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.stack.stack import CONFIG, Stack
from infra.stack.tandem import Worker

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 90


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

    async def rows(self, where: str) -> dict[str, dict[str, Any]]:
        """Every live record, by its id."""
        async with self._http.get(f"{self._url}/dump/{where}") as answer:
            lines = [json.loads(line) for line in (await answer.text()).splitlines()]
        return {str(row.get("Id", row.get("id"))): row for row in lines}

    async def lead(self, name: str, **fields: str) -> str:
        """A new lead in Salesforce."""
        values = {"LastName": name, "Company": "Acme", "Email": f"{name.lower()}@example.com", **fields}
        return str((await self.does("salesforce/create", object="Lead", fields=values))["id"])

    async def people(self) -> dict[str, dict[str, Any]]:
        """Marketo's, by last name."""
        return {str(row["lastName"]): row for row in (await self.rows("marketo/Lead")).values()}


async def until(what: Callable[[], Awaitable[object]], said: str) -> None:
    """Waits for it."""
    last: object = None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (last := await what()):
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{said}: not within {DEADLINE_SECONDS} s ({last})") from None


async def merged_in_salesforce(both: Both) -> None:
    """Two leads who both have a person, and a value that only the loser has."""
    winner, loser = await both.lead("Winner"), await both.lead("Loser", Phone="4711", Title="loser's")
    await until(lambda: _there(both, "Winner", "Loser"), "both are in Marketo")
    first = (await both.people())["Winner"]
    await both.does("salesforce/merge", object="Lead", master=winner, victims=[loser])

    async def one() -> bool:
        people, leads = await both.people(), await both.rows("salesforce/Lead")
        mine = people.get("Winner", {})
        return "Loser" not in people and mine.get("phone") == "4711" and leads[winner].get("Phone") == "4711" and loser not in leads

    await until(one, "merged in Salesforce: one person, with what only the loser had")
    assert (await both.people())["Winner"]["id"] == first["id"]


async def merged_with_a_lead_that_nobody_has_heard_of(both: Both) -> None:
    """The loser is merged away in the very moment that it is made."""
    winner = await both.lead("Known")
    await until(lambda: _there(both, "Known"), "it is in Marketo")
    young = await both.lead("Young", Title="young")
    await both.does("salesforce/merge", object="Lead", master=winner, victims=[young])

    async def one() -> bool:
        return "Young" not in await both.people() and young not in await both.rows("salesforce/Lead")

    await until(one, "merged before it was known: nobody of that name is left")


async def merged_in_marketo(both: Both) -> None:
    """Two people who are both leads."""
    winner, loser = await both.lead("Stays"), await both.lead("Goes", Phone="4712")
    await until(lambda: _there(both, "Stays", "Goes"), "both are in Marketo")
    people = await both.people()
    await both.does("marketo/person/merge", winner=people["Stays"]["id"], losers=[people["Goes"]["id"]])

    async def one() -> bool:
        leads = await both.rows("salesforce/Lead")
        return loser not in leads and leads[winner].get("Phone") == "4712" and "Goes" not in await both.people()

    await until(one, "merged in Marketo: one lead, with what only the loser had")


async def converted_to_a_new_contact(both: Both) -> None:
    """The contact comes before the lead's own event."""
    lead = await both.lead("Converts", Title="chief")
    await until(lambda: _there(both, "Converts"), "it is in Marketo")
    first = (await both.people())["Converts"]
    contact = (await both.does("salesforce/convert", lead=lead))["contactId"]

    async def one() -> bool:
        named = [row for row in (await both.rows("marketo/Lead")).values() if row["lastName"] == "Converts"]
        links = [(row.get("sfType"), row.get("sfContactId"), row.get("sfLeadId")) for row in named]
        return links == [("Contact", contact, None)] and named[0]["id"] == first["id"]

    await until(one, "converted: the same person, who is a contact now")
    await both.does("marketo/person/edit", id=first["id"], fields={"title": "chief of all"})

    async def edited() -> bool:
        return (await both.rows("salesforce/Contact"))[contact].get("Title") == "chief of all"

    await until(edited, "an edit of the person reaches the contact")


async def converted_into_a_contact_who_is_a_person_too(both: Both) -> None:
    """Which is a merge in Marketo."""
    lead = await both.lead("Old", Email="old@example.com", Phone="4713")
    account = (await both.does("salesforce/create", object="Account", fields={"Name": "Globex"}))["id"]
    fields = {"LastName": "There", "Email": "there@example.com", "AccountId": account}
    contact = (await both.does("salesforce/create", object="Contact", fields=fields))["id"]
    await until(lambda: _there(both, "Old", "There"), "both are in Marketo")
    await both.does("salesforce/convert", lead=lead, contact=contact, account=account)

    async def one() -> bool:
        people = await both.people()
        mine = people.get("There", {})
        return "Old" not in people and mine.get("sfContactId") == contact and mine.get("phone") == "4713"

    await until(one, "converted into a contact: one person")


async def _there(both: Both, *names: str) -> bool:
    people = await both.people()
    return all(name in people for name in names)


@pytest.mark.parametrize("roles", [(), ("observe", "settle", "reconcile")], ids=["streams", "polls"])
async def test_whoever_merges_or_converts_in_either_system_is_one_person_in_both(tmp_path: Path, roles: tuple[str, ...]) -> None:
    config = tmp_path / "tandem.yaml"
    config.write_text(CONFIG.read_text().replace("poll: 20s", "poll: 2s"))
    worker = Worker(arguments=tuple(part for role in roles for part in ("--role", role)))
    async with Stack(tmp_path / "run", workers=(worker,), config=config) as stack, aiohttp.ClientSession() as http:
        both = Both(http, stack.sandbox.endpoints()["sandbox"]["url"])
        await merged_in_salesforce(both)
        await merged_with_a_lead_that_nobody_has_heard_of(both)
        await merged_in_marketo(both)
        await converted_to_a_new_contact(both)
        await converted_into_a_contact_who_is_a_person_too(both)
    await stack.clean()
