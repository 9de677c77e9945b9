"""Somebody deletes a person in Marketo: what has its name from that person there went along, and is made for whoever takes its place."""

from dataclasses import replace

import pytest

from consumers.configuration.groups.records import FormSettings
from consumers.configuration.mapping.defaults import build
from consumers.judging import apart
from consumers.ledger.port import Ledger, Pair
from consumers.mapping.fields import ObjectMapping
from consumers.mapping.kind import Form
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.terms import Terms
from consumers.merge.writing.parents import Reference
from consumers.merge.writing.plan import Create, Nothing, Update, plan
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import CONTACT, MARKETO, PERSON, Object
from tests.consumers.families.family import SETTINGS, TASK, terms
from tests.consumers.merge.person_pair import T

PARENT, PERSON_ID, CHILD = "003000000000001AAA", "1001", "00K000000000007AAA"
GONE = ChangeEvent(system=MARKETO, object=PERSON, id=PERSON_ID, kind=Happened.DELETED, source="activities", at=T + 5_000, ref="m:9")


def told(form: Form) -> Terms:
    return terms(build(replace(SETTINGS, kinds={**SETTINGS.kinds, "task": FormSettings(as_=form)})))


OBJECTS = told(Form.CUSTOM_OBJECT), told(Form.ACTIVITY)


def child_of(mapping: ObjectMapping, role: str) -> PairState:
    """All that names it is agreed, both sides show it."""
    fields: dict[str, Field] = {}
    for item in mapping.fields:
        value = PARENT if item.key == role else "006000000000009AAA" if item.parent else None
        if value:
            shown = Side(seen=value, seen_at=T, shows=1)
            fields[item.key] = Field(value=value, version=1, agreed_at=T, salesforce=shown, marketo=shown)
    there = Record(id=CHILD, complete=True, at=T), Record(id="role-1", complete=True, at=T)
    return PairState(
        object=mapping.object, counterpart=mapping.marketo, fields=fields, salesforce=there[0], marketo=there[1], name="9.1001"
    )


def person() -> PairState:
    return PairState(
        object=CONTACT,
        salesforce=Record(id=PARENT, complete=True, at=T),
        marketo=Record(id=PERSON_ID, complete=True, at=T),
    )


async def after(ledger: Ledger, terms_: Terms, child: PairState, role: str, event: ChangeEvent) -> PairState:
    """The child, once that has been told of its person."""
    parent, one = Pair(id=0, state=person(), loaded=None), Pair(id=0, state=child, loaded=None)
    async with ledger.transaction() as tx:
        await tx.save([parent, one], T)
        await tx.relate({one.id: [Reference(role=role, parent=PARENT, waiting=False)]})
    await apart.judged(ledger, terms_, [event], T + 9_000, stage="test")
    async with ledger.transaction() as tx:
        return (await tx.by_id([one.id]))[one.id].state


def named(terms_: Terms) -> list[tuple[Object, str]]:
    """Each kind that names a person, and how."""
    sorts = terms_.rules.objects.values()
    return [(sort.object, item.key) for sort in sorts for item in sort.references if item.parent == "person"]


@pytest.mark.parametrize(("obj", "role"), named(OBJECTS[0]))
async def test_what_names_a_person_who_is_deleted_in_marketo_is_owed_again(ledger: Ledger, obj: Object, role: str) -> None:
    mapping = OBJECTS[0].rules.objects[obj]
    state = await after(ledger, OBJECTS[0], child_of(mapping, role), role, GONE)
    order, item = plan(state, MARKETO, OBJECTS[0].rules, exact=True), mapping.by_key[role]
    if item.is_key or item.fixed:
        assert isinstance(order, Create), obj
        assert {out.key: out.value for out in order.fields}[role] == PARENT
        assert (state.marketo.id, state.name) == ("", "")
    else:
        assert isinstance(order, Update), obj
        assert [out.key for out in order.fields] == [role]


@pytest.mark.parametrize(("obj", "role"), named(OBJECTS[0]))
async def test_what_names_a_person_who_is_merged_in_marketo_follows_there(ledger: Ledger, obj: Object, role: str) -> None:
    merged = ChangeEvent(
        system=MARKETO, object=PERSON, id=PERSON_ID, kind=Happened.DELETED, source="activities", at=T + 5_000, ref="m:9", into="1002"
    )
    before = child_of(OBJECTS[0].rules.objects[obj], role)
    state = await after(ledger, OBJECTS[0], before, role, merged)
    assert isinstance(plan(state, MARKETO, OBJECTS[0].rules, exact=True), Nothing)
    assert state.marketo == before.marketo


async def test_what_was_written_once_into_the_history_of_who_is_gone_stays_written(ledger: Ledger) -> None:
    mapping = OBJECTS[1].rules.objects[TASK]
    role = next(item.key for item in mapping.references if item.parent == "person")
    before = child_of(mapping, role)
    state = await after(ledger, OBJECTS[1], before, role, GONE)
    assert state.marketo == before.marketo
