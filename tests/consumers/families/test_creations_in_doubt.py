"""A creation whose call was not answered, and what becomes of it when its Salesforce record is deleted, or stays: nothing is left that
nobody wants, and nothing is there twice."""

import pytest

from streams.wire.systems import MARKETO, Object
from tests.consumers.families.dying import Dead, Dying
from tests.consumers.families.family import ACCOUNT, CONTACT, OPPORTUNITY, ROLE, USER, Family
from tests.consumers.families.marketo_model import COMPANIES, OPPORTUNITIES, ROLES

LISTS = {ACCOUNT: COMPANIES, OPPORTUNITY: OPPORTUNITIES, ROLE: ROLES}


async def about_to_create(obj: Object) -> tuple[Family, str]:
    """All that a record of this kind belongs to is in step; it has been told of, and its creation is due."""
    family = Family()
    user = family.org.add(USER, LastName="Byron", Email="ada@example.com")
    account = family.org.add(ACCOUNT, Name="Engines", OwnerId=user)
    contact = family.org.add(CONTACT, LastName="Babbage", Email="b@example.com", AccountId=account, OwnerId=user)
    deal = family.org.add(OPPORTUNITY, Name="A mill", AccountId=account, OwnerId=user)
    await family.rest()
    made = {
        ACCOUNT: lambda: family.org.add(ACCOUNT, Name="Looms", OwnerId=user),
        OPPORTUNITY: lambda: family.org.add(OPPORTUNITY, Name="A loom", AccountId=account, OwnerId=user),
        ROLE: lambda: family.org.add(ROLE, OpportunityId=deal, ContactId=contact, Role="Engineer"),
    }[obj]()
    await family.deliver()
    return family, made


async def lost(family: Family, how: str) -> None:
    """Its creation is sent, and nobody hears what became of it."""
    if how == "crash":
        calls = family.marketo.calls
        family.wrapped = lambda ledger: Dying(ledger, lambda: family.marketo.calls > calls)
        family.started()
        with pytest.raises(Dead):
            await family.settlers[MARKETO].round()
        family.wrapped = lambda each: each
        family.started()
    else:
        family.marketo.fails = lambda: how
        await family.settlers[MARKETO].round()
        family.marketo.fails = lambda: ""


@pytest.mark.parametrize("how", ["crash", "answer", "request"])
@pytest.mark.parametrize("obj", LISTS)
@pytest.mark.parametrize("look_between", [False, True])
async def test_deleted_before_anybody_knows_it_is_not_left_there(obj: Object, how: str, look_between: bool) -> None:
    family, made = await about_to_create(obj)
    before = set(family.marketo.records[LISTS[obj]])
    await lost(family, how)
    there = set(family.marketo.records[LISTS[obj]]) - before
    assert len(there) == (how != "request")
    if look_between:
        family.clock.now += 200_000
        await family.lookers[MARKETO].round()
    family.org.delete(made)
    await family.rest()
    assert set(family.marketo.records[LISTS[obj]]) == before
    assert not family.due()


@pytest.mark.parametrize("how", ["crash", "answer", "request"])
@pytest.mark.parametrize("obj", LISTS)
async def test_what_stays_is_there_once_as_it_is(obj: Object, how: str) -> None:
    family, made = await about_to_create(obj)
    before = set(family.marketo.records[LISTS[obj]])
    await lost(family, how)
    family.org.edit(made, **{"Role" if obj == ROLE else "Name": "Another"})
    await family.rest()
    (record,) = set(family.marketo.records[LISTS[obj]]) - before
    row = family.marketo.records[LISTS[obj]][record]
    assert "Another" in row.values()
    assert (family.pair(made).marketo.id, family.pair(made).marketo.refused) == (record, "")
    assert not family.due()


@pytest.mark.parametrize("how", ["crash", "answer"])
async def test_a_part_that_somebody_has_again_stays_theirs(how: str) -> None:
    family, made = await about_to_create(ROLE)
    await lost(family, how)
    _, row = family.org.delete(made)
    again = family.org.add(ROLE, **row)
    await family.rest()
    (record,) = family.marketo.records[ROLES]
    assert family.pair(again).marketo.id == record
    assert not family.due()
