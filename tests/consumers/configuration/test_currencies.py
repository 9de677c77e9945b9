"""Rates of exchange: what may be written, and what becomes of amounts with and without them."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from consumers.configuration.loading import ConfigurationError
from consumers.configuration.mapping.defaults import build
from consumers.configuration.reference import shown
from consumers.fitting.check import Level, compare
from consumers.fitting.left_out import Cause, left_out
from consumers.fitting.visibility import Sight, Why, visibility
from consumers.mapping.fields import is_amount
from streams.wire.systems import Object
from tests.consumers.fitting.test_visibility import SF, Org, fact, find, settings

RATES = "currencies: {corporate: EUR, rates: {USD: 0.9, GBP: 1.17}}\n"


def several(folder: Path, *codes: str, extra: str = "") -> Org:
    """An org whose records say their currencies."""
    org = Org(settings(folder, extra))
    for fields in org.sides[SF].values():
        fields["CurrencyIsoCode"] = fact("CurrencyIsoCode", picklist=codes)
    return org


def test_rates_are_as_exact_as_they_were_written(tmp_path: Path) -> None:
    configured = settings(tmp_path, RATES)
    assert (configured.currencies.corporate, configured.currencies.rates) == ("EUR", {"USD": Decimal("0.9"), "GBP": Decimal("1.17")})
    assert build(configured).money is not None
    assert build(settings(tmp_path)).money is None


def test_rates_are_shown_as_a_file_could_have_them(tmp_path: Path) -> None:
    configured = settings(tmp_path, RATES)
    told = shown(configured)["currencies"]
    assert told == {"corporate": "EUR", "rates": {"USD": "0.9", "GBP": "1.17"}}
    assert settings(tmp_path, yaml.safe_dump({"currencies": told})).currencies == configured.currencies


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("currencies: {rates: {USD: 0.9}}", "currencies.corporate: rates are of no use without it"),
        ("currencies: {corporate: EUR, rates: {EUR: 1}}", "currencies.rates.EUR: this is the corporate currency"),
        ("currencies: {corporate: EUR, rates: {USD: 0}}", "'0' is not a rate"),
        ("currencies: {corporate: EUR, rates: {USD: -1}}", "'-1' is not a rate"),
        ("currencies: {corporate: EUR, rates: {USD: much}}", "'much' is not a rate"),
        ("currencies: {corporate: EUR, rates: {usd: 1}}", "'usd' is not a currency's ISO code"),
        ("currencies: {corporate: Euro}", "'Euro' is not a currency's ISO code"),
        ("currencies: {corporate: EUR, rate: {USD: 1}}", "rate"),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path: Path, lines: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        settings(tmp_path, f"{lines}\n")


def test_without_rates_every_amount_of_such_an_org_is_held_and_said(tmp_path: Path) -> None:
    org, configured = several(tmp_path, "EUR", "USD"), settings(tmp_path)
    rules = build(configured, org.describes())
    left = left_out(rules, org.describes(), writes=False)
    amounts = {(SF, obj): {item.salesforce for item in mapping.fields if is_amount(item)} for obj, mapping in rules.objects.items()}
    assert amounts[SF, Object("opportunity")] >= {"Amount"}
    assert amounts[SF, Object("lead")] == amounts[SF, Object("account")] == {"AnnualRevenue"}
    for place, names in amounts.items():
        assert {name for name, why in left[place].items() if why.cause is Cause.CURRENCY} == names
    problems = {(each.object, each.field) for each in compare(rules, org.describes()) if "several currencies" in each.message}
    assert {("lead", "annualRevenue"), ("account", "annualRevenue"), ("opportunity", "amount")} <= problems
    line = find(visibility(configured, org.describes()), "opportunity", SF, "Amount")
    assert (line.sight, line.why) == (Sight.STOPPED, Why.CURRENCY)
    assert "currencies: {corporate" in line.told


def test_with_rates_amounts_flow_and_a_currency_without_one_is_warned_of(tmp_path: Path) -> None:
    org, configured = several(tmp_path, "EUR", "USD", "CHF", extra=RATES), settings(tmp_path, RATES)
    rules = build(configured, org.describes())
    assert not any(left_out(rules, org.describes(), writes=False).values())
    assert rules.money is not None
    assert rules.money.fields[Object("opportunity")] >= {"Amount"}
    warned = {each.object: each for each in compare(rules, org.describes()) if each.field == "CurrencyIsoCode"}
    assert {"lead", "account", "opportunity"} <= warned.keys()
    assert (warned["lead"].level, warned["lead"].remedy) == (Level.WARNING, "Add currencies.rates.CHF.")
    assert find(visibility(configured, org.describes()), "lead", SF, "AnnualRevenue").sight is Sight.SYNCED


def test_an_org_with_one_currency_needs_none_of_it(tmp_path: Path) -> None:
    org, configured = Org(settings(tmp_path)), settings(tmp_path, RATES)
    rules = build(configured, org.describes())
    assert rules.money is not None
    assert rules.money.fields == {}
    assert not any(left_out(rules, org.describes(), writes=False).values())
