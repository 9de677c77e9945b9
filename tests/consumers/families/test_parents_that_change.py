"""What becomes of those who belong to a record when that changes, goes, comes back or is refused."""

import pytest

from consumers.merge.edits.values import NOBODY
from consumers.merge.lives.record import asked_again
from consumers.merge.writing.refused import RECORD, refusals
from consumers.settle.driving.reconsider import reconsider
from streams.wire.errors import Fatal, Reject, SyncError
from streams.wire.systems import MARKETO
from tests.consumers.families.family import ACCOUNT, CONTACT, USER, Family
from tests.consumers.families.marketo_model import COMPANIES, SALES

QUEUE = "00G000000000001AAA"


async def family_of(contacts: int = 1, **fields: str) -> tuple[Family, str, str, list[str]]:
    """A user, an account, contacts: all in step."""
    family = Family()
    user = family.org.add(USER, LastName="Byron", Email="ada@example.com")
    account = family.org.add(ACCOUNT, Name="Engines", OwnerId=user)
    people = [
        family.org.add(CONTACT, LastName="B", Email=f"b{number}@example.com", AccountId=account, OwnerId=user, **fields)
        for number in range(contacts)
    ]
    await family.rest()
    assert not family.marketo.orphans()
    return family, user, account, people


async def test_a_contact_moves_to_another_account() -> None:
    family, user, _, (contact,) = await family_of()
    other = family.org.add(ACCOUNT, Name="Looms", OwnerId=user)
    family.org.edit(contact, AccountId=other)
    await family.rest()
    assert family.person(contact)["externalCompanyId"] == other
    assert {parent for parent, _ in family.memory.relations.values()} == {user, other}


async def test_a_contact_without_an_account_belongs_to_the_one_that_stands_for_none() -> None:
    family, _, account, (contact,) = await family_of()
    family.org.edit(contact, AccountId=None)
    await family.rest()
    assert family.person(contact)["externalCompanyId"] == NOBODY
    assert NOBODY in family.marketo.records[COMPANIES]
    assert account not in [parent for parent, _ in family.memory.relations.values()], "it belongs to that one no more"
    family.org.edit(contact, AccountId=account)
    await family.rest()
    assert family.person(contact)["externalCompanyId"] == account


async def test_the_one_that_stands_for_none_is_made_again_where_somebody_deleted_it() -> None:
    family, _, account, people = await family_of(contacts=2)
    family.org.edit(people[0], AccountId=None)
    await family.rest()
    family.org.edit(people[0], AccountId=account)
    await family.rest()
    del family.marketo.records[COMPANIES][NOBODY]
    family.org.edit(people[1], AccountId=None)
    await family.rest()
    assert family.person(people[1])["externalCompanyId"] == NOBODY
    assert not family.marketo.orphans()


async def test_a_contact_that_waited_for_an_account_and_lost_it_waits_no_more() -> None:
    family = Family()
    contact = family.org.add(CONTACT, LastName="B", Email="b@example.com", AccountId="001000000000099AAA")
    family.org.invisible.add("001000000000099AAA")
    await family.rest()
    family.org.edit(contact, AccountId=None)
    await family.rest()
    assert family.waiting() == {}
    assert refusals(family.pair(contact)) == {}


async def test_an_owner_becomes_a_queue_and_somebody_again() -> None:
    family, user, _, (contact,) = await family_of()
    family.org.edit(contact, OwnerId=QUEUE)
    await family.rest()
    assert family.person(contact)["externalSalesPersonId"] is None
    family.org.edit(contact, OwnerId=user)
    await family.rest()
    assert family.person(contact)["externalSalesPersonId"] == user


async def test_a_user_who_is_renamed_and_gets_another_address_stays_the_same_sales_person() -> None:
    family, user, _, (contact,) = await family_of()
    family.org.edit(user, LastName="Lovelace", Email="lovelace@example.com")
    await family.rest()
    assert list(family.marketo.records[SALES]) == [user]
    assert family.marketo.records[SALES][user]["email"] == "lovelace@example.com"
    assert family.person(contact)["externalSalesPersonId"] == user


async def test_an_account_that_is_deleted_takes_its_company_once_nobody_belongs_to_it() -> None:
    family, _, account, (contact,) = await family_of()
    family.org.delete(account)
    await family.rest(seconds=120)
    assert account in family.marketo.records[COMPANIES], "its contact still belongs to it"
    told = refusals(family.pair(account))[MARKETO, RECORD]
    assert "1022" in told
    assert "deleted" in told
    family.org.edit(contact, AccountId=None)
    await family.rest()
    assert account not in family.marketo.records[COMPANIES]
    assert refusals(family.pair(account)) == {}
    assert not family.marketo.orphans()


async def test_an_account_that_comes_back_has_its_company_again() -> None:
    family, user, account, (contact,) = await family_of()
    family.org.edit(contact, AccountId=None)
    kind, row = family.org.delete(account)
    await family.rest()
    assert account not in family.marketo.records[COMPANIES]
    family.org.restore(account, kind, row)
    family.org.edit(contact, AccountId=account)
    await family.rest()
    assert family.marketo.records[COMPANIES][account]["company"] == "Engines"
    assert family.marketo.records[COMPANIES][account]["externalSalesPersonId"] == user
    assert family.person(contact)["externalCompanyId"] == account


async def test_an_account_that_goes_with_its_contacts_leaves_nobody_its_company_and_comes_back_with_them() -> None:
    family, user, account, contacts = await family_of(contacts=3)
    gone = [(each, *family.org.delete(each)) for each in (*contacts, account)]
    await family.rest()
    assert account not in family.marketo.records[COMPANIES], "whoever is flagged doesn't keep it"
    people = [family.person(contact) for contact in contacts]
    assert {(row["sfIsDeleted"], row["externalCompanyId"]) for row in people} == {(True, NOBODY)}
    told = [ruling for each in family.memory.decisions for ruling in each.fields if "was deleted in Salesforce, as this" in ruling.reason]
    assert len(told) == len(contacts), "each decision says why"
    for each, kind, row in gone:
        family.org.restore(each, kind, row)
    await family.rest()
    assert family.marketo.records[COMPANIES][account]["externalSalesPersonId"] == user
    assert {(row["sfIsDeleted"], row["externalCompanyId"]) for row in people} == {(False, account)}
    assert not family.marketo.orphans()


async def test_a_contact_that_comes_back_without_its_account_belongs_to_nobody() -> None:
    family, _, account, (contact,) = await family_of()
    kind, row = family.org.delete(contact)
    family.org.delete(account)
    await family.rest()
    family.org.restore(contact, kind, {**row, "AccountId": None})
    await family.rest()
    assert (family.person(contact)["sfIsDeleted"], family.person(contact)["externalCompanyId"]) == (False, NOBODY)
    assert account not in family.marketo.records[COMPANIES]


async def test_an_account_that_loses_a_merge_after_its_contact_was_deleted_leaves_it_to_the_winner() -> None:
    family, user, account, contacts = await family_of(contacts=2)
    winner = family.org.add(ACCOUNT, Name="Looms", OwnerId=user)
    family.org.delete(contacts[0])
    await family.rest()
    family.org.delete(account, into=winner)
    family.org.edit(contacts[1], AccountId=winner)
    await family.rest()
    assert account not in family.marketo.records[COMPANIES]
    assert [family.person(each)["externalCompanyId"] for each in contacts] == [winner, winner]
    assert not family.due()


async def test_a_company_that_somebody_deleted_is_made_again_and_so_is_what_names_it() -> None:
    family, user, account, (contact,) = await family_of()
    family.marketo.people[family.pair(contact).marketo.id]["externalCompanyId"] = None
    del family.marketo.records[COMPANIES][account]
    other = family.org.add(CONTACT, LastName="C", Email="c@example.com", AccountId=account, OwnerId=user)
    await family.rest()
    assert family.person(other)["externalCompanyId"] == account
    assert family.marketo.records[COMPANIES][account]["company"] == "Engines"
    assert not family.marketo.orphans()


async def test_a_sales_person_that_somebody_deleted_is_made_again_for_who_is_owned() -> None:
    family, user, account, _ = await family_of()
    for row in family.marketo.people.values():
        row["externalSalesPersonId"] = None
    family.marketo.records[COMPANIES][account]["externalSalesPersonId"] = None
    del family.marketo.records[SALES][user]
    other = family.org.add(CONTACT, LastName="C", Email="c@example.com", AccountId=account, OwnerId=user)
    stranger = family.org.add(CONTACT, LastName="D", Email="d@example.com", AccountId=account)
    await family.rest()
    assert family.marketo.records[SALES][user]["email"] == "ada@example.com"
    assert family.person(other)["externalSalesPersonId"] == user
    assert family.person(stranger)["lastName"] == "D"
    assert not family.marketo.orphans()


async def test_children_of_a_parent_that_marketo_refuses_are_written_once_it_is_not() -> None:
    family = Family()
    account = family.org.add(ACCOUNT, Name="Engines")
    family.marketo.refuses[account] = "Value for field 'company' is not allowed"
    people = [family.org.add(CONTACT, LastName="B", Email=f"b{number}@example.com", AccountId=account) for number in range(3)]
    await family.rest()
    assert "not allowed" in refusals(family.pair(account))[MARKETO, RECORD]
    assert all(family.person(contact)["lastName"] == "B" for contact in people)
    assert len(family.waiting()) == 3
    family.marketo.refuses.clear()
    family.org.edit(account, Name="Looms")
    await family.rest()
    assert {family.person(contact)["externalCompanyId"] for contact in people} == {account}
    assert all(not refusals(family.pair(contact)) for contact in people)


SHUT = [Fatal("Marketo: 603 access denied."), Reject("Marketo: 1018 CRM enabled", code="1018")]
"""A right that our role lacks; Marketo's own sync, which keeps such records to itself."""


@pytest.mark.parametrize("error", SHUT)
async def test_a_list_that_may_not_be_written_keeps_nobody_from_the_others(error: SyncError) -> None:
    family = Family()
    family.marketo.shut[COMPANIES] = error
    accounts = [family.org.add(ACCOUNT, Name=f"Engines {number}") for number in range(20)]
    people = [family.org.add(CONTACT, LastName="B", Email=f"b{place}@example.com", AccountId=each) for place, each in enumerate(accounts)]
    await family.rest()
    assert all(family.person(contact)["lastName"] == "B" for contact in people)
    assert len(family.waiting()) == len(accounts)
    assert str(error) in refusals(family.pair(accounts[0]))[MARKETO, RECORD], "and says why"
    assert family.marketo.refused_calls < len(accounts), "it is no fault of single records"
    family.marketo.shut.clear()
    await family.rest()
    assert [family.person(contact)["externalCompanyId"] for contact in people] == accounts
    assert not family.waiting()


async def test_a_list_that_may_not_be_read_keeps_nobody_from_the_others() -> None:
    family, _, account, (contact,) = await family_of()
    family.marketo.shut[COMPANIES] = SHUT[0]
    for number, state in list(family.memory.pairs.items()):
        if state.salesforce.id in (account, contact):
            family.memory.pairs[number] = family.terms.with_due(asked_again(state, MARKETO), family.clock.now)
    with pytest.raises(Fatal):
        await family.lookers[MARKETO].round()
    assert [family.pair(each).marketo.reread for each in (account, contact)] == [True, False]


async def test_accounts_that_are_merged_have_one_company_and_all_the_children() -> None:
    family, user, account, (contact,) = await family_of()
    winner = family.org.add(ACCOUNT, Name="Looms", OwnerId=user)
    await family.rest()
    family.org.delete(account, into=winner)
    family.org.edit(contact, AccountId=winner)
    await family.rest()
    assert family.person(contact)["externalCompanyId"] == winner
    assert account not in family.marketo.records[COMPANIES]
    assert winner in family.marketo.records[COMPANIES]
    assert family.marketo.records[COMPANIES][winner]["company"] == "Looms"


@pytest.mark.parametrize("known", [False, True])
async def test_an_account_that_wins_before_it_has_a_company_gets_one_of_its_own_name(known: bool) -> None:
    family, user, account, (contact,) = await family_of()
    winner = family.org.add(ACCOUNT, Name="Looms", OwnerId=user)
    if not known:
        family.org.events.clear()
    family.org.delete(account, into=winner)
    family.org.edit(contact, AccountId=winner)
    await family.rest()
    assert [key for key in family.marketo.records[COMPANIES] if key != NOBODY] == [winner]
    assert family.marketo.records[COMPANIES][winner]["company"] == "Looms"
    assert family.person(contact)["externalCompanyId"] == winner
    assert not family.waiting()


async def test_a_child_that_names_a_merged_account_gets_the_winner_and_nobody_asks_for_ever() -> None:
    family, user, account, _ = await family_of()
    winner = family.org.add(ACCOUNT, Name="Looms", OwnerId=user)
    await family.rest()
    family.org.delete(account, into=winner)
    late = family.org.add(CONTACT, LastName="C", Email="c@example.com", AccountId=account)
    await family.rest()
    assert family.person(late)["externalCompanyId"] == winner


async def test_a_child_that_was_deleted_while_it_waited_has_its_parent_when_it_comes_back() -> None:
    family = Family()
    user = family.org.add(USER, LastName="Byron", Email="ada@example.com")
    family.org.events.clear()
    family.org.invisible.add(user)
    contact = family.org.add(CONTACT, LastName="B", Email="b@example.com", OwnerId=user)
    await family.rest()
    kind, row = family.org.delete(contact)
    await family.rest()
    family.org.invisible.clear()
    family.org.edit(user, Title="Countess")
    family.org.restore(contact, kind, row)
    await family.rest()
    assert family.person(contact)["externalSalesPersonId"] == user
    assert not family.waiting()


@pytest.mark.parametrize("off", ["account", "user"])
async def test_a_kind_that_is_switched_off_is_named_by_nobody(off: str) -> None:
    family = Family(off)
    user = family.org.add(USER, LastName="Byron", Email="ada@example.com")
    account = family.org.add(ACCOUNT, Name="Engines", OwnerId=user)
    contact = family.org.add(CONTACT, LastName="B", Email="b@example.com", AccountId=account, OwnerId=user)
    family.org.events[:] = [event for event in family.org.events if event.object in family.terms.rules.objects]
    await family.rest()
    name = {"account": "externalCompanyId", "user": "externalSalesPersonId"}[off]
    assert name not in family.person(contact)
    assert not family.waiting()
    assert not family.marketo.records[{"account": COMPANIES, "user": SALES}[off]]


async def test_a_kind_that_is_switched_off_later_leaves_its_pairs_where_they_are_and_stops_nobody() -> None:
    family = Family()
    user = family.org.add(USER, LastName="Byron", Email="ada@example.com")
    account = family.org.add(ACCOUNT, Name="Engines", OwnerId=user)
    family.marketo.refuses[account] = "not allowed"
    contact = family.org.add(CONTACT, LastName="B", Email="b@example.com", AccountId=account, OwnerId=user)
    await family.rest()
    family.org.edit(account, Name="Looms")
    await family.deliver()
    family.started("account")
    assert await reconsider(family.ledger, family.terms, family.clock) == 0
    family.org.edit(contact, LastName="C")
    await family.rest()
    assert family.person(contact)["lastName"] == "C"
    assert account not in family.marketo.records[COMPANIES]
    assert "not kept in step" in family.pair(account).hold
    assert [state.object for state in family.memory.pairs.values() if state.hold] == [ACCOUNT]
    family.marketo.refuses.clear()
    family.started()
    assert await reconsider(family.ledger, family.terms, family.clock) > 0
    await family.rest()
    assert family.marketo.records[COMPANIES][account]["company"] == "Looms"
    assert family.person(contact)["externalCompanyId"] == account


@pytest.mark.parametrize("bereaved", [False, True], ids=["nobody's", "a deleted contact's"])
async def test_a_company_left_by_a_merge_goes_though_the_winner_is_deleted_at_once(bereaved: bool) -> None:
    family, user, account, (contact,) = await family_of()
    winner = family.org.add(ACCOUNT, Name="Looms", OwnerId=user)
    await family.rest()
    if bereaved:
        family.org.delete(contact)
        await family.rest()
    else:
        family.org.edit(contact, AccountId=None)
    family.org.delete(account, into=winner)
    family.org.delete(winner)
    await family.rest()
    assert [key for key in family.marketo.records[COMPANIES] if key != NOBODY] == []
    assert not family.due()
    assert not family.marketo.orphans()
