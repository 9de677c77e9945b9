"""Asking by hand: what would be done is said from what the ledger knows; done it is by a worker, as for everybody who asks."""

import asyncio
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import asyncpg

from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import build
from consumers.configuration.systems import marketo_settings
from consumers.errands.catalogue import request_of
from consumers.errands.errand import AddToCampaign, ChangeOwner, Convert, CreateTask, Done, Errand, Failed, Request, What
from consumers.errands.planning import next_step
from consumers.errands.store import Asked, Store, Told
from consumers.kinds.registry import KIND_OF
from consumers.mapping.fields import SyncRules
from consumers.merge.lives.wanted import is_in_salesforce, wanted
from consumers.merge.terms import Identity, Terms
from consumers.merge.writing.plan import Create, plan
from consumers.reports.database import ledger_connection
from consumers.reports.records.called import agreed, name_of
from consumers.reports.records.people import Found, UnknownRecord, find
from streams.ground.database import away_is_retry
from streams.wire.systems import SALESFORCE

_MARKETO_ID = re.compile(r"\d{1,14}")
_LOOK_SECONDS = 0.2
_ASKED_FOR = """
select b.asked_at as at_ms, coalesce(e.request ->> 'type', '') as what, e.asked_person as person, b.asked_by, e.state, e.record, e.code,
    e.reason
from errands as e join errand_batches as b on b.id = e.batch
where $1 = '' or e.state = $1 order by e.id desc limit $2
"""
_WORKING = """
select count(*) from workers where beat_at > clock_timestamp() - interval '30 seconds' and 'settle.errands' = any(roles)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What would be done, or became of it. `state`: planned, open, done or failed; `name`: by which the errand is known."""

    what: str
    person: str
    marketo_id: str
    steps: tuple[str, ...]
    state: str = "planned"
    name: str = ""
    record: str = ""
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedLine:
    """One thing that was asked for. `what`: empty where it made no sense; `state`: open, done or failed."""

    at_ms: int
    what: str
    person: str
    asked_by: str
    state: str
    record: str
    code: str
    reason: str


async def asked_for(settings: Settings, state: str, *, most: int) -> tuple[AskedLine, ...]:
    """What was asked for, the newest first; `state`: only what stands so. Raises as `ledger_connection`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        rows = await connection.fetch(_ASKED_FOR, state, most)
    return tuple(AskedLine(**dict(row)) for row in rows)


async def ask(settings: Settings, what: What, person: str, given: Mapping[str, str], *, apply: bool, wait: float, key: str) -> Answer:
    """Plan it, or have it done. Raises `Wrong` for what makes no sense, `UnknownRecord`, and as `ledger_connection`."""
    request = request_of(what, given, datetime.now(marketo_settings(settings).zone).date())
    rules = build(settings)
    dsn = settings.postgres.dsn.reveal()
    async with ledger_connection(dsn) as connection:
        found = await _found(connection, person)
        working = await connection.fetchval(_WORKING)
    marketo_id = found.state.marketo.id if found else person.strip()
    answer = Answer(what=str(what), person=_called(found, marketo_id), marketo_id=marketo_id, steps=steps_of(request, found, rules))
    if not apply:
        return answer
    name = f"command/{what}/{marketo_id}/{key or secrets.token_hex(8)}"
    with away_is_retry("open the database"):
        pool = await asyncpg.create_pool(dsn, min_size=1, max_size=1, command_timeout=30, server_settings={"application_name": "tandem"})
    try:
        store = Store(pool)
        await store.ask(name, "tandem person", [Asked(name=name, person=marketo_id, request=request)], round(time.time() * 1000))
        told = await _ended(store, name, wait)
    finally:
        pool.terminate()
    reason = told.reason if told.state != "open" or told.reason else "it is done within seconds"
    if told.state == "open" and not working:
        reason = "no worker runs that could do it (start one: tandem run --role settle); it is done as soon as one does"
    return replace(answer, marketo_id=told.person, state=told.state, name=name, record=told.record, code=told.code, reason=reason)


def steps_of(request: Request, found: Found | None, rules: SyncRules) -> tuple[str, ...]:
    """What would be done, step by step, in words; the planner's own answer for the person's record. Pure."""
    if found is None:
        return ("the ledger doesn't know this person yet: the Marketo record is read", "it becomes a record in Salesforce", _then(request))
    state = found.state
    terms = Terms(rules=rules, identity=Identity(salesforce_user="", marketo_user=""))
    errand = Errand(id=0, name="", person=state.marketo.id, request=request, asked_at=0, introduced=True)
    if is_in_salesforce(state):
        step = next_step(errand, state, terms)
        if isinstance(step, Failed):
            return (f"would fail ({step.code}): {step.reason}",)
        there = f"is {state.object} {state.salesforce.id} in Salesforce"
        return (there, _then(request)) if not isinstance(step, Done) else (there, "is in step; nothing is to be done")
    state = wanted(state, terms, 1)
    step = next_step(errand, state, terms)
    if isinstance(step, Failed):
        return (f"would fail ({step.code}): {step.reason}",)
    order = plan(state, SALESFORCE, rules, exact=False)
    if not isinstance(order, Create):
        return ("its Marketo record is read; then it becomes a record in Salesforce", _then(request))
    defaults = [f"{out.name} = {out.value!r}" for out in order.fields if agreed(state, out.key) in (None, "")]
    with_defaults = f" (by default {', '.join(defaults)})" if defaults else ""
    again = ", again," if found.state.salesforce.deleted else ""
    return (f"becomes{again} a {state.object} in Salesforce, with {len(order.fields)} fields{with_defaults}", _then(request))


def _then(request: Request) -> str:
    match request:
        case AddToCampaign():
            status = f" with the status {request.status!r}" if request.status else ""
            return f"becomes a member of campaign {request.campaign!r}{status}, unless it is one"
        case ChangeOwner():
            return f"is given to {request.owner!r}"
        case CreateTask():
            return f"a task {request.subject!r} is made for it{f', due {request.due}' if request.due else ''}"
        case Convert():
            into = f"contact {request.contact}" if request.contact else f"a new contact in {request.account or 'a new account'}"
            return f"its lead is converted into {into}"
        case _:
            return "nothing else is done"


async def _found(connection: Any, person: str) -> Found | None:
    """The one pair that is meant; None for a Marketo person whom the ledger doesn't know yet."""
    try:
        found = [each for each in await find(connection, person) if KIND_OF[each.state.object].is_person]
    except UnknownRecord:
        if _MARKETO_ID.fullmatch(person.strip()):
            return None
        raise
    if len(found) != 1:
        told = ", ".join(each.state.marketo.id or f"pair:{each.pair}" for each in found)
        several = f"{person} may be several people ({told}); name one by its id"
        raise UnknownRecord(several if found else f"{person} is no person")
    if not found[0].state.marketo.id:
        raise UnknownRecord(f"{person} has no record in Marketo (yet), from where this would be asked for")
    return found[0]


def _called(found: Found | None, marketo_id: str) -> str:
    return f"{name_of(found.state)} (person {marketo_id} in Marketo)" if found else f"person {marketo_id} in Marketo"


async def _ended(store: Store, name: str, wait: float) -> Told:
    """How it stands once it has ended, or after so many seconds."""
    end = time.monotonic() + wait
    while True:
        told = (await store.told(name))[0]
        if told.state != "open" or time.monotonic() >= end:
            return told
        await asyncio.sleep(_LOOK_SECONDS)
