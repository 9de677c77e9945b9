"""What is gone in Marketo is made again under its key: what it can't be made with yet is owed to it, as if it had never been there."""

from itertools import permutations

import pytest

from consumers.mapping.fields import ObjectMapping
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.writing.plan import Create, Update, plan
from consumers.merge.writing.writes import Patience, answered, born, intend
from streams.wire.systems import MARKETO
from tests.consumers.families.family import ACCOUNT, OPPORTUNITY, USER, Family, rules
from tests.consumers.families.marketo_model import COMPANIES, OPPORTUNITIES, SALES
from tests.consumers.merge.person_pair import T

RULES = rules()
AGAIN = sorted(obj for obj, mapping in RULES.objects.items() if mapping.is_made_again and not mapping.written_once)


async def deal_of() -> tuple[Family, str, str, str]:
    """A user's account with an opportunity: in step."""
    family = Family()
    user = family.org.add(USER, LastName="Byron", Email="ada@example.com")
    account = family.org.add(ACCOUNT, Name="Engines", OwnerId=user)
    deal = family.org.add(OPPORTUNITY, Name="Mill", AccountId=account, OwnerId=user)
    await family.rest()
    assert family.marketo.records[OPPORTUNITIES][deal]["externalCompanyId"] == account
    return family, user, account, deal


@pytest.mark.parametrize("order", list(permutations(["account", "deal"])), ids="-".join)
@pytest.mark.parametrize("apart", [True, False], ids=["apart", "at once"])
async def test_an_opportunity_that_comes_back_with_its_account_belongs_to_it(order: tuple[str, ...], apart: bool) -> None:
    family, user, account, deal = await deal_of()
    gone = {name: (each, *family.org.delete(each)) for name, each in (("deal", deal), ("account", account))}
    await family.rest()
    assert deal not in family.marketo.records[OPPORTUNITIES]
    for name in order:
        family.org.restore(*gone[name])
        if apart:
            await family.rest(seconds=100)
    await family.rest()
    there = family.marketo.records
    assert there[COMPANIES][account]["externalSalesPersonId"] == user
    assert (there[OPPORTUNITIES][deal]["externalCompanyId"], there[OPPORTUNITIES][deal]["externalSalesPersonId"]) == (account, user)
    assert not family.waiting()


async def test_a_family_whose_records_somebody_deleted_in_marketo_is_made_again_with_its_links() -> None:
    family, user, account, deal = await deal_of()
    for path, record in ((OPPORTUNITIES, deal), (COMPANIES, account), (SALES, user)):
        del family.marketo.records[path][record]
    family.org.edit(deal, Name="Loom")
    await family.rest()
    family.org.edit(account, Name="Looms")
    family.org.edit(user, LastName="Lovelace")
    await family.rest()
    there = family.marketo.records
    assert there[COMPANIES][account]["externalSalesPersonId"] == user
    assert (there[OPPORTUNITIES][deal]["externalCompanyId"], there[OPPORTUNITIES][deal]["externalSalesPersonId"]) == (account, user)


@pytest.mark.parametrize("obj", AGAIN)
def test_whatever_a_record_is_not_made_again_with_is_owed_to_it(obj: str) -> None:
    """Of each kind: all its fields are shown, the record is gone, and one field after the other is held back from the new one."""
    mapping = next(each for each in RULES.objects.values() if each.object == obj)
    for item in mapping.fields:
        if item.fixed or item.is_key or not item.direction.reaches(MARKETO):
            continue
        state = _gone(mapping)
        made = plan(state, MARKETO, RULES, exact=True)
        assert isinstance(made, Create), obj
        kept = tuple(out for out in made.fields if out.key != item.key)
        first = Create(object=made.object, fields=kept, mark=made.mark)
        state = intend(state, MARKETO, first, write=7, now=T, patience=Patience())
        state = born(answered(state, MARKETO, 7, T, T), MARKETO, "1", 7, witnessed=True)
        then = plan(state, MARKETO, RULES, exact=True)
        assert isinstance(then, Update), (obj, item.key)
        assert [out.key for out in then.fields] == [item.key]


def _gone(mapping: ObjectMapping) -> PairState:
    """All its fields have a value that both sides show, and its Marketo record is deleted."""
    told: dict[str, object] = {"number": 3, "boolean": True, "date": "2026-01-01", "datetime": "2026-01-01T00:00:00Z"}
    fields = {}
    for item in mapping.fields:
        value = told.get(item.type.value, 3 if item.type.value in ("currency", "percent") else "005000000000001AAA")
        shown = Side(seen=value, seen_at=T, shows=1)  # type: ignore[arg-type]  # a field's value
        fields[item.key] = Field(value=value, version=1, agreed_at=T, salesforce=shown, marketo=shown)  # type: ignore[arg-type]  # as above
    return PairState(
        object=mapping.object,
        counterpart=mapping.marketo,
        fields=fields,
        salesforce=Record(id="006000000000001AAA", complete=True, at=T),
        marketo=Record(id="1", complete=True, deleted=True, at=T),
    )
