"""A whole stack on the sandbox: people through their lives, once through the streams and once through the polls alone."""

from pathlib import Path
from typing import Any

import pytest

from infra.stack.stack import Lent
from tests.infra.stack.both import POLLS, STREAMS, Both, a_stack, plays, tandem, until

pytestmark = pytest.mark.integration

FOLLOWED = "  delete_in_salesforce: true\n  delete_in_marketo: true\n"


async def fields_are_filled_changed_and_cleared(both: Both) -> None:
    """From either side."""
    lead = await both.lead("Fields", Title="chief", Phone="4711")
    person = await both.person("Fields", title="chief", phone="4711")
    await both.edit("Lead", lead, Title=None, City="Paris")
    await both.person("Fields", title=None, city="Paris")
    await both.touch(person, phone=None, postalCode="75001")
    await both.record("salesforce/Lead", lead, Phone=None, PostalCode="75001", City="Paris")


async def deleted_and_restored_in_salesforce(both: Both) -> None:
    """The person stays, and is flagged; not, once the lead is back."""
    lead = await both.lead("Flagged", Title="chief")
    first = await both.person("Flagged", sfLeadId=lead, sfIsDeleted=False)
    await both.does("salesforce/delete", id=lead)
    await both.person("Flagged", sfIsDeleted=True)
    await both.does("salesforce/undelete", id=lead)
    back = await both.person("Flagged", sfIsDeleted=False)
    await both.edit("Lead", lead, Title="chief of all")
    await both.person("Flagged", title="chief of all")
    assert back["id"] == first["id"]


async def made_again_with_the_same_address(both: Both) -> None:
    """Deleted, and made again: it is the same person in Marketo. They meet as any two records do: Marketo's value stands, of a lead."""
    lead = await both.lead("Again", Title="first")
    first = await both.person("Again", sfLeadId=lead)
    await both.does("salesforce/delete", id=lead)
    await both.person("Again", sfIsDeleted=True)
    other = await both.lead("Again", Title="second", City="Paris")
    second = await both.person("Again", sfLeadId=other, sfIsDeleted=False, title="first", city="Paris")
    await both.record("salesforce/Lead", other, Title="first", City="Paris")
    assert second["id"] == first["id"]
    await both.touch(second, phone="4711")
    await both.record("salesforce/Lead", other, Phone="4711")


async def deleted_in_marketo(both: Both) -> None:
    """The lead stays, and nobody comes back by himself."""
    lead = await both.lead("Dropped")
    person = await both.person("Dropped", sfLeadId=lead)
    await both.does("marketo/person/delete", ids=[person["id"]])
    await both.lead("AfterDropped")
    await both.person("AfterDropped")
    await both.edit("Lead", lead, Title="still there")
    witness = await both.lead("Witness")
    await both.person("Witness", sfLeadId=witness)
    assert not await both.named("Dropped")
    assert lead in await both.rows("salesforce/Lead")


async def stops_qualifying(both: Both) -> None:
    """Whoever has reached Salesforce stays there, in step."""
    made = await both.does("marketo/person/create", fields={"lastName": "Scored", "email": "scored@example.com", "leadScore": 60})
    linked = await both.person("Scored", sfType="Lead")
    lead = str(linked["sfLeadId"])
    await both.does("marketo/person/edit", id=made["id"], fields={"leadScore": 3, "title": "chief"})
    await both.record("salesforce/Lead", lead, Title="chief")
    await both.edit("Lead", lead, Title="chief of all")
    await both.person("Scored", title="chief of all", sfIsDeleted=False)


async def two_swap_their_addresses(both: Both) -> None:
    """Nobody is taken for the other one."""
    one, other = await both.lead("SwapOne", Phone="1"), await both.lead("SwapTwo", Phone="2")
    first, second = await both.person("SwapOne"), await both.person("SwapTwo")
    await both.edit("Lead", one, Email="moment@example.com")
    await both.edit("Lead", other, Email="swapone@example.com")
    await both.edit("Lead", one, Email="swaptwo@example.com")
    here = await both.person("SwapOne", email="swaptwo@example.com", phone="1")
    there = await both.person("SwapTwo", email="swapone@example.com", phone="2")
    assert (here["id"], there["id"]) == (first["id"], second["id"])


async def an_address_that_somebody_else_has(both: Both) -> None:
    """Two people with one address stay two people, each in step with its own lead."""
    one, other = await both.lead("TwinOne"), await both.lead("TwinTwo")
    first, second = await both.person("TwinOne"), await both.person("TwinTwo")
    await both.edit("Lead", one, Email="twintwo@example.com")
    await both.person("TwinOne", email="twintwo@example.com")
    await both.touch(first, title="first")
    await both.touch(second, title="second")
    await both.record("salesforce/Lead", one, Title="first")
    await both.record("salesforce/Lead", other, Title="second")
    assert len(await both.named("TwinOne")) == len(await both.named("TwinTwo")) == 1


async def three_are_merged_at_once(both: Both) -> None:
    """The winner's values win, a value beats no value; the losers' late edits change nobody."""
    winner = await both.lead("Three", Title="winner's")
    losers = [await both.lead(f"Three{place}", Title="loser's", Phone="4711" if place else None) for place in range(2)]
    first = await both.person("Three")
    for place in range(2):
        await both.person(f"Three{place}")
    await both.does("salesforce/merge", object="Lead", master=winner, victims=losers)
    merged = await both.person("Three", phone="4711", title="winner's", sfLeadId=winner)
    assert merged["id"] == first["id"]
    for place in range(2):

        async def alone(name: str = f"Three{place}") -> bool:
            return not await both.named(name)

        await until(alone, "the losers' people are gone")


async def many_are_merged_in_marketo(both: Both) -> None:
    """Twenty-five at once, all of whom are leads."""
    winner = await both.lead("Crowd")
    for place in range(8):
        await both.lead(f"Crowd{place}")
    first = await both.person("Crowd")
    losers = [await both.person(f"Crowd{place}") for place in range(8)]
    await both.does("marketo/person/merge", winner=first["id"], losers=[each["id"] for each in losers])

    async def one() -> bool:
        leads = [row["Id"] for row in (await both.rows("salesforce/Lead")).values() if str(row["LastName"]).startswith("Crowd")]
        return leads == [winner]

    await until(one, "one lead is left")


async def the_same_two_merged_in_both(both: Both) -> None:
    """At once, in the same direction."""
    winner, loser = await both.lead("Equal"), await both.lead("EqualToo", Phone="4711")
    people = [await both.person(name) for name in ("Equal", "EqualToo")]
    await both.does("marketo/person/merge", winner=people[0]["id"], losers=[people[1]["id"]])
    await both.does("salesforce/merge", object="Lead", master=winner, victims=[loser])
    await both.person("Equal", phone="4711", sfLeadId=winner, sfIsDeleted=False)
    await both.record("salesforce/Lead", winner, Phone="4711")
    await both.gone("salesforce/Lead", loser)
    assert not await both.named("EqualToo")


async def edits_of_whoever_is_gone(both: Both) -> None:
    """A lead that is deleted for good: its person is flagged, and what is done to it there goes nowhere and harms nobody."""
    lead = await both.lead("Purged")
    person = await both.person("Purged", sfLeadId=lead)
    await both.does("salesforce/delete", id=lead)
    await both.does("salesforce/empty_recycle_bin", id=lead)
    await both.person("Purged", sfIsDeleted=True)
    await both.touch(person, title="ghost")
    await both.lead("AfterPurged")
    await both.person("AfterPurged")
    assert (await both.person("Purged"))["title"] == "ghost"


async def deletions_are_followed_in_both_directions(both: Both) -> None:
    """By configuration. Whoever is taken out of the recycle bin gets a new person, whoever had deleted the former one."""
    lead, contact = await both.lead("Follow", Title="chief"), await both.contact("FollowToo", Title="chief")
    first, second = await both.person("Follow"), await both.person("FollowToo")
    await both.does("salesforce/delete", id=lead)
    await both.gone("marketo/Lead", str(first["id"]))
    await both.does("marketo/person/delete", ids=[second["id"]])
    await both.gone("salesforce/Contact", contact)
    await both.does("salesforce/undelete", id=lead)
    await both.does("salesforce/undelete", id=contact)
    again = await both.person("Follow", sfLeadId=lead, sfIsDeleted=False, title="chief")
    also = await both.person("FollowToo", sfContactId=contact, sfIsDeleted=False, title="chief")
    await both.touch(again, phone="1")
    await both.edit("Contact", contact, Title="chief of all")
    await both.record("salesforce/Lead", lead, Phone="1")
    await both.person("FollowToo", title="chief of all")
    assert {first["id"], second["id"]}.isdisjoint({again["id"], also["id"]})


async def restored_after_its_person_was_deleted(both: Both) -> None:
    """Somebody deleted both, and takes the lead out of the bin again."""
    lead = await both.lead("Phoenix", Title="chief")
    person = await both.person("Phoenix", sfLeadId=lead)
    await both.does("salesforce/delete", id=lead)
    await both.person("Phoenix", sfIsDeleted=True)
    await both.does("marketo/person/delete", ids=[person["id"]])

    async def known() -> bool:
        _, said = await tandem(both, "record", lead, "--no-live", "--json")
        return '"marketo_note":"deleted"' in said.replace(" ", "")

    await until(known, "it is known that the person was deleted")  # Marketo's deletions are told later than its edits
    await both.does("salesforce/undelete", id=lead)
    await both.person("Phoenix", sfLeadId=lead, sfIsDeleted=False, title="chief")


SCENES: tuple[Any, ...] = (
    fields_are_filled_changed_and_cleared, deleted_and_restored_in_salesforce, made_again_with_the_same_address, deleted_in_marketo,
    stops_qualifying, two_swap_their_addresses, an_address_that_somebody_else_has, three_are_merged_at_once, many_are_merged_in_marketo,
    the_same_two_merged_in_both, edits_of_whoever_is_gone, restored_after_its_person_was_deleted,
)  # fmt: skip


@pytest.mark.parametrize("roles", [STREAMS, POLLS], ids=["streams", "polls"])
async def test_people_through_their_lives(tmp_path: Path, lent: Lent, roles: tuple[str, ...]) -> None:
    async with a_stack(tmp_path, roles, lent=lent) as both:
        await plays(both, *SCENES)


@pytest.mark.parametrize("roles", [STREAMS, POLLS], ids=["streams", "polls"])
async def test_deletions_that_the_configuration_follows(tmp_path: Path, lent: Lent, roles: tuple[str, ...]) -> None:
    async with a_stack(tmp_path, roles, FOLLOWED, lent=lent) as both:
        await plays(both, deletions_are_followed_in_both_directions)
