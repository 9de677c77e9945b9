"""The writers against the sandbox systems: full batches, candidates, readings, and every refusal in the systems' own words."""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from consumers.judging.batch import NOWHERE, Judging
from consumers.ledger.memory import MemoryLedger
from consumers.mapping.fields import Direction, FieldMapping, FieldType, LinkFields, ObjectMapping, Qualification, Rule, RuleName, SyncRules
from consumers.merge.pair.state import Field, PairState, Record
from consumers.merge.terms import Identity, Terms
from consumers.merge.writing.plan import Create, Delete, Out, Update
from consumers.settle.rounds.settler import Settler
from consumers.settle.writers.marketo.writer import MarketoWriter
from consumers.settle.writers.port import Fate, Item, Outcome, Writer
from consumers.settle.writers.salesforce.writer import SalesforceWriter
from streams.budget.open import OpenBudget
from streams.budget.port import Lane
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from streams.marketo.api.settings import MarketoSettings
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.access.settings import ClientCredentials, SalesforceSettings
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import CONTACT, LEAD, PERSON, System

pytestmark = pytest.mark.integration

SF, MK = System.SALESFORCE, System.MARKETO
LINKS = LinkFields()
KEY = {"name": LINKS.salesforce_key, "type": "string", "length": 18, "external_id": True, "unique": True}
Control = Callable[[str, Any], Awaitable[Any]]


def mapped(key: str, name: str, kind: FieldType = FieldType.TEXT) -> FieldMapping:
    rule = Rule(name=RuleName.MARKETO, default=MK)
    return FieldMapping(key=key, salesforce=name, marketo=key, type=kind, direction=Direction.BOTH, rule=rule)


FIELDS = (
    mapped("email", "Email", FieldType.EMAIL),
    mapped("firstName", "FirstName"),
    mapped("lastName", "LastName"),
    mapped("company", "Company"),
    mapped("title", "Title"),
    mapped("unsubscribed", "HasOptedOutOfEmail", FieldType.BOOLEAN),
    mapped("numberOfEmployees", "NumberOfEmployees", FieldType.NUMBER),
    mapped(LINKS.lead_id, ""),
    mapped(LINKS.contact_id, ""),
)
CONTACT_FIELDS = tuple(each for each in FIELDS if each.key not in ("company", "numberOfEmployees"))
RULES = SyncRules(
    objects={
        LEAD: ObjectMapping(object=LEAD, fields=FIELDS),
        CONTACT: ObjectMapping(object=CONTACT, fields=CONTACT_FIELDS),
    },
    links=LINKS,
    qualification=Qualification(everyone=True),
)


def email() -> str:
    return f"{secrets.token_hex(6)}@writers.example"


class Systems:
    """Both writers, and the control API."""

    def __init__(self, writers: dict[System, Writer], control: Control) -> None:
        self.writers, self.control = writers, control

    async def create(self, system: System, values: list[dict[str, Value]], keys: list[str] | None = None) -> list[Outcome]:
        obj = LEAD if system is SF else PERSON
        keys = keys or [secrets.token_hex(6) for _ in values]
        orders = [Create(object=obj, fields=outs(system, each)) for each in values]
        items = [Item(write=1, pair=n, order=order, key=key) for n, (order, key) in enumerate(zip(orders, keys, strict=True))]
        return await self.writers[system].write(items, Lane.LIVE)

    async def update(self, system: System, changes: list[tuple[str, dict[str, Value]]]) -> list[Outcome]:
        obj = LEAD if system is SF else PERSON
        orders = [Update(object=obj, id=record, fields=outs(system, values)) for record, values in changes]
        return await self.writers[system].write([Item(write=1, pair=n, order=order) for n, order in enumerate(orders)], Lane.LIVE)

    async def delete(self, system: System, *ids: str) -> list[Outcome]:
        obj = LEAD if system is SF else PERSON
        items = [Item(write=1, pair=n, order=Delete(object=obj, id=each)) for n, each in enumerate(ids)]
        return await self.writers[system].write(items, Lane.LIVE)

    async def person(self, system: System, **values: Value) -> str:
        (made,) = await self.create(system, [{"lastName": "Lovelace", "company": "Engines", "email": email(), **values}])
        assert made.fate is Fate.DONE, made
        return made.id


def outs(system: System, values: dict[str, Value]) -> tuple[Out, ...]:
    by_key = RULES.objects[LEAD].by_key
    return tuple(Out(key=key, name=by_key[key].name_on(system), value=value, version=1) for key, value in values.items())


@pytest.fixture
async def systems(sandbox: dict[str, Any]) -> AsyncIterator[Systems]:
    ours, theirs = sandbox["tandem"]["salesforce"], sandbox["tandem"]["marketo"]
    credentials = ClientCredentials(client_id=ours["client_id"], client_secret=ours["client_secret"])
    marketo_settings = MarketoSettings(base_url=theirs["url"], client_id=theirs["client_id"], client_secret=theirs["client_secret"])
    async with (
        Session(SalesforceSettings(base_url=ours["url"], credentials=credentials)) as session,
        MarketoSession(marketo_settings) as marketo_session,
        aiohttp.ClientSession(sandbox["sandbox"]["url"]) as http,
    ):

        async def control(path: str, body: Any) -> Any:
            async with http.post(path, json=body) as response:
                told = await response.text()
                assert response.status < 300 or "already exists" in told, told
                return await response.json(content_type=None)

        for obj in ("Lead", "Contact"):
            await control("/salesforce/define_field", {"object": obj, "field": KEY})
        for name in (LINKS.lead_id, LINKS.contact_id):
            await control("/marketo/field/create", {"name": name, "displayName": name, "dataType": "string"})
        await control("/marketo/limits", {"calls_per_20s": 100_000, "concurrency": 1000})
        writers: dict[System, Writer] = {
            SF: SalesforceWriter(SalesforceRest(session, OpenBudget()), RULES),
            MK: MarketoWriter(MarketoRest(marketo_session, OpenBudget()), RULES, await marketo_session.user()),
        }
        yield Systems(writers, control)


@pytest.mark.parametrize("system", System)
async def test_a_full_batch_is_written_and_answered_in_order(systems: Systems, system: System) -> None:
    most = systems.writers[system].batch_max
    addresses = [email() for _ in range(most)]
    made = await systems.create(system, [{"lastName": f"L{n}", "company": "C", "email": each} for n, each in enumerate(addresses)])
    assert {each.fate for each in made} == {Fate.DONE}
    ids = [each.id for each in made]
    assert len(set(ids)) == most
    done = await systems.update(system, [(record, {"title": f"T{n}"}) for n, record in enumerate(ids)])
    assert [each.id for each in done] == ids
    assert all(each.until for each in done), "when it may have been made, by the system's clock"
    read = await systems.writers[system].read(LEAD if system is SF else PERSON, ids, Lane.LIVE)
    names = {SF: ("LastName", "Title", "Email"), MK: ("lastName", "title", "email")}[system]
    for n, record in enumerate(ids):
        told = read[record]
        assert told is not None
        assert [told.fields[name] for name in names] == [f"L{n}", f"T{n}", addresses[n]]
        assert (told.kind, told.system, told.id) == (Happened.READ, system, record)
        assert 0 < told.at <= told.until
    gone = await systems.delete(system, *ids)
    assert {each.fate for each in gone} == {Fate.DONE}
    assert set((await systems.writers[system].read(LEAD if system is SF else PERSON, ids[:5], Lane.LIVE)).values()) == {None}


@pytest.mark.parametrize("system", System)
async def test_a_refused_field_is_named_and_its_neighbours_in_the_batch_are_written(systems: Systems, system: System) -> None:
    good, bad = await systems.person(system), await systems.person(system)
    done, refused = await systems.update(system, [(good, {"title": "x"}), (bad, {"title": "y", "lastName": "L" * 300})])
    assert (done.fate, refused.fate) == (Fate.DONE, Fate.REJECTED)
    assert refused.fields == frozenset({"lastName"}), refused.reason
    assert refused.reason


async def test_a_value_of_another_type_is_refused_by_field(systems: Systems) -> None:
    record = await systems.person(MK)
    (refused,) = await systems.update(MK, [(record, {"numberOfEmployees": "many", "title": "x"})])
    assert (refused.fate, refused.fields) == (Fate.REJECTED, frozenset({"numberOfEmployees"})), refused.reason


async def test_a_validation_rule_refuses_in_its_own_words_and_may_blame_a_field(systems: Systems) -> None:
    record = await systems.person(SF)
    rule = {"name": "no_pirates", "object": "Lead", "when": "Title = 'Pirate'", "message": "No pirates, please.", "field": "Title"}
    await systems.control("/salesforce/add_validation_rule", rule)
    try:
        (refused,) = await systems.update(SF, [(record, {"title": "Pirate", "firstName": "Anne"})])
    finally:
        await systems.control("/salesforce/remove_rule", {"name": "no_pirates"})
    assert (refused.fate, refused.fields) == (Fate.REJECTED, frozenset({"title"}))
    assert refused.reason == "FIELD_CUSTOM_VALIDATION_EXCEPTION: No pirates, please."
    (done,) = await systems.update(SF, [(record, {"title": "Pirate"})])
    assert done.fate is Fate.DONE


async def test_a_required_field_that_is_missing_is_named(systems: Systems) -> None:
    (refused,) = await systems.create(SF, [{"email": email(), "company": "C"}])
    assert (refused.fate, refused.fields) == (Fate.REJECTED, frozenset({"lastName"}))
    assert "REQUIRED_FIELD_MISSING" in refused.reason


async def test_a_locked_record_is_busy(systems: Systems) -> None:
    record = await systems.person(SF)
    await systems.control("/salesforce/lock", {"id": record, "seconds": 30})
    (busy,) = await systems.update(SF, [(record, {"title": "x"})])
    assert busy.fate is Fate.BUSY
    await systems.control("/salesforce/lock", {"id": record, "seconds": 0})


@pytest.mark.parametrize("system", System)
async def test_what_is_gone_is_told_so(systems: Systems, system: System) -> None:
    record, other = await systems.person(system), await systems.person(system)
    await systems.delete(system, record)
    gone, done = await systems.update(system, [(record, {"title": "x"}), (other, {"title": "x"})])
    assert (gone.fate, done.fate) == (Fate.GONE, Fate.DONE)
    (again,) = await systems.delete(system, record)
    assert again.fate is Fate.GONE


# -- nobody twice ---------------------------------------------------------------------------------------------------------------
async def test_a_creation_in_salesforce_that_is_repeated_makes_no_second_person(systems: Systems) -> None:
    key, address = secrets.token_hex(5), email()
    first, second = [await systems.create(SF, [{"lastName": "L", "company": "C", "email": address, "title": t}], [key]) for t in ("a", "b")]
    assert first[0].id == second[0].id


async def test_a_creation_in_marketo_of_somebody_who_is_there_says_so(systems: Systems) -> None:
    address = email()
    await systems.person(MK, email=address)
    (there,) = await systems.create(MK, [{"lastName": "L", "email": address.upper()}])
    assert (there.fate, there.reason[:4]) == (Fate.EXISTS, "1005")


async def test_candidates_in_marketo_by_stored_id_then_by_e_mail(systems: Systems) -> None:
    lead = "00Q" + secrets.token_hex(6) + "EAA"
    by_id, by_email = await systems.person(MK, **{LINKS.lead_id: lead}), email()
    person = await systems.person(MK, email=by_email.upper())
    wanted = {
        1: PairState(salesforce=Record(id=lead), fields={"email": Field(value=by_email)}),
        2: PairState(salesforce=Record(id="00Q000000000009EAA"), fields={"email": Field(value=by_email)}),
        3: PairState(salesforce=Record(id="00Q000000000008EAA"), fields={"email": Field(value=email())}),
        4: PairState(salesforce=Record(id="00Q000000000007EAA")),
        5: PairState(salesforce=Record(id="00Q000000000006EAA"), fields={"email": Field(value="a,b@writers.example")}),
    }
    found = await systems.writers[MK].candidates(wanted, Lane.LIVE)
    assert {pair: [event.id for event in events] for pair, events in found.items()} == {1: [by_id], 2: [person]}
    assert found[1][0].fields[LINKS.lead_id] == lead


async def test_candidates_in_salesforce_by_stored_id_and_by_e_mail_in_leads_and_contacts(systems: Systems) -> None:
    key, address = secrets.token_hex(5), email()
    (keyed,) = await systems.create(SF, [{"lastName": "L", "company": "C", "email": email()}], [key])
    lead = await systems.person(SF, email=address)
    order = Create(object=CONTACT, fields=outs(SF, {"lastName": "L", "email": address.upper()}))
    (contact,) = await systems.writers[SF].write([Item(write=1, pair=1, order=order, key=secrets.token_hex(5))], Lane.LIVE)
    quoted = "o'hara\\" + email()
    wanted = {
        1: PairState(marketo=Record(id=key), fields={"email": Field(value="somebody@else.example")}),
        2: PairState(marketo=Record(id="9999998"), fields={"email": Field(value=address)}),
        3: PairState(marketo=Record(id="9999997"), fields={"email": Field(value=quoted)}),
    }
    found = await systems.writers[SF].candidates(wanted, Lane.LIVE)
    ids = {pair: sorted(event.id for event in events) for pair, events in found.items()}
    assert ids == {1: [keyed.id], 2: sorted([lead, contact.id])}
    assert {event.object for event in found[2]} == {LEAD, CONTACT}
    assert found[1][0].fields[LINKS.salesforce_key] == key


async def test_a_stamp_goes_with_every_write_where_users_are_not_named(systems: Systems, sandbox: dict[str, Any]) -> None:
    await systems.control("/marketo/field/create", {"name": "tandemStamp", "displayName": "tandemStamp", "dataType": "string"})
    rules = SyncRules(objects=RULES.objects, links=LinkFields(stamp="tandemStamp"))
    plain = systems.writers[MK]
    assert isinstance(plain, MarketoWriter)
    stamping = MarketoWriter(plain._rest, rules)
    record = await systems.person(MK)
    order = Update(object=PERSON, id=record, fields=outs(MK, {"title": "x"}))
    await stamping.write([Item(write=4711, pair=1, order=order)], Lane.LIVE)
    lead = (await plain._rest.read([record], ["title", "tandemStamp"]))[record]
    assert (lead.fields["title"], lead.fields["tandemStamp"]) == ("x", "4711")


# -- what hangs on a record --------------------------------------------------------------------------------------------------
async def used(systems: Systems, system: System, record: str) -> str:
    use = (await systems.writers[system].uses(LEAD if system is SF else PERSON, [record], Lane.LIVE))[record]
    assert use is not None
    assert use.reading.id == record
    return "; ".join(use.what)


@pytest.mark.parametrize("system", System)
async def test_nothing_hangs_on_what_only_we_have_had_in_hand(systems: Systems, system: System) -> None:
    record = await systems.person(system)
    await systems.update(system, [(record, {"title": "x"})])
    assert not await used(systems, system, record)
    await systems.delete(system, record)
    assert await systems.writers[system].uses(LEAD if system is SF else PERSON, [record], Lane.LIVE) == {record: None}


async def test_what_others_have_made_of_a_person_in_marketo(systems: Systems) -> None:
    listed, member, edited, plain = [await systems.person(MK) for _ in range(4)]
    static = (await systems.control("/marketo/list/create", {"name": secrets.token_hex(4)}))["id"]
    await systems.control("/marketo/list/add", {"list": static, "ids": [int(listed)]})
    program = (await systems.control("/marketo/program/create", {"name": secrets.token_hex(4)}))["id"]
    await systems.control("/marketo/program/status", {"program": program, "ids": [int(member)], "status": "Member"})
    await systems.control("/marketo/person/edit", {"id": int(edited), "fields": {"title": "by hand"}})
    uses = await systems.writers[MK].uses(PERSON, [listed, member, edited, plain], Lane.LIVE)
    told = {record: use.what for record, use in uses.items() if use is not None}
    assert told[listed] == (f"list {static}", "activity Add to List")
    assert told[member][0] == f"program {program}"
    assert told[edited] == ("activity Change Data Value",)
    assert told[plain] == ()


async def test_what_others_have_made_of_a_lead_in_salesforce(systems: Systems, sandbox: dict[str, Any]) -> None:
    tasked, owned, typed = [await systems.person(SF) for _ in range(3)]
    org = sandbox["salesforce"]
    form = {"grant_type": "client_credentials", "client_id": org["client_id"], "client_secret": org["client_secret"]}
    async with aiohttp.ClientSession(org["url"]) as http:
        async with http.post("/services/oauth2/token", data=form) as response:
            token = await response.json()
        head = {"Authorization": f"Bearer {token['access_token']}"}
        root = f"/services/data/v{org['api_version']}"
        user = token["id"].rpartition("/")[2]
        async with http.post(f"{root}/sobjects/Task", json={"WhoId": tasked, "Subject": "Call"}, headers=head) as response:
            assert response.status == 201, await response.text()
        async with http.patch(f"{root}/sobjects/Lead/{owned}", json={"OwnerId": user}, headers=head) as response:
            assert response.status == 204, await response.text()
        async with http.patch(f"{root}/sobjects/Lead/{typed}", json={"Title": "by hand"}, headers=head) as response:
            assert response.status == 204, await response.text()
    uses = await systems.writers[SF].uses(LEAD, [tasked, owned, typed], Lane.LIVE)
    told = {record: use.what for record, use in uses.items() if use is not None}
    assert told[tasked] == ("Task",)
    assert told[owned] == (f"owner {user}", f"changed by {user}")
    assert told[typed] == (f"changed by {user}",)


async def test_what_may_not_be_asked_counts_as_a_use(systems: Systems) -> None:
    """Without the permission to read them nobody can say that there are none."""
    person, lead = await systems.person(MK), await systems.person(SF)
    refusing = {"system": "marketo", "match": {"path": f"/rest/v1/leads/{person}/listMembership.json"}, "times": 1}
    refusing["action"] = {"type": "access_denied"}
    await systems.control("/faults", refusing)
    assert (await used(systems, MK, person)).startswith("lists can't be asked for (")
    assert not await used(systems, SF, lead)


# -- a life on both systems ----------------------------------------------------------------------------------------------------
def terms() -> Terms:
    return Terms(rules=RULES, identity=Identity(salesforce_user="005000000000001AAA", marketo_user="tandem@example.com"))


async def told(ledger: MemoryLedger, *events: ChangeEvent) -> None:
    """The readings judged, as the topics would bring them."""
    async with ledger.transaction() as tx:
        judging = Judging(tx, terms(), now_ms())
        await judging.load(events)
        for each in events:
            judging.judge(each, NOWHERE)
        await judging.save()


async def reading(systems: Systems, system: System, record: str) -> ChangeEvent:
    found = (await systems.writers[system].read(LEAD if system is SF else PERSON, [record], Lane.LIVE))[record]
    assert found is not None
    return found


def now_ms() -> int:
    return round(time.time() * 1000)


async def settled(systems: Systems, ledger: MemoryLedger, system: System) -> None:
    settler = Settler(ledger, systems.writers[system], terms(), now_ms)
    while (await settler.round()).claimed:
        pass


async def test_the_opt_out_of_a_person_made_again_reaches_the_lead(systems: Systems) -> None:
    ledger, address = MemoryLedger(), email()
    lead = await systems.person(SF, email=address)
    await told(ledger, await reading(systems, SF, lead))
    await settled(systems, ledger, MK)
    (state,) = ledger.pairs.values()
    first = state.marketo.id
    await systems.control("/marketo/person/delete", {"ids": [int(first)]})
    await told(ledger, ChangeEvent(system=MK, object=PERSON, id=first, kind=Happened.DELETED, source="activities", at=now_ms()))
    fields = {"email": address, "lastName": "Lovelace", "company": "Engines", "unsubscribed": True}
    again = str((await systems.control("/marketo/person/create", {"fields": fields}))["id"])
    await told(ledger, await reading(systems, MK, again))
    (state,) = ledger.pairs.values()
    assert (state.salesforce.id, state.marketo.id, state.hold) == (lead, again, "")
    await settled(systems, ledger, SF)
    assert (await reading(systems, SF, lead)).fields["HasOptedOutOfEmail"] is True


@pytest.mark.parametrize("listed", [False, True])
async def test_a_second_person_of_ours_goes_only_where_nothing_hangs_on_it(systems: Systems, listed: bool) -> None:
    ledger, address = MemoryLedger(), email()
    lead, ours = await systems.person(SF, email=address), await systems.person(MK, email=address)
    fields = {"email": address, "lastName": "Lovelace", "company": "Engines"}
    theirs = str((await systems.control("/marketo/person/create", {"fields": fields}))["id"])
    if listed:
        static = (await systems.control("/marketo/list/create", {"name": secrets.token_hex(4)}))["id"]
        await systems.control("/marketo/list/add", {"list": static, "ids": [int(ours)]})
    await told(ledger, await reading(systems, SF, lead))
    await told(ledger, await reading(systems, MK, theirs))
    (number,) = ledger.pairs
    ledger.pairs[number] = terms().with_due(msgspec.structs.replace(ledger.pairs[number], retract=((MK, ours),)), now_ms())
    await settled(systems, ledger, MK)
    there = (await systems.writers[MK].read(PERSON, [ours], Lane.LIVE))[ours]
    assert (there is not None) is listed
    holds = [state.hold for state in ledger.pairs.values() if state.hold]
    assert len(holds) == listed
    assert all(theirs in hold for hold in holds)
    assert any("nothing hangs on it" in decision.detail for decision in ledger.decisions) is not listed
