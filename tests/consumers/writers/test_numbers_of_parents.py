"""Custom objects name a company by the number that Marketo gave it: asked for once, put in, and taken out again; on the sandbox."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from consumers.configuration.groups.custom import CustomObjectSettings
from consumers.configuration.mapping.defaults import build
from consumers.kinds.custom import KEY, object_of
from consumers.merge.writing.plan import Create, Out, Update
from consumers.settle.writers.marketo.records import MarketoRecords
from consumers.settle.writers.port import Fate, Item, all_of
from streams.budget.open import OpenBudget
from streams.budget.port import Lane
from streams.marketo.api.object_types import TypeField
from streams.marketo.api.resource import Resource
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from streams.marketo.api.settings import MarketoSettings
from streams.wire.systems import Object
from tests.consumers.configuration.test_default_mapping import SETTINGS

pytestmark = pytest.mark.integration
COMPANIES = Resource(object=Object("company"), path="companies", key=("externalCompanyId",), id_field="id")
LINK = "Account__c"


class Ground:
    """One custom object in the sandbox's Marketo, linked to companies, and the writer of its records."""

    def __init__(self, rest: MarketoRest, name: str) -> None:
        self.rest, self.object, self.marketo = rest, object_of(name), f"{name.removesuffix('__c').lower()}_c"
        declared = {name: CustomObjectSettings(links={LINK: "account"})}
        rules = build(replace(SETTINGS, custom_objects=declared))
        self.writer = MarketoRecords(rest.resources, rest.programs, rules, all_of, lambda _: False)

    async def company(self, key: str) -> int:
        """Makes it, or finds it; its number."""
        answer = await self.rest.resources.sync_records(COMPANIES, [{"externalCompanyId": key, "company": key}])
        return int(answer.results[0].id or 0)

    def create(self, number: int, company: str) -> Item:
        return Item(write=number, pair=number, order=Create(object=self.object, fields=(self._link(company),)), key=f"a01{number:012d}AAA")

    def update(self, number: int, company: str) -> Item:
        order = Update(object=self.object, id=f"a01{number:012d}AAA", fields=(self._link(company),))
        return Item(write=number, pair=number, order=order)

    async def stored(self, number: int) -> Any:
        """What Marketo itself shows."""
        key = f"a01{number:012d}AAA"
        resource = Resource(object=self.object, path=f"customobjects/{self.marketo}", key=(KEY,), id_field="marketoGUID")
        return (await self.rest.resources.read_records(resource, [key], [LINK]))[key].fields[LINK]

    @staticmethod
    def _link(company: str) -> Out:
        return Out(key=LINK, name=LINK, value=company, version=1, parent="account", parent_required=True)


@pytest.fixture
async def ground(sandbox: dict[str, Any]) -> AsyncIterator[Ground]:
    told = sandbox["tandem"]["marketo"]
    settings = MarketoSettings(base_url=told["url"], client_id=told["client_id"], client_secret=told["client_secret"])
    async with MarketoSession(settings) as session, aiohttp.ClientSession(sandbox["sandbox"]["url"]) as http:
        await http.post("/marketo/limits", json={"calls_per_20s": 100_000, "concurrency": 1000})
        rest = MarketoRest(session, OpenBudget())
        name = f"T{secrets.token_hex(4)}__c"
        made = Ground(rest, name)
        await rest.object_types.create(made.marketo, name, name, "")
        fields = [
            TypeField(name=KEY, label="Salesforce ID", type="string"),
            TypeField(name=LINK, label="Account", type="link", related=("company", "id")),
        ]
        await rest.object_types.add(made.marketo, fields, (KEY,))
        await rest.object_types.approve(made.marketo)
        shown = await rest.object_types.one(made.marketo)
        assert shown is not None
        assert (shown.state, shown.key, shown.fields[LINK].related) == ("approved", (KEY,), ("company", "Id"))
        yield made


def account() -> str:
    return f"001{secrets.token_hex(6)}AAA"


async def test_a_full_call_asks_once_for_the_numbers_it_needs(ground: Ground) -> None:
    names = [account() for _ in range(3)]
    numbers = [await ground.company(name) for name in names]
    calls = ground.rest.calls
    outcomes = await ground.writer.write([ground.create(each, names[each % 3]) for each in range(300)], Lane.LIVE)
    assert {each.fate for each in outcomes} == {Fate.DONE}
    assert ground.rest.calls - calls == 2, "one for the numbers, one that writes"
    assert [await ground.stored(each) for each in range(3)] == numbers
    await ground.writer.write([ground.update(each, names[0]) for each in range(300)], Lane.LIVE)
    assert ground.rest.calls - calls == 3 + 3, "they are remembered"
    read = await ground.writer.read(ground.object, [f"a01{1:012d}AAA"], Lane.LIVE)
    told = read[f"a01{1:012d}AAA"]
    assert told is not None
    assert told.fields[LINK] == names[0], "what is read names companies as everybody else does"


async def test_a_company_that_is_not_there_keeps_nobody_from_theirs(ground: Ground) -> None:
    there, missing = account(), account()
    await ground.company(there)
    lost, done = await ground.writer.write([ground.create(1, missing), ground.create(2, there)], Lane.LIVE)
    assert (lost.fate, lost.missing) == (Fate.BUSY, (missing,))
    assert (done.fate, done.id) == (Fate.DONE, f"a01{2:012d}AAA")


async def test_a_company_that_was_made_again_has_another_number(ground: Ground) -> None:
    name = account()
    before = await ground.company(name)
    assert (await ground.writer.write([ground.create(1, name)], Lane.LIVE))[0].fate is Fate.DONE
    await ground.rest.resources.delete_records(COMPANIES, [name])
    after = await ground.company(name)
    assert after != before
    (doubted,) = await ground.writer.write([ground.update(1, name)], Lane.LIVE)
    if doubted.fate is not Fate.DONE:
        assert (doubted.fate, doubted.missing) == (Fate.BUSY, (name,)), doubted
        assert (await ground.writer.write([ground.update(1, name)], Lane.LIVE))[0].fate is Fate.DONE
    assert await ground.stored(1) == after
