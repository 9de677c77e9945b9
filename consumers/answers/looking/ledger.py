"""The commands that ask the ledger: status, record, explain."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from consumers.audit_log.deeds import Deed, deeds
from consumers.configuration.access import kafka_access
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import build
from consumers.configuration.mapping.registered import registry_of
from consumers.configuration.systems import marketo_settings, salesforce_settings
from consumers.ledger.allowances import Events, told_events
from consumers.ledger.findings import mapped
from consumers.ledger.spent import Spent, spent
from consumers.mapping.fields import SyncRules
from consumers.merge.pair.state import PairState
from consumers.pauses.pauses import ALL as PAUSES
from consumers.pauses.pauses import pauses_in
from consumers.reports.database import ledger_connection
from consumers.reports.records.now import as_it_was, now, now_in_all
from consumers.reports.records.obstacles import kept_back, obstacles
from consumers.reports.records.parents import kept, of
from consumers.reports.records.people import find, people_of
from consumers.reports.records.record import Live, RecordShown, fields_to_read, shown
from consumers.reports.records.relations import relations_of
from consumers.reports.records.story import Chapter, authors, decisions_about, field_key, story, then_of
from consumers.reports.standing.lists import Listed, Queue, listed
from consumers.reports.standing.status import Status, status
from consumers.troubles.ledger import expected
from consumers.troubles.trouble import Trouble
from streams.budget.open import OpenBudget
from streams.budget.port import Lane
from streams.marketo.api.resource import Resource
from streams.wire.errors import Retry, SyncError, Unprepared
from streams.wire.events import Value
from streams.wire.systems import Object, System

_USER_PREFIX = "005"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The story of a field of one pair."""

    pair: int
    person: str
    email: str
    field: str
    """Empty: the whole record."""
    chapters: tuple[Chapter, ...]
    now: tuple[str, ...]
    """How it stands; with `at_ms`: how it stood then."""
    at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The calls of each system's day, as of a moment."""

    at_ms: int
    systems: tuple[Spent, ...]
    events: Events | None = None
    """Change events that Salesforce delivers; None: nothing is known."""


async def spent_of(settings: Settings) -> Calls:
    """The calls of the day. Raises as `ledger_connection`."""
    known = expected(settings, round(time.time() * 1000))
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        systems = await spent(connection, known.now_ms, known.limits)
        return Calls(at_ms=known.now_ms, systems=systems, events=await told_events(connection, known.now_ms))


async def status_of(settings: Settings) -> Status:
    """The status; without Kafka or its topics it goes on, and says so. Raises as `ledger_connection`; `Fatal` where Kafka refuses."""
    from consumers.reports.standing.lag import end_offsets  # noqa: PLC0415 - the Kafka client is slow to import

    found: tuple[Trouble, ...] = ()
    ends = None
    try:
        ends = await end_offsets(kafka_access(settings), registry_of(settings))
    except (Retry, Unprepared) as error:
        found = (Trouble(where="kafka", what=str(error).rstrip("."), away=isinstance(error, Retry)),)
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await status(connection, expected(settings, round(time.time() * 1000)), ends=ends, found=found)


async def deeds_of(settings: Settings, *, since_ms: int | None, act: str | None, who: str | None, most: int) -> list[Deed]:
    """The audit log, newest first. Raises as `ledger_connection`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await deeds(connection, since_ms=since_ms, act=act, who=who, most=most)


async def list_of(settings: Settings, queue: Queue, *, most: int) -> tuple[Listed, ...]:
    """Who waits in a queue, and why. Raises as `ledger_connection`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await listed(connection, queue, build(settings, known=await mapped(connection)), most=most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletes:
    """Deletes that wait for a confirmation. `people`: some of them by name, as far as they are known; `until_ms`: the newest of them."""

    object: str
    gone: int
    of_all: int
    until_ms: int
    people: tuple[str, ...]


async def deletes_of(settings: Settings, obj: Object) -> Deletes | None:
    """What a poll has stopped before; None: nothing waits. Raises as `ledger_connection`."""
    from consumers.reconcile.confirmation import braked_deletes  # noqa: PLC0415 - the poll is slow to import

    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        braked = await braked_deletes(connection, obj)
        if braked is None:
            return None
        people = await people_of(connection, braked.examples)
    return Deletes(object=str(obj), gone=braked.gone, of_all=braked.of_all, until_ms=braked.until_ms, people=people)


async def records_of(settings: Settings, name: str, *, live: bool) -> tuple[list[RecordShown], list[str]]:
    """The pairs that a name may mean, side by side, and what could not be asked. Raises `UnknownRecord`, and as `ledger_connection`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        rules, found = build(settings, known=await mapped(connection)), await find(connection, name)
        keeping = await kept(connection, [each.pair for each in found])
        related = [await relations_of(connection, each.pair, each.state, rules) for each in found]
        pauses = pauses_in(await connection.fetch(PAUSES))
    told, notes = [], [each.note for each in found if each.note]
    for each, relations in zip(found, related, strict=True):
        rows, missed = await _live(settings, rules, each.state) if live else ({}, [])
        notes += missed
        told.append(shown(each.pair, each.state, rules, rows, of(keeping, each.pair), relations=relations, pauses=pauses))
    return told, list(dict.fromkeys(notes))


async def stories_of(
    settings: Settings, name: str, field: str | None, *, most: int, live: bool, at_ms: int | None = None
) -> tuple[list[Story], list[str]]:
    """The story of a field (None: of the whole record) for each pair that a name may mean, and what could not be asked; `live`: Salesforce
    is asked for the names of its users; `at_ms`: as it was then. Raises `UnknownRecord`, `UnknownField`, and as `ledger_connection`.
    """
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        rules = build(settings, known=await mapped(connection))
        found = [(each, field_key(rules.objects[each.state.object], field) if field else None) for each in await find(connection, name)]
        read = [await decisions_about(connection, each.pair, key, most=most, until_ms=at_ms) for each, key in found]
        keeping = await kept(connection, [each.pair for each, _ in found])
        barred = await obstacles(connection, expected(settings, round(time.time() * 1000)), rules, {each.state.object for each, _ in found})
        pauses = pauses_in(await connection.fetch(PAUSES))
        past = {each.pair: await then_of(connection, each.pair, at_ms) for each, _ in found} if at_ms is not None else {}
    people, missed = await _names(settings, authors(read)) if live else ({}, [])
    told, notes = [], [*(each.note for each, _ in found if each.note), *missed]
    for (each, key), decisions in zip(found, read, strict=True):
        record = shown(each.pair, each.state, rules, {}, of(keeping, each.pair), pauses=pauses)
        chapters = story(decisions, key, most=most, people=people)
        if at_ms is not None:
            stands = as_it_was(past[each.pair], key)
        else:
            stands = (*(now(record, key) if key else now_in_all(record)), *kept_back(record, key, barred))
        told.append(
            Story(
                pair=each.pair, person=record.person, email=record.email, field=key or "", chapters=chapters, now=stands, at_ms=at_ms
            )
        )  # fmt: skip
    return told, notes


async def _names(settings: Settings, authors: frozenset[str]) -> tuple[dict[str, str], list[str]]:
    """The names of Salesforce's users by id; Marketo calls its users by e-mail anyway."""
    from streams.salesforce.api.access.session import Session  # noqa: PLC0415 - only when asked live
    from streams.salesforce.api.rest import SalesforceRest  # noqa: PLC0415 - only when asked live

    ids = sorted(each for each in authors if each.startswith(_USER_PREFIX))
    if not ids:
        return {}, []
    try:
        async with Session(salesforce_settings(settings)) as session:
            rows = await SalesforceRest(session, OpenBudget()).read("User", ids, ["Id", "Name"], Lane.LIVE)
    except SyncError as error:
        return {}, [f"Salesforce could not be asked for the names of its users ({error})"]
    return {str(row["Id"]): str(row["Name"]) for row in rows if row is not None and row.get("Name")}, []


async def _live(settings: Settings, rules: SyncRules, state: PairState) -> tuple[Live, list[str]]:
    rows: dict[System, Mapping[str, Value] | None] = {}
    notes: list[str] = []
    for system, read in ((System.SALESFORCE, _read_salesforce), (System.MARKETO, _read_marketo)):
        if not state.record(system).id or (system is System.MARKETO and rules.objects[state.object].written_once):
            continue  # no activity can be read by its id, and none ever changes
        try:
            rows[system] = await read(settings, rules, state)
        except SyncError as error:
            notes.append(f"{system} could not be asked ({error}); its values are those that its feed last told")
    return rows, notes


async def _read_salesforce(settings: Settings, rules: SyncRules, state: PairState) -> Mapping[str, Value] | None:
    from streams.salesforce.api.access.session import Session  # noqa: PLC0415 - only when asked live
    from streams.salesforce.api.rest import SalesforceRest  # noqa: PLC0415 - only when asked live

    mapping = rules.objects[state.object]
    fields = fields_to_read(mapping, System.SALESFORCE)
    async with Session(salesforce_settings(settings)) as session:
        rest = SalesforceRest(session, OpenBudget())
        return (await rest.read(mapping.api_name, [state.salesforce.id], ["Id", *fields], Lane.LIVE))[0]


async def _read_marketo(settings: Settings, rules: SyncRules, state: PairState) -> Mapping[str, Value] | None:
    from streams.marketo.api.calling import BY_HAND_SECONDS  # noqa: PLC0415 - only when asked live
    from streams.marketo.api.rest import MarketoRest  # noqa: PLC0415 - only when asked live
    from streams.marketo.api.session import MarketoSession  # noqa: PLC0415 - only when asked live

    mapping, record = rules.objects[state.object], state.marketo.id
    fields = fields_to_read(mapping, System.MARKETO)
    async with MarketoSession(marketo_settings(settings)) as session:
        rest = MarketoRest(session, OpenBudget(), BY_HAND_SECONDS)
        if not isinstance(mapping.resource, Resource):
            lead = (await rest.read([record], fields)).get(record)
        elif len(mapping.resource.key) == 1:
            lead = (await rest.resources.read_records(mapping.resource, [record], fields)).get(record)
        else:
            lead = (await rest.resources.read_records_by_id(mapping.resource, [record], fields)).get(record)
    return lead.fields if lead else None
