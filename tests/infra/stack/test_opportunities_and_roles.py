"""A whole stack on the sandbox: opportunities and who takes part in them, once through the streams and once through the polls alone."""

from pathlib import Path
from typing import Any

import pytest

from consumers.kinds.role import NO_ROLE
from infra.stack.stack import Lent
from tests.infra.stack.both import POLLS, STREAMS, Both, Row, a_stack, plays, until

pytestmark = pytest.mark.integration

OPPORTUNITIES = "marketo/Opportunity"
KEY = "externalOpportunityId"


async def deal(both: Both, name: str, **fields: Any) -> str:
    """A new opportunity in Salesforce."""
    return await both.create("Opportunity", **{"Name": name, "StageName": "Prospecting", "CloseDate": "2027-01-01", **fields})


async def takes(both: Both, opportunity: str, contact: str, role: str | None, **fields: Any) -> str:
    """A contact takes part in it."""
    return await both.create("OpportunityContactRole", OpportunityId=opportunity, ContactId=contact, Role=role, **fields)


async def parts(both: Both, opportunity: str) -> list[Row]:
    """Who takes part in it, in Marketo."""
    return [row for row in (await both.rows("marketo/OpportunityRole")).values() if row[KEY] == opportunity]


async def until_parts(both: Both, opportunity: str, *wanted: tuple[str, str]) -> None:
    """Once these, (person's last name, role), are all."""
    seen: list[tuple[str, str]] = []

    async def so() -> bool:
        names = {str(row["id"]): str(row.get("lastName")) for row in await both.everybody()}
        seen[:] = sorted((names.get(str(row["leadId"]), "?"), str(row["role"])) for row in await parts(both, opportunity))
        return seen == sorted(wanted)

    await until(so, f"the parts of {opportunity} are {wanted}", lambda: list(seen))


async def an_opportunity_through_its_life(both: Both) -> None:
    """Without roles first; amount, stage, owner; won; deleted and back, with its part."""
    account = await both.create("Account", Name="Deals Ltd")
    one = await deal(both, "Mill", AccountId=account, Amount=1200.5)
    await both.record(OPPORTUNITIES, one, KEY, name="Mill", externalCompanyId=account, stage="Prospecting", isClosed=False)
    contact = await both.contact("Miller", AccountId=account)
    await takes(both, one, contact, "Evaluator", IsPrimary=True)
    await until_parts(both, one, ("Miller", "Evaluator"))
    await both.edit("Opportunity", one, StageName="Closed Won", Amount=None, NextStep="Ship")
    await both.record(OPPORTUNITIES, one, KEY, isClosed=True, isWon=True, stage="Closed Won", amount=None, nextStep="Ship")
    await both.does("salesforce/delete", id=one)
    await both.gone(OPPORTUNITIES, one, KEY)
    assert not await parts(both, one)
    await both.does("salesforce/undelete", id=one)
    await both.record(OPPORTUNITIES, one, KEY, name="Mill", isWon=True, externalCompanyId=account)
    await until_parts(both, one, ("Miller", "Evaluator"))


async def a_part_changes(both: Both) -> None:
    """A blank role has a name of its own; one that changes is made again; one that is deleted by itself goes."""
    one, contact, other = await deal(both, "Parts"), await both.contact("Parter"), await both.contact("Partner")
    part = await takes(both, one, contact, None)
    await takes(both, one, other, "Influencer")
    await until_parts(both, one, ("Parter", NO_ROLE), ("Partner", "Influencer"))
    await both.edit("OpportunityContactRole", part, Role="Decision Maker")
    await until_parts(both, one, ("Parter", "Decision Maker"), ("Partner", "Influencer"))
    await both.edit("OpportunityContactRole", part, Role=None)
    await until_parts(both, one, ("Parter", NO_ROLE), ("Partner", "Influencer"))
    await both.does("salesforce/delete", id=part)
    await until_parts(both, one, ("Partner", "Influencer"))


async def whoever_takes_part_is_merged(both: Both) -> None:
    """Two contacts who take part in different opportunities become one; then one in whom both took part of the same name."""
    one, two, both_of = await deal(both, "First"), await deal(both, "Second"), await deal(both, "Shared")
    stays, goes = await both.contact("StaysIn"), await both.contact("GoesIn")
    await takes(both, one, stays, "Evaluator")
    await takes(both, two, goes, "Evaluator")
    await takes(both, both_of, stays, "Influencer")
    await takes(both, both_of, goes, "Influencer")
    await until_parts(both, both_of, ("StaysIn", "Influencer"), ("GoesIn", "Influencer"))
    await until_parts(both, two, ("GoesIn", "Evaluator"))
    await both.does("salesforce/merge", object="Contact", master=stays, victims=[goes])
    await until_parts(both, one, ("StaysIn", "Evaluator"))
    await until_parts(both, two, ("StaysIn", "Evaluator"))
    await until_parts(both, both_of, ("StaysIn", "Influencer"))


async def whoever_takes_part_is_merged_in_marketo(both: Both) -> None:
    """By hand, in Marketo: the contacts are merged in Salesforce, and what they took part in is the winner's."""
    one = await deal(both, "Handmade")
    await both.contact("HandStays")
    goes = await both.contact("HandGoes")
    await takes(both, one, goes, "Evaluator")
    await until_parts(both, one, ("HandGoes", "Evaluator"))
    people = await both.people()
    await both.does("marketo/person/merge", winner=people["HandStays"]["id"], losers=[people["HandGoes"]["id"]])
    await until_parts(both, one, ("HandStays", "Evaluator"))
    await both.gone("salesforce/Contact", goes)


async def a_lead_converts_with_an_opportunity(both: Both) -> None:
    """Salesforce makes the opportunity and a part in it, with the contact, all at once."""
    lead = await both.lead("Convertible")
    first = await both.person("Convertible", sfLeadId=lead)
    done = await both.does("salesforce/convert", lead=lead, opportunity="Won over")
    one = str(done["opportunityId"])
    await both.record(OPPORTUNITIES, one, KEY, name="Won over", externalCompanyId=done["accountId"])
    await until_parts(both, one, ("Convertible", NO_ROLE))
    assert (await both.person("Convertible", sfContactId=done["contactId"]))["id"] == first["id"]


async def whoever_takes_part_is_deleted(both: Both) -> None:
    """And comes back: their parts go and come with them."""
    one, contact = await deal(both, "Lonely"), await both.contact("Leaver")
    await takes(both, one, contact, "Evaluator")
    await until_parts(both, one, ("Leaver", "Evaluator"))
    await both.does("salesforce/delete", id=contact)
    await both.person("Leaver", sfIsDeleted=True)
    await until_parts(both, one)
    await both.does("salesforce/undelete", id=contact)
    await both.person("Leaver", sfIsDeleted=False)
    wanted = [row for row in (await both.rows("salesforce/OpportunityContactRole")).values() if row["OpportunityId"] == one]
    await until_parts(both, one, *(("Leaver", "Evaluator") for _ in wanted))


@pytest.mark.parametrize("roles", [STREAMS, POLLS], ids=["streams", "polls"])
async def test_opportunities_and_roles_through_their_lives(tmp_path: Path, lent: Lent, roles: tuple[str, ...]) -> None:
    async with a_stack(tmp_path, roles, lent=lent) as both:
        await plays(
            both, an_opportunity_through_its_life, a_part_changes, whoever_takes_part_is_merged, whoever_takes_part_is_merged_in_marketo,
            a_lead_converts_with_an_opportunity, whoever_takes_part_is_deleted,
        )  # fmt: skip
