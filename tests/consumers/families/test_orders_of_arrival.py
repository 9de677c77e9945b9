"""Accounts, users and contacts in every order of arrival: each is written once, with what it names, whoever was told of first."""

from itertools import permutations

import pytest

from tests.consumers.families.family import ACCOUNT, CONTACT, LEAD, OPPORTUNITY, ROLE, USER, Family
from tests.consumers.families.marketo_model import COMPANIES, SALES


def told(family: Family) -> tuple[str, str, str]:
    """A user, an account of theirs, a contact of it."""
    user = family.org.add(USER, FirstName="Ada", LastName="Byron", Email="ada@example.com")
    account = family.org.add(ACCOUNT, Name="Engines", OwnerId=user)
    contact = family.org.add(CONTACT, LastName="Babbage", Email="b@example.com", AccountId=account, OwnerId=user)
    return user, account, contact


def in_step(family: Family, user: str, account: str, contact: str) -> None:
    assert family.marketo.records[SALES][user]["email"] == "ada@example.com"
    assert family.marketo.records[COMPANIES][account]["company"] == "Engines"
    assert family.marketo.records[COMPANIES][account]["externalSalesPersonId"] == user
    person = family.person(contact)
    assert (person["externalCompanyId"], person["externalSalesPersonId"]) == (account, user)
    assert not family.waiting()
    assert not family.due()
    created = [record for _, what, record, _ in family.marketo.written if what == "created"]
    assert len(created) == len(set(created)) == 3


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("settled_between", [False, True])
async def test_each_is_written_once_with_its_parents(order: tuple[int, ...], settled_between: bool) -> None:
    family = Family()
    records = told(family)
    events = list(family.org.events)
    family.org.events.clear()
    for place in order:
        await family.observe(events[place])
        if settled_between:
            await family.turn()
    await family.rest()
    in_step(family, *records)


async def test_parents_that_nobody_told_of_are_read() -> None:
    family = Family()
    records = told(family)
    events, family.org.events[:] = list(family.org.events), []
    await family.observe(events[2])
    await family.rest()
    in_step(family, *records)
    await family.observe(*events)
    await family.rest()
    in_step(family, *records)


async def test_a_second_pass_writes_nothing() -> None:
    family = Family()
    told(family)
    events = list(family.org.events)
    await family.rest()
    before, calls = list(family.marketo.written), family.marketo.calls
    for event in reversed(events):
        await family.observe(event)
    await family.rest()
    assert family.marketo.written == before
    assert family.marketo.calls == calls


async def test_the_rest_of_a_person_does_not_wait() -> None:
    family = Family()
    contact = family.org.add(CONTACT, LastName="Babbage", Email="b@example.com", AccountId="001000000000099AAA")
    await family.deliver()
    await family.settlers[family.writers["marketo"].system].round()  # type: ignore[index]
    assert family.person(contact)["lastName"] == "Babbage"
    assert "externalCompanyId" not in family.person(contact)
    reason = family.pair(contact).fields["externalCompanyId"].marketo.reason
    assert "waits for account 001000000000099AAA" in reason


async def test_an_account_without_an_owner_in_sight_is_written_and_its_owner_follows() -> None:
    family = Family()
    user = family.org.add(USER, LastName="Byron", Email="ada@example.com")
    family.org.events.clear()
    family.org.invisible.add(user)
    account = family.org.add(ACCOUNT, Name="Engines", OwnerId=user)
    await family.rest()
    assert family.marketo.records[COMPANIES][account] == {"company": "Engines"} | dict.fromkeys(
        key for key in family.marketo.records[COMPANIES][account] if key != "company"
    )
    family.org.invisible.clear()
    family.org.edit(user, Title="Countess")
    await family.rest()
    assert family.marketo.records[COMPANIES][account]["externalSalesPersonId"] == user
    assert not family.waiting()


async def test_a_lead_keeps_its_own_company_text() -> None:
    family = Family()
    user = family.org.add(USER, LastName="Byron", Email="ada@example.com")
    lead = family.org.add(LEAD, LastName="Babbage", Company="Engines", Email="b@example.com", OwnerId=user)
    await family.rest()
    person = family.person(lead)
    assert (person["company"], person.get("externalCompanyId"), person["externalSalesPersonId"]) == ("Engines", None, user)


async def test_a_contact_that_is_named_and_not_known_is_read_as_a_contact() -> None:
    family = Family()
    account = family.org.add(ACCOUNT, Name="Engines")
    contact = family.org.add(CONTACT, LastName="Babbage", Email="b@example.com", AccountId=account)
    opportunity = family.org.add(OPPORTUNITY, Name="A mill", AccountId=account)
    role = family.org.add(ROLE, OpportunityId=opportunity, ContactId=contact, Role="Engineer")
    events, family.org.events[:] = list(family.org.events), []
    await family.observe(events[-1])
    await family.rest()
    assert family.pair(contact).object == CONTACT
    assert family.person(contact)["lastName"] == "Babbage"
    assert family.pair(role).marketo.id
    assert not family.waiting()
