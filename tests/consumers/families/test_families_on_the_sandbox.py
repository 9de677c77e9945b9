"""Accounts, users and contacts written to the sandbox's Marketo by the real loops: what it refuses, loses and has lost."""

import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import pytest

from consumers.merge.edits.values import NOBODY
from consumers.merge.writing.refused import RECORD, refusals
from streams.budget.open import OpenBudget
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from streams.marketo.api.settings import MarketoSettings
from streams.wire.systems import MARKETO
from tests.consumers.families.family import ACCOUNT, CONTACT, USER, Family

pytestmark = pytest.mark.integration

QUEUE = "00G000000000001AAA"
Rows = dict[str, dict[str, Any]]


class OnSandbox(Family):
    """The org in memory, Marketo in the sandbox, whose feed of people nobody reads: they are looked at."""

    def __init__(self, rest: MarketoRest, http: aiohttp.ClientSession) -> None:
        super().__init__()
        self.http, self.clock.now = http, round(time.time() * 1000)
        self.org._last = secrets.randbelow(10**9)
        self.marketo = cast("Any", rest)
        self.started()

    async def control(self, path: str, body: Any) -> None:
        async with self.http.post(path, json=body) as response:
            told = await response.text()
            assert response.status < 300 or "already exists" in told, told

    async def rows(self, obj: str, key: str) -> Rows:
        async with self.http.get(f"/dump/marketo/{obj}") as answer:
            return {str(row.get(key)): row for row in map(json.loads, (await answer.text()).splitlines())}

    async def kept(self, record: str) -> dict[str, Any]:
        """A contact's person."""
        return (await self.rows("Lead", "sfContactId"))[record]


@pytest.fixture
async def family(sandbox: dict[str, Any]) -> AsyncIterator[OnSandbox]:
    told = sandbox["tandem"]["marketo"]
    settings = MarketoSettings(base_url=told["url"], client_id=told["client_id"], client_secret=told["client_secret"])
    async with MarketoSession(settings) as session, aiohttp.ClientSession(sandbox["sandbox"]["url"]) as http:
        made = OnSandbox(MarketoRest(session, OpenBudget()), http)
        for name, kind in (("sfLeadId", "string"), ("sfContactId", "string"), ("sfType", "string"), ("sfIsDeleted", "boolean")):
            await made.control("/marketo/field/create", {"name": name, "displayName": name, "dataType": kind})
        await made.control("/marketo/limits", {"calls_per_20s": 100_000, "concurrency": 1000})
        await made.control("/marketo/options", {"unknown_companies": "refused"})
        yield made
        await made.control("/marketo/options", {"unknown_companies": "kept"})


def some(family: OnSandbox) -> tuple[str, str, str]:
    """A user, an account, a contact."""
    mail = f"{secrets.token_hex(6)}@families.example"
    user = family.org.add(USER, LastName="Byron", Email=f"u{mail}")
    account = family.org.add(ACCOUNT, Name="Engines", OwnerId=user)
    return user, account, family.org.add(CONTACT, LastName="Babbage", Email=mail, AccountId=account, OwnerId=user)


async def test_a_family_through_its_life(family: OnSandbox) -> None:
    user, account, contact = some(family)
    await family.rest()
    person = await family.kept(contact)
    assert (person["externalCompanyId"], person["externalSalesPersonId"]) == (account, user)
    family.org.edit(contact, AccountId=None, OwnerId=QUEUE)
    await family.rest()
    person = await family.kept(contact)
    assert (person["externalCompanyId"], person.get("externalSalesPersonId")) == (NOBODY, None)
    family.org.edit(contact, AccountId=account, OwnerId=user)
    await family.rest()
    kind, row = family.org.delete(account)
    await family.rest(seconds=100)
    assert "1022" in refusals(family.pair(account))[MARKETO, RECORD]
    family.org.edit(contact, AccountId=None)
    await family.rest()
    assert account not in await family.rows("Company", "externalCompanyId")
    assert refusals(family.pair(account)) == {}
    family.org.restore(account, kind, row)
    family.org.edit(contact, AccountId=account)
    await family.rest()
    assert (await family.rows("Company", "externalCompanyId"))[account]["externalSalesPersonId"] == user
    assert (await family.kept(contact))["externalCompanyId"] == account


@pytest.mark.parametrize("fault", ["lose_answer", "lose_request"])
@pytest.mark.parametrize("path", ["companies.json", "salespersons.json"])
async def test_a_call_that_is_lost_makes_nobody_twice_and_loses_nobody(family: OnSandbox, fault: str, path: str) -> None:
    match = {"method": "POST", "path": f"/rest/v1/{path}"}
    await family.control("/faults", {"system": "marketo", "match": match, "action": fault, "times": 2})
    user, account, contact = some(family)
    await family.rest()
    family.org.edit(account, Name="Looms")
    family.org.edit(user, LastName="Lovelace")
    await family.rest()
    assert (await family.rows("Company", "externalCompanyId"))[account]["company"] == "Looms"
    assert (await family.rows("SalesPerson", "externalSalesPersonId"))[user]["lastName"] == "Lovelace"
    person = await family.kept(contact)
    assert (person["externalCompanyId"], person["externalSalesPersonId"]) == (account, user)
