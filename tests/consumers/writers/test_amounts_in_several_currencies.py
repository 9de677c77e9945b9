"""What is written to an org with several currencies is written in each record's own."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from consumers.merge.writing.plan import Create, Out, Update
from consumers.settle.writers.port import Item
from consumers.settle.writers.salesforce.money import in_their_currency, with_currency
from streams.budget.port import Lane
from streams.salesforce.api.money import Money
from streams.wire.systems import LEAD

MONEY = Money(corporate="EUR", rates={"USD": Decimal("0.9")}, fields={LEAD: frozenset({"AnnualRevenue"})})


@dataclass
class Org:
    """Records and their currencies."""

    codes: dict[str, str]
    asked: list[str] = field(default_factory=list)

    async def read(self, obj: str, ids: list[str], fields: list[str], lane: Lane) -> list[dict[str, Any] | None]:
        """As the REST client has it."""
        del obj, fields, lane
        self.asked += ids
        return [{"Id": each, "CurrencyIsoCode": self.codes[each]} if each in self.codes else None for each in ids]


def update(record: str, **values: Any) -> Item:
    outs = tuple(Out(key=name.lower(), name=name, value=value, version=1) for name, value in values.items())
    return Item(write=1, pair=1, order=Update(object=LEAD, id=record, fields=outs))


def values(item: Item) -> dict[str, Any]:
    order: Any = item.order
    return {out.name: out.value for out in order.fields}


async def test_each_record_gets_its_own_currency_and_one_without_a_rate_is_told() -> None:
    org: Any = Org({"a": "USD", "b": "EUR", "c": "CHF"})
    items = [update(each, AnnualRevenue=90, Title="x") for each in ("a", "b", "c", "gone")] + [update("d", Title="y")]
    written, refused = await in_their_currency(org, MONEY, "Lead", items, Lane.LIVE)
    assert [values(each)["AnnualRevenue"] for each in written[:2]] == [100.0, 90]
    assert refused == {2: (frozenset({"annualrevenue"}), "there is no rate for CHF (currencies.rates.CHF)")}
    assert values(written[3])["AnnualRevenue"] == 90, "what is gone is refused by Salesforce in its own words"
    assert (written[4], org.asked) == (items[4], ["a", "b", "c", "gone"]), "asked only for those with amounts"


async def test_nothing_is_asked_where_no_amount_is_written_or_there_is_one_currency() -> None:
    org: Any = Org({})
    items = [update("a", Title="x"), update("b", AnnualRevenue=None)]
    assert await in_their_currency(org, MONEY, "Lead", items, Lane.LIVE) == (items, {})
    assert await in_their_currency(org, None, "Lead", [update("a", AnnualRevenue=1)], Lane.LIVE) == ([update("a", AnnualRevenue=1)], {})
    assert org.asked == []


async def test_a_new_record_is_made_in_the_corporate_currency() -> None:
    out = Out(key="annualrevenue", name="AnnualRevenue", value=50, version=1)
    item = Item(write=1, pair=1, order=Create(object=LEAD, fields=(out,)))
    org: Any = Org({})
    assert await in_their_currency(org, MONEY, "Lead", [item], Lane.LIVE) == ([item], {})
    assert with_currency(MONEY, item, {"AnnualRevenue": 50}) == {"AnnualRevenue": 50, "CurrencyIsoCode": "EUR"}
    assert with_currency(None, item, {"AnnualRevenue": 50}) == {"AnnualRevenue": 50}
