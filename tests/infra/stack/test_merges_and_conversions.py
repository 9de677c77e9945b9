"""A whole stack on the sandbox: people who merge and convert in either system are one person in both, once through the streams and once
through the polls alone."""

from pathlib import Path

import pytest

from infra.stack.stack import Lent
from tests.infra.stack.both import POLLS, STREAMS, Both, a_stack, plays, until

pytestmark = pytest.mark.integration


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


@pytest.mark.parametrize("roles", [STREAMS, POLLS], ids=["streams", "polls"])
async def test_whoever_merges_or_converts_in_either_system_is_one_person_in_both(
    tmp_path: Path, lent: Lent, roles: tuple[str, ...]
) -> None:
    async with a_stack(tmp_path, roles, lent=lent) as both:
        await plays(
            both, merged_in_salesforce, merged_with_a_lead_that_nobody_has_heard_of, merged_in_marketo, converted_to_a_new_contact,
            converted_into_a_contact_who_is_a_person_too,
        )  # fmt: skip
