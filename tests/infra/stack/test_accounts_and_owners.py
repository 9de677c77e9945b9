"""A whole stack on the sandbox: accounts and owners through their lives, once through the streams and once through the polls alone."""

from pathlib import Path

import pytest

from consumers.merge.edits.values import NOBODY
from infra.stack.stack import Lent
from tests.infra.stack.both import POLLS, STREAMS, Both, a_stack, plays

pytestmark = pytest.mark.integration

COMPANIES, SALES = ("marketo/Company", "externalCompanyId"), ("marketo/SalesPerson", "externalSalesPersonId")
NEVER = {"718", "1021"}
"""What Marketo answers to an owner whom it doesn't know yet, and to what a company tells of itself where a person tells it."""


async def an_account_and_its_people(both: Both) -> None:
    """One write of the company reaches whoever belongs to it; a lead's own company is its own."""
    account = await both.create("Account", Name="Engines")
    people = [await both.contact(f"Engine{number}", AccountId=account) for number in range(3)]
    await both.lead("Loner", Company="Looms")
    nobody = await both.contact("Nobody")
    for number in range(3):
        await both.person(f"Engine{number}", externalCompanyId=account, company="Engines")
    await both.edit("Account", account, Name="Better Engines", Industry="Energy")
    await both.record(*COMPANIES[:1], account, COMPANIES[1], company="Better Engines", industry="Energy")
    for number in range(3):
        await both.person(f"Engine{number}", company="Better Engines", sfContactId=people[number])
    loner = await both.person("Loner", company="Looms")
    assert not loner.get("externalCompanyId")
    alone = await both.person("Nobody", sfContactId=nobody)
    assert not alone.get("externalCompanyId"), "who has no account keeps none"


async def a_contact_moves(both: Both) -> None:
    """To another account, to none, and back."""
    one, other = await both.create("Account", Name="One"), await both.create("Account", Name="Other")
    contact = await both.contact("Mover", AccountId=one)
    await both.person("Mover", externalCompanyId=one)
    await both.edit("Contact", contact, AccountId=other)
    await both.person("Mover", externalCompanyId=other)
    await both.edit("Contact", contact, AccountId=None)
    await both.person("Mover", externalCompanyId=NOBODY)
    await both.edit("Contact", contact, AccountId=one)
    await both.person("Mover", externalCompanyId=one)


async def accounts_merge(both: Both) -> None:
    """The children follow, and the loser's company goes."""
    winner, loser = await both.create("Account", Name="Winner Ltd"), await both.create("Account", Name="Loser Ltd")
    await both.contact("Follows", AccountId=loser)
    deal = await both.create("Opportunity", Name="Follows too", AccountId=loser, StageName="Prospecting", CloseDate="2027-01-01")
    await both.person("Follows", externalCompanyId=loser)
    await both.record("marketo/Opportunity", deal, "externalOpportunityId", externalCompanyId=loser)
    await both.does("salesforce/merge", object="Account", master=winner, victims=[loser])
    await both.person("Follows", externalCompanyId=winner)
    await both.record("marketo/Opportunity", deal, "externalOpportunityId", externalCompanyId=winner)
    await both.gone(COMPANIES[0], loser, COMPANIES[1])
    await both.record(COMPANIES[0], winner, COMPANIES[1], company="Winner Ltd")


async def an_account_is_deleted_and_comes_back(both: Both) -> None:
    """With its contacts, who are flagged: no company is left for them. All of it comes back."""
    account = await both.create("Account", Name="Goes Ltd", Industry="Energy")
    contact = await both.contact("Goes", AccountId=account)
    first = await both.person("Goes", externalCompanyId=account)
    await both.does("salesforce/delete", id=account)
    await both.person("Goes", sfIsDeleted=True)
    await both.gone(COMPANIES[0], account, COMPANIES[1])
    await both.does("salesforce/undelete", id=account)
    await both.record(COMPANIES[0], account, COMPANIES[1], company="Goes Ltd", industry="Energy")
    back = await both.person("Goes", sfIsDeleted=False, sfContactId=contact, externalCompanyId=account)
    assert back["id"] == first["id"]


async def owners(both: Both) -> None:
    """Of people, companies and opportunities; a queue is nobody; renamed, re-mailed and inactive users stay who they are."""
    user = await both.user("Byron")
    queue = await both.create("Group", Name="Waiting", Type="Queue")
    await both.create("QueueSobject", QueueId=queue, SobjectType="Lead")
    account = await both.create("Account", Name="Owned", OwnerId=user)
    await both.contact("OwnedContact", AccountId=account, OwnerId=user)
    lead = await both.lead("OwnedLead", OwnerId=user)
    deal = await both.create("Opportunity", Name="Owned", AccountId=account, StageName="Prospecting", CloseDate="2027-01-01", OwnerId=user)
    for name in ("OwnedContact", "OwnedLead"):
        await both.person(name, externalSalesPersonId=user)
    await both.record(COMPANIES[0], account, COMPANIES[1], externalSalesPersonId=user)
    await both.record("marketo/Opportunity", deal, "externalOpportunityId", externalSalesPersonId=user)
    await both.edit("Lead", lead, OwnerId=queue)
    await both.person("OwnedLead", externalSalesPersonId=None)
    await both.edit("User", user, LastName="Lovelace", Email="lovelace@users.example")
    await both.record(SALES[0], user, SALES[1], lastName="Lovelace", email="lovelace@users.example")
    await both.edit("User", user, IsActive=False)
    await both.edit("User", user, Title="Countess")
    await both.record(SALES[0], user, SALES[1], title="Countess")
    other = await both.user("Babbage")
    await both.edit("Lead", lead, OwnerId=other)
    await both.person("OwnedLead", externalSalesPersonId=other)
    assert (await both.person("OwnedContact"))["externalSalesPersonId"] == user


async def a_sales_person_whom_somebody_deleted(both: Both) -> None:
    """Marketo knows the owner no more (718): it is made again, then whatever is owned is written."""
    user = await both.user("Vanished")
    known = await both.record(SALES[0], user, SALES[1])
    account = await both.create("Account", Name="Owned too")
    await both.record(COMPANIES[0], account, COMPANIES[1])
    await both.does("marketo/record/delete", object="SalesPerson", id=known["id"])
    fields = {"AccountId": account, "StageName": "Prospecting", "CloseDate": "2027-01-01", "OwnerId": user}
    deal = await both.create("Opportunity", Name="Ownerless", **fields)
    await both.record("marketo/Opportunity", deal, "externalOpportunityId", externalSalesPersonId=user)
    await both.record(SALES[0], user, SALES[1], lastName="Vanished")


async def whoever_has_a_company_is_never_told_of_it(both: Both) -> None:
    """What a company tells of itself is never written through the person (1021), also where the lead of a contact had told it."""
    lead = await both.lead("Told", Company="By Hand", Industry="Energy", Website="https://by.hand.example")
    await both.person("Told", company="By Hand", industry="Energy")
    account = await both.create("Account", Name="Real", Industry="Banking")
    done = await both.does("salesforce/convert", lead=lead, account=account)
    await both.person("Told", sfContactId=done["contactId"], externalCompanyId=account, company="Real", industry="Banking")
    await both.edit("Account", account, Industry="Retail", Website="https://real.example")
    await both.edit("Contact", done["contactId"], Title="Chief")
    await both.person("Told", title="Chief", industry="Retail", company="Real")


@pytest.mark.parametrize("roles", [STREAMS, POLLS], ids=["streams", "polls"])
async def test_accounts_and_owners_through_their_lives(tmp_path: Path, lent: Lent, roles: tuple[str, ...]) -> None:
    async with a_stack(tmp_path, roles, lent=lent) as both:
        await plays(
            both, an_account_and_its_people, a_contact_moves, accounts_merge, an_account_is_deleted_and_comes_back, owners,
            whoever_has_a_company_is_never_told_of_it,
        )  # fmt: skip
        assert not NEVER & (await both.errors("marketo")).keys(), "owners and companies come first, and nobody tells of the company"
        await plays(both, a_sales_person_whom_somebody_deleted)
        assert (await both.errors("marketo"))["718"], "this is how it would have been seen"
