"""Amounts of records in several currencies are told in one, and written in each record's own."""

from decimal import Decimal
from typing import Any

import pytest

from streams.salesforce.api.entity import Entity
from streams.salesforce.api.money import Money
from streams.salesforce.sources.decode import decode_message
from streams.wire.events import Happened
from streams.wire.systems import LEAD, Object

RATES = {"USD": Decimal("0.9"), "GBP": Decimal("1.17")}
MONEY = Money(corporate="EUR", rates=RATES, fields={LEAD: frozenset({"AnnualRevenue", "Budget__c"})})
LEADS = {"Lead": Entity(object=LEAD, name="Lead")}
WANTED = {LEAD: frozenset({"AnnualRevenue", "Title", "CurrencyIsoCode"})}


@pytest.mark.parametrize(
    ("code", "amount", "told"), [("EUR", 100, 100), ("USD", 100, 90.0), ("GBP", 85.47, 100.0), ("USD", None, None), ("USD", 0, 0.0)]
)
def test_amounts_are_told_in_the_corporate_currency(code: str, amount: float | None, told: float | None) -> None:
    fields = MONEY.told(LEAD, {"AnnualRevenue": amount, "Title": "CTO", "CurrencyIsoCode": code})
    assert (fields["AnnualRevenue"], fields["Title"]) == (told, "CTO")


@pytest.mark.parametrize("code", ["EUR", "USD", "GBP"])
@pytest.mark.parametrize("amount", [0.01, 1, 99.99, 12_345.67, 1_000_000])
def test_what_was_written_is_read_as_it_was_meant(code: str, amount: float) -> None:
    sent = MONEY.sent(amount, code)
    back = MONEY.told(LEAD, {"AnnualRevenue": sent, "CurrencyIsoCode": code})["AnnualRevenue"]
    assert back == pytest.approx(amount, abs=0.011)


def test_without_a_rate_an_amount_is_none_and_says_what_to_do() -> None:
    told = MONEY.told(LEAD, {"AnnualRevenue": 100, "CurrencyIsoCode": "CHF"})["AnnualRevenue"]
    assert told == "100 CHF: there is no rate for CHF (currencies.rates.CHF)"
    with pytest.raises(LookupError, match="no rate for CHF"):
        MONEY.sent(100, "CHF")


def test_records_without_a_currency_are_left_as_they_are() -> None:
    fields: dict[str, Any] = {"AnnualRevenue": 100}
    assert MONEY.told(Object("account"), fields) is fields
    assert MONEY.read_with(Object("account")) == ()
    assert MONEY.told(LEAD, {"Title": "CTO"}) == {"Title": "CTO"}


def message(change: str, **fields: Any) -> dict[str, Any]:
    header = {"entityName": "Lead", "recordIds": ["00Q000000000001AAA"], "changeType": change, "commitTimestamp": 1_000}
    return {"data": {"event": {"replayId": 7}, "payload": {"ChangeEventHeader": header, **fields}}}


def test_a_new_record_is_told_whole_so_its_amounts_are_converted() -> None:
    decoded = decode_message(message("CREATE", AnnualRevenue=100, CurrencyIsoCode="USD", Title="CTO"), LEADS, WANTED, money=MONEY)
    assert [(each.kind, each.fields["AnnualRevenue"]) for each in decoded.events] == [(Happened.CREATED, 90.0)]


@pytest.mark.parametrize("fields", [{"AnnualRevenue": 100}, {"CurrencyIsoCode": "USD"}, {"AnnualRevenue": 1, "CurrencyIsoCode": "USD"}])
def test_a_changed_amount_is_read_with_its_currency(fields: dict[str, Any]) -> None:
    """A change tells what was changed: an amount without its currency, or a currency without the other amounts."""
    decoded = decode_message(message("UPDATE", Title="CTO", **fields), LEADS, WANTED, money=MONEY)
    assert [(each.kind, each.fields) for each in decoded.events] == [(Happened.UPDATED, {"Title": "CTO"}), (Happened.GAP, {})]
    plain = decode_message(message("UPDATE", Title="CTO"), LEADS, WANTED, money=MONEY)
    assert [each.kind for each in plain.events] == [Happened.UPDATED]
