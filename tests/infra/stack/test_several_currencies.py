"""A whole stack on an org with several currencies: Marketo's amounts are in one, converted by the configured rates, for all kinds alike."""

from pathlib import Path

import aiohttp
import asyncpg
import pytest

from infra.stack.stack import CONFIG, Lent, Stack
from infra.stack.tandem import Worker
from tests.infra.stack.both import POLLS, STREAMS, Both, until

pytestmark = pytest.mark.integration

RATES = "\ncurrencies: {corporate: EUR, rates: {USD: 0.9, GBP: 1.17}}\n"


async def refused(stack: Stack, words: str) -> bool:
    """Whether somebody is refused for this."""
    connection = await asyncpg.connect(stack.dsn())
    try:
        return bool(await connection.fetchval("select count(*) from refusals where reason like $1", f"%{words}%"))
    finally:
        await connection.close()


async def amounts_are_converted(both: Both) -> None:
    """Of accounts, opportunities and leads."""
    account = await both.create("Account", Name="Initech", AnnualRevenue=1000, CurrencyIsoCode="USD")
    await both.record("marketo/Company", account, "externalCompanyId", annualRevenue=900)
    fields = {"StageName": "Prospecting", "CloseDate": "2027-01-31", "AccountId": account}
    deal = await both.create("Opportunity", Name="Deal", Amount=100, CurrencyIsoCode="GBP", **fields)
    await both.record("marketo/Opportunity", deal, "externalOpportunityId", amount=117)
    lead = await both.lead("Rich", AnnualRevenue=200, CurrencyIsoCode="USD")
    person = await both.person("Rich", annualRevenue=180, sfLeadId=lead)
    await both.edit("Lead", lead, AnnualRevenue=300)
    await both.person("Rich", annualRevenue=270)
    await both.touch(person, annualRevenue=90)
    await both.record("salesforce/Lead", lead, AnnualRevenue=100, CurrencyIsoCode="USD")
    await both.edit("Lead", lead, CurrencyIsoCode="EUR")
    await both.person("Rich", annualRevenue=100)


async def a_currency_without_a_rate_is_refused_alone(both: Both) -> None:
    """The rest of its record goes on, and so does the amount in a currency that has one."""
    fields = {"StageName": "Prospecting", "CloseDate": "2027-01-31"}
    deal = await both.create("Opportunity", Name="Swiss", Amount=100, CurrencyIsoCode="CHF", **fields)
    await both.record("marketo/Opportunity", deal, "externalOpportunityId", name="Swiss", amount=None)
    await until(lambda: refused(both.stack, "there is no rate for CHF"), "it is said that there is no rate for CHF")
    await both.edit("Opportunity", deal, CurrencyIsoCode="EUR")
    await both.record("marketo/Opportunity", deal, "externalOpportunityId", amount=100)


async def who_comes_from_marketo_has_the_corporate_currency(both: Both) -> None:
    """A person that becomes a lead."""
    fields = {"email": "mk@example.com", "lastName": "Fromage", "company": "Acme", "leadScore": 60, "annualRevenue": 50}
    await both.does("marketo/person/create", fields=fields)
    person = await both.person("Fromage", sfType="Lead")
    await both.record("salesforce/Lead", str(person["sfLeadId"]), AnnualRevenue=50, CurrencyIsoCode="EUR")


@pytest.mark.parametrize("roles", [pytest.param(STREAMS, id="streams"), pytest.param(POLLS, id="polls", marks=pytest.mark.slow)])
async def test_amounts_in_several_currencies_are_one_in_marketo(tmp_path: Path, lent: Lent, roles: tuple[str, ...]) -> None:
    config = tmp_path / "tandem.yaml"
    config.write_text(CONFIG.read_text().replace("poll: 20s", "poll: 2s") + RATES)
    worker = Worker(arguments=tuple(part for role in roles for part in ("--role", role)))
    stack = Stack(tmp_path / "run", workers=(worker,), config=config, lent=lent)
    async with aiohttp.ClientSession() as http:
        await stack.start("sandbox")
        both = Both(stack, http)
        await both.does("salesforce/enable_currencies", corporate="EUR", others=["USD", "GBP", "CHF"])
        async with stack:
            await amounts_are_converted(both)
            await a_currency_without_a_rate_is_refused_alone(both)
            await who_comes_from_marketo_has_the_corporate_currency(both)
    await stack.clean()
