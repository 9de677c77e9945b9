"""The right to see a field is taken away in the sandbox org while Tandem works, and given back."""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp
import pytest

from consumers.fitting.sight import Returned, Sight
from consumers.kinds.registry import SORTS
from consumers.mapping.describes import Describes, FieldFacts, salesforce_fields
from consumers.mapping.fields import Direction, FieldMapping, FieldType, LinkFields, ObjectMapping, Rule, RuleName, SyncRules
from consumers.merge.pair.state import Field, PairState, Record
from consumers.merge.writing.plan import Out, Update
from consumers.settle.writers.port import Fate, Item
from consumers.settle.writers.salesforce.writer import SalesforceWriter
from consumers.settle.writers.sighted import SightedWriter
from streams.budget.open import OpenBudget
from streams.budget.port import Lane
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.access.settings import ClientCredentials, SalesforceSettings
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.sources.poll import PollSource
from streams.wire.errors import Retry
from streams.wire.events import ChangeEvent
from streams.wire.systems import LEAD, System

pytestmark = pytest.mark.integration

LINKS = LinkFields()
KEY = {"name": LINKS.salesforce_key, "type": "string", "length": 18, "external_id": True, "unique": True}


def mapped(key: str, name: str, kind: FieldType = FieldType.TEXT) -> FieldMapping:
    rule = Rule(name=RuleName.MARKETO, default=System.MARKETO)
    return FieldMapping(key=key, salesforce=name, marketo=key, type=kind, direction=Direction.BOTH, rule=rule)


FIELDS = (mapped("email", "Email", FieldType.EMAIL), mapped("lastName", "LastName"), mapped("company", "Company"), mapped("title", "Title"))
RULES = SyncRules(objects={LEAD: ObjectMapping(object=LEAD, fields=FIELDS)}, links=LINKS)


class Org:
    """One org, a lead in it, and the rights of Tandem's user."""

    def __init__(self, rest: SalesforceRest, sight: Sight, verb: Callable[..., Awaitable[Any]], lead: str, email: str) -> None:
        self.rest, self.sight, self.verb, self.lead, self.email = rest, sight, verb, lead, email
        self.writer = SightedWriter(SalesforceWriter(rest, RULES, sight.visible), sight)

    def item(self, **values: str) -> Item:
        names = {field.key: field.salesforce for field in FIELDS}
        outs = tuple(Out(key=key, name=names[key], value=value, version=1) for key, value in values.items())
        planned = self.sight.fitting(System.SALESFORCE, Update(object=LEAD, id=self.lead, fields=outs))
        assert isinstance(planned, Update)
        return Item(write=1, pair=1, order=planned)

    async def read(self) -> dict[str, Any]:
        event = (await self.writer.read(LEAD, [self.lead], Lane.LIVE))[self.lead]
        assert event is not None
        return dict(event.fields)

    async def polled(self) -> list[ChangeEvent]:
        source = PollSource(
            self.rest,
            SORTS[LEAD].entity,
            [field.salesforce for field in FIELDS],
            lag_seconds=-1.0,
            once=True,
            visible=partial(self.sight.visible, System.SALESFORCE, LEAD),
            unseen_fields=self.sight.doubts,
        )
        return [event async for batch in source.batches(None) for event in batch.events if event.id == self.lead]


@pytest.fixture
async def returned() -> list[Returned]:
    return []


@pytest.fixture
async def org(sandbox: dict[str, Any], returned: list[Returned]) -> AsyncIterator[Org]:
    ours = sandbox["tandem"]["salesforce"]
    credentials = ClientCredentials(client_id=ours["client_id"], client_secret=ours["client_secret"])
    async with (
        Session(SalesforceSettings(base_url=ours["url"], credentials=credentials)) as session,
        aiohttp.ClientSession(sandbox["sandbox"]["url"]) as http,
    ):

        async def verb(name: str, **body: Any) -> Any:
            async with http.post(f"/salesforce/{name}", json=body) as response:
                told = await response.text()
                assert response.status < 300 or "already exists" in told, told
                return await response.json(content_type=None)

        async def back(found: list[Returned]) -> None:
            returned.extend(found)

        rest = SalesforceRest(session, OpenBudget())

        async def survey() -> Describes:
            leads = salesforce_fields((await rest.describe("Lead"))["fields"])
            people = {field.marketo: FieldFacts(name=field.marketo, wire_type="string", type=field.type) for field in FIELDS}
            return Describes(salesforce={LEAD: leads}, marketo=people)

        for obj in ("Lead", "Contact"):
            await verb("define_field", object=obj, field=KEY)
        email = f"{secrets.token_hex(6)}@rights.example"
        made = await verb("create", object="Lead", fields={"LastName": "L", "Company": "C", "Title": "CTO", "Email": email})
        sight = Sight(RULES, await survey(), survey, back, lambda: 1, monotonic=lambda: time.monotonic() * 1000)
        rights = partial(verb, "set_field_permission", user=ours["username"], object="Lead")
        try:
            yield Org(rest, sight, rights, made["id"], email)
        finally:
            for name in ("Title", "Email"):
                await rights(field=name, readable=True, editable=True)


async def test_reads_writes_and_polls_go_on_without_the_field_and_with_it_again(org: Org, returned: list[Returned]) -> None:
    await org.verb(field="Title", readable=False, editable=False)
    assert await org.read() == {**await org.read(), "LastName": "L", "Company": "C"}
    assert "Title" not in await org.read()
    (outcome,) = await org.writer.write([org.item(company="D", title="CEO")], Lane.LIVE)
    assert outcome.fate is Fate.DONE
    (event,) = await org.polled()
    assert event.fields == {"Email": org.email, "LastName": "L", "Company": "D"}
    assert "Title" in org.sight.troubles()[0].what
    await org.verb(field="Title", readable=True, editable=True)
    await org.sight.look()
    assert [(each.object, each.name) for each in returned] == [(LEAD, "Title")]
    assert (await org.read())["Title"] == "CTO"
    assert (await org.polled())[0].fields["Title"] == "CTO"


async def test_a_write_that_the_org_refuses_for_a_hidden_field_is_sent_again_without_it(org: Org) -> None:
    await org.verb(field="Title", readable=False, editable=False)
    (outcome,) = await org.writer.write([org.item(company="D", title="CEO")], Lane.LIVE)
    assert outcome.fate is Fate.BUSY, "the org names no field, and has written none"
    (outcome,) = await org.writer.write([org.item(company="D", title="CEO")], Lane.LIVE)
    assert outcome.fate is Fate.DONE
    assert (await org.read())["Company"] == "D"


async def test_a_call_that_the_org_refuses_as_a_whole_for_a_hidden_field_is_sent_again(org: Org, sandbox: dict[str, Any]) -> None:
    await org.verb(field="Title", readable=False, editable=False)
    action = {
        "type": "salesforce_error",
        "status": 400,
        "code": "INVALID_FIELD",
        "message": "No such column 'Title' on sobject of type Lead",
    }
    match = {"method": "PATCH", "path": "*/composite/sobjects"}
    async with aiohttp.ClientSession(sandbox["sandbox"]["url"]) as http:
        await http.post("/faults", json={"system": "salesforce", "match": match, "action": action, "times": 1})
    with pytest.raises(Retry, match="sent again"):
        await org.writer.write([org.item(company="D", title="CEO")], Lane.LIVE)
    (outcome,) = await org.writer.write([org.item(company="D", title="CEO")], Lane.LIVE)
    assert outcome.fate is Fate.DONE


async def test_a_field_that_can_only_be_read_is_refused_once_and_then_left_out(org: Org) -> None:
    await org.verb(field="Title", editable=False)
    (outcome,) = await org.writer.write([org.item(company="D", title="CEO")], Lane.LIVE)
    assert (outcome.fate, outcome.fields) == (Fate.REJECTED, frozenset({"title"}))
    (outcome,) = await org.writer.write([org.item(company="D", title="CEO")], Lane.LIVE)
    assert outcome.fate is Fate.DONE
    shown = await org.read()
    assert (shown["Company"], shown["Title"]) == ("D", "CTO")


async def test_a_poll_that_finds_out_first_goes_on_at_the_next_try(org: Org) -> None:
    await org.verb(field="Title", readable=False, editable=False)
    with pytest.raises(Retry, match="goes on without"):
        await org.polled()
    assert (await org.polled())[0].fields["LastName"] == "L"


async def test_nobody_is_created_while_people_cannot_be_looked_up(org: Org) -> None:
    await org.verb(field="Email", readable=False, editable=False)
    state = PairState(marketo=Record(id="7", complete=True), fields={"email": Field(value=org.email, version=1)})
    with pytest.raises(Retry, match="looked up"):
        await org.writer.candidates({1: state}, Lane.LIVE)
    await org.verb(field="Email", readable=True, editable=True)
    await org.sight.look()
    assert [event.id for event in (await org.writer.candidates({1: state}, Lane.LIVE))[1]] == [org.lead]
