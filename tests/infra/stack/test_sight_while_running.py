"""A whole stack on the sandbox: rights and fields that come and go while a worker runs cost what they concern and nothing else, once
through the streams and once through the polls alone."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from infra.stack.stack import CONFIG, Lent, Stack
from infra.stack.tandem import Worker
from tests.infra.stack.both import POLLS, STREAMS, Both, until

pytestmark = pytest.mark.integration

BANDS = {"name": "Band__c", "type": "string", "length": 50}
MAPPED = """
lead:
  fields:
    band: {salesforce: Band__c, type: text}
"""


class Running(Both):
    """Both systems, and what Tandem says of itself."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        super().__init__(stack, http)
        self._dsn = stack.dsn()
        self.ours = stack.sandbox.endpoints()["tandem"]["salesforce"]["username"]

    async def troubles(self) -> str:
        """All in one text."""
        async with self._http.get(f"{self.stack.tandem.url}/status.json") as answer:
            told = await answer.json()
        return "\n".join(str(each["what"]) for each in told.get("troubles", ()))

    async def right(self, field: str, *, on: bool, obj: str = "Lead") -> None:
        """The user of Tandem's may see and write a field, or not."""
        await self.does("salesforce/set_field_permission", user=self.ours, object=obj, field=field, readable=on, editable=on)

    async def objects(self, obj: str, *, on: bool) -> None:
        """The user of Tandem's may see and write such records, or not."""
        rights = dict.fromkeys(("readable", "creatable", "editable", "deletable", "view_all"), on)
        await self.does("salesforce/set_object_permission", user=self.ours, object=obj, **rights)

    async def says(self, words: str, *, still: bool = True) -> None:
        """Waits until the status says so, or no longer."""

        async def told() -> bool:
            return (words in await self.troubles()) is still

        await until(told, f"the status {'says' if still else 'no longer says'} {words!r}")

    async def ready(self) -> None:
        """Waits until the worker says that it is; a role that starts again after a fault is not, for a moment."""

        async def ready() -> bool:
            return await asyncio.to_thread(self.stack.tandem.ready)

        await until(ready, "the worker is ready")

    async def shows(self, name: str, **fields: Any) -> None:
        """Waits until Marketo's person shows these."""

        async def shown() -> bool:
            person = (await self.people()).get(name, {})
            return all(person.get(key) == value for key, value in fields.items())

        await until(shown, f"{name} shows {fields} in Marketo")

    async def has(self, lead: str, **fields: Any) -> None:
        """Waits until Salesforce's lead has these."""

        async def there() -> bool:
            row = (await self.rows("salesforce/Lead"))[lead]
            return all(row.get(key) == value for key, value in fields.items())

        await until(there, f"{lead} has {fields} in Salesforce")

    async def held(self, words: str) -> None:
        """Waits until a pair is held for this."""

        async def known() -> bool:
            connection = await asyncpg.connect(self._dsn)
            try:
                return bool(await connection.fetchval("select count(*) from pairs where held like $1", f"{words}%"))
            finally:
                await connection.close()

        await until(known, f"somebody is held: {words}")

    async def remembers(self, field: str, retired: str) -> None:
        """Waits until it is known that a picklist of leads no longer takes a value."""

        async def known() -> bool:
            connection = await asyncpg.connect(self._dsn)
            try:
                facts = await connection.fetchval("select facts from known_fields where object = 'lead' and name = $1", field)
            finally:
                await connection.close()
            return facts is not None and retired not in str(facts)

        await until(known, f"{field} is known to have lost {retired}")

    async def changes(self, lead: str, obj: str = "Lead", **fields: Any) -> None:
        """Somebody edits it in Salesforce."""
        await self.does("salesforce/edit", object=obj, id=lead, fields=fields)

    async def by_marketing(self, name: str, **fields: Any) -> None:
        """Somebody edits the person in Marketo."""
        await self.does("marketo/person/edit", id=(await self.people())[name]["id"], fields=fields)


async def a_field_is_hidden_and_seen_again(both: Running) -> None:
    """Nothing is cleared meanwhile; both sides' edits of that time arrive once it is back."""
    one, other = await both.lead("Veil", Title="before"), await both.lead("Curtain", Title="before")
    await both.shows("Veil", title="before")
    await both.shows("Curtain", title="before")
    await both.right("Title", on=False)
    await both.says("Title of lead can't be seen")
    await both.changes(one, Title="hidden edit", Phone="1")
    await both.by_marketing("Curtain", title="from Marketo", phone="2")
    await both.shows("Veil", phone="1")
    await both.has(other, Phone="2")
    assert (await both.people())["Veil"]["title"] == "before", "neither read nor cleared"
    assert (await both.rows("salesforce/Lead"))[other]["Title"] == "before", "not written"
    await both.right("Title", on=True)
    await both.shows("Veil", title="hidden edit")
    await both.has(other, Title="from Marketo")
    await both.says("Title of lead", still=False)


async def an_object_is_hidden_and_seen_again(both: Running) -> None:
    """Leads go on; nobody is deleted; what happened meanwhile arrives."""
    account = (await both.does("salesforce/create", object="Account", fields={"Name": "Initech"}))["id"]
    fields = {"LastName": "Milton", "Email": "milton@example.com", "AccountId": account}
    contact = (await both.does("salesforce/create", object="Contact", fields=fields))["id"]
    lead = await both.lead("Peter")
    await both.shows("Milton", sfContactId=contact)
    await both.shows("Peter", sfLeadId=lead)
    await both.objects("Contact", on=False)
    await both.says("Contact records can't be seen")
    await both.changes(contact, obj="Contact", Title="stapler")
    await both.by_marketing("Milton", phone="3")
    await both.changes(lead, Title="still flows")
    await both.shows("Peter", title="still flows")
    milton = (await both.people())["Milton"]
    assert (milton.get("title"), bool(milton.get("sfIsDeleted"))) == (None, False)
    await both.objects("Contact", on=True)
    await both.shows("Milton", title="stapler")
    assert not (await both.people())["Milton"].get("sfIsDeleted")

    async def written() -> bool:
        return (await both.rows("salesforce/Contact"))[contact].get("Phone") == "3"

    await until(written, "what Marketo's people wrote meanwhile is written")
    await both.says("Contact records", still=False)


async def a_type_is_changed_and_changed_back(both: Running) -> None:
    """Just that field is held, and its value stands."""
    lead = await both.lead("Typed", Band__c="7")
    await both.shows("Typed", band="7")
    await both.does("salesforce/change_field_type", object="Lead", field="Band__c", type="date")
    await both.says("Band__c of lead is of type date now and mapped as text")
    await both.changes(lead, Band__c="2026-11-29", Phone="4")
    await both.shows("Typed", phone="4")
    assert (await both.people())["Typed"]["band"] == "7"
    await both.does("salesforce/change_field_type", object="Lead", field="Band__c", type="string", length=50)
    await both.changes(lead, Band__c="8")
    await both.shows("Typed", band="8")
    await both.says("Band__c of lead", still=False)


async def a_field_is_renamed(both: Running) -> None:
    """The old one has vanished, the new one is nobody's: nothing is cleared; under the old name again, it goes on."""
    lead = await both.lead("Renamed", Band__c="gold")
    await both.shows("Renamed", band="gold")
    await both.does("salesforce/rename_field", object="Lead", field="Band__c", name="Tier__c")
    await both.says("Band__c of lead can't be seen")
    await both.changes(lead, Tier__c="silver", Phone="5")
    await both.shows("Renamed", phone="5")
    assert (await both.people())["Renamed"]["band"] == "gold"
    await both.does("salesforce/rename_field", object="Lead", field="Tier__c", name="Band__c")
    await both.shows("Renamed", band="silver")


async def a_record_leaves_sight_and_comes_back(both: Running) -> None:
    """It is not shared with Tandem's user for a while: not deleted, not flagged, and what was owed arrives once it is."""
    lead, other = await both.lead("Hermit"), await both.lead("Neighbour")
    await both.shows("Hermit", sfLeadId=lead)
    await both.shows("Neighbour", sfLeadId=other)
    rights = dict.fromkeys(("readable", "creatable", "editable", "deletable"), True)
    await both.does("salesforce/set_object_permission", user=both.ours, object="Lead", view_all=False, **rights)
    await both.does("salesforce/set_view_all_data", user=both.ours, value=False)
    await both.does("salesforce/set_sharing", object="Lead", private=True)
    await both.by_marketing("Hermit", phone="7")
    await both.held("out of sight in salesforce")
    hermit = (await both.people())["Hermit"]
    assert not hermit.get("sfIsDeleted"), "that it can't be found is no deletion"
    await both.does("salesforce/set_sharing", object="Lead", private=False)
    await both.has(lead, Phone="7")
    await both.does("salesforce/set_object_permission", user=both.ours, object="Lead", view_all=True, **rights)
    await both.does("salesforce/set_view_all_data", user=both.ours, value=True)
    await both.changes(other, Title="still there")
    await both.shows("Neighbour", title="still there")


async def a_picklist_value_is_retired_and_comes_back(both: Running) -> None:
    """Just that value is refused; the others, and the other fields, go on."""
    lead = await both.lead("Picky", Rating="Warm")
    await both.shows("Picky", rating="Warm")
    rating = {"name": "Rating", "type": "picklist", "picklist": ["Hot", "Warm", "Cold"], "restricted": True}
    await both.does("salesforce/define_field", object="Lead", field={**rating, "inactive": ["Cold"]})
    await both.by_marketing("Picky", rating="Cold", phone="6")
    await both.has(lead, Phone="6", Rating="Warm")
    await both.by_marketing("Picky", title="others flow")
    await both.has(lead, Title="others flow", Rating="Warm")
    await both.remembers("Rating", "Cold")
    await both.does("salesforce/define_field", object="Lead", field=rating)
    await both.has(lead, Rating="Cold")


async def the_org_gets_several_currencies(both: Running) -> None:
    """Which nobody has given a rate: amounts are held, and it is said what to do; everything else goes on."""
    lead = await both.lead("Banker", AnnualRevenue=100)
    await both.shows("Banker", annualRevenue=100)
    await both.does("salesforce/enable_currencies", corporate="EUR", others=["USD"])
    await both.says("AnnualRevenue of lead holds amounts in several currencies")
    await both.changes(lead, AnnualRevenue=900, CurrencyIsoCode="USD", Phone="8")
    await both.shows("Banker", phone="8")
    assert (await both.people())["Banker"]["annualRevenue"] == 100


@pytest.mark.parametrize("roles", [pytest.param(STREAMS, id="streams"), pytest.param(POLLS, id="polls", marks=pytest.mark.slow)])
async def test_what_comes_and_goes_costs_what_it_concerns(tmp_path: Path, lent: Lent, roles: tuple[str, ...]) -> None:
    config = tmp_path / "tandem.yaml"
    config.write_text(CONFIG.read_text().replace("poll: 20s", "poll: 2s\n  describe: 2s") + MAPPED)
    worker = Worker(arguments=tuple(part for role in roles for part in ("--role", role)))
    stack = Stack(tmp_path / "run", workers=(worker,), config=config, lent=lent)
    async with aiohttp.ClientSession() as http:
        await stack.start("sandbox")
        first = Both(stack, http)
        await first.does("salesforce/define_field", object="Lead", field=BANDS)
        await first.does("marketo/field/create", name="band", displayName="Band", dataType="string")
        async with stack:
            both = Running(stack, http)
            for scene in (
                a_field_is_hidden_and_seen_again,
                an_object_is_hidden_and_seen_again,
                a_type_is_changed_and_changed_back,
                a_field_is_renamed,
                a_picklist_value_is_retired_and_comes_back,
                a_record_leaves_sight_and_comes_back,
                the_org_gets_several_currencies,
            ):
                await scene(both)
            await both.ready()
    await stack.clean()
