"""Amounts on their way to an org with several currencies: each record is written in its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from consumers.merge.writing.plan import Create, Out, Update
from consumers.settle.writers.port import Item
from streams.budget.port import Lane
from streams.salesforce.api.money import ISO, Money, no_rate
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.events import Value

Refused = Mapping[int, tuple[frozenset[str], str]]
"""By place among the items: the fields (ledger keys) that can't be written, and why."""


async def in_their_currency(
    rest: SalesforceRest, money: Money | None, name: str, items: Sequence[Item], lane: Lane
) -> tuple[list[Item], Refused]:
    """The items with their amounts in each record's own currency, for which the records are read; those that can't be, by place.

    A new record is made in the corporate currency. `name`: the object's.
    """
    if money is None or not any(_amounts(money, item) for item in items):
        return list(items), {}
    codes = await _codes(rest, name, [item.order.id for item in items if isinstance(item.order, Update) and _amounts(money, item)], lane)
    written, refused = list(items), dict[int, tuple[frozenset[str], str]]()
    for place, item in enumerate(items):
        amounts, order = _amounts(money, item), item.order
        if not amounts or not isinstance(order, (Create, Update)):
            continue
        code = codes.get(order.id, money.corporate) if isinstance(order, Update) else money.corporate
        try:
            fields = tuple(replace(out, value=money.sent(out.value, code)) if out.name in amounts else out for out in order.fields)
        except LookupError:
            refused[place] = frozenset(out.key for out in order.fields if out.name in amounts), no_rate(code)
            continue
        written[place] = replace(item, order=replace(order, fields=fields))
    return written, refused


def with_currency(money: Money | None, item: Item, record: dict[str, Value]) -> dict[str, Value]:
    """The record to be made, with the currency of its amounts."""
    return {**record, ISO: money.corporate} if money is not None and _amounts(money, item) else record


async def _codes(rest: SalesforceRest, name: str, ids: Sequence[str], lane: Lane) -> dict[str, str]:
    rows = await rest.read(name, ids, ["Id", ISO], lane) if ids else []
    return {record: str(row[ISO]) for record, row in zip(ids, rows, strict=True) if row and row.get(ISO)}


def _amounts(money: Money, item: Item) -> frozenset[str]:
    fields: tuple[Out, ...] = item.order.fields if isinstance(item.order, (Create, Update)) else ()
    known = money.fields.get(item.order.object, frozenset())
    return frozenset(out.name for out in fields if out.name in known and out.value is not None)
