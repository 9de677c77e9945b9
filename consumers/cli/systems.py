"""The commands that ask both systems: check, setup, visibility and fields."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from consumers.answers.looking.sight import described
from consumers.configuration.access import kafka_access
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import build, sorts
from consumers.configuration.mapping.registered import registry_of
from consumers.configuration.settings import Echo
from consumers.configuration.systems import marketo_settings, salesforce_settings
from consumers.fitting.canary import Patience, Sung, canary
from consumers.fitting.check import Finding, Level, LinkField, compare
from consumers.fitting.custom.objects import Planned, absent, apply, plan_of
from consumers.fitting.custom.objects import findings as custom_findings
from consumers.fitting.grounds import look_at_database, look_at_kafka, look_at_migrations
from consumers.fitting.offers import Offer, offers
from consumers.fitting.remembered import Knowledge, news, recall
from consumers.fitting.setup.activities import create_types, plan_types
from consumers.fitting.setup.custom_objects import create_objects, plan_objects
from consumers.fitting.setup.fields import create_fields, plan_setup
from consumers.fitting.survey import stream_fields, survey
from consumers.flowsteps.documents import addresses
from streams.budget.open import OpenBudget
from streams.ground.database import connected
from streams.ground.together import together
from streams.marketo.api.calling import BY_HAND_SECONDS
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.errors import Fatal, Retry, SyncError, Unprepared
from streams.wire.systems import Object, System

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What `tandem check` found. `fields`: how many were compared."""

    findings: tuple[Finding, ...] = ()
    problems: int = 0
    warnings: int = 0
    notes: int = 0
    fields: int = 0
    salesforce_user: str = ""
    marketo_user: str = ""
    canary: Sung | None = None
    refused: tuple[str, ...] = ()
    """What lets Tandem not in: wrong credentials, a certificate that isn't trusted."""
    unreachable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupReport:
    """What is missing, or was made. `complete`: nothing is left to do."""

    marketo: tuple[LinkField, ...] = ()
    types: tuple[str, ...] = ()
    """Types of activities and of custom objects, each with what it lacks."""
    created: bool = False
    for_admin: tuple[str, ...] = field(default_factory=tuple)
    complete: bool = False
    flow_steps: tuple[str, ...] = ()
    """What a Marketo admin may install, where the configuration has flow steps served."""


async def check_of(settings: Settings, *, canary: bool, canary_id: str | None) -> CheckReport:
    """Both systems compared with the configuration, and what Tandem stands on; what can't be asked is told, not raised."""
    async with Session(salesforce_settings(settings)) as session, MarketoSession(marketo_settings(settings)) as marketo_session:
        async with together() as group:
            users = group.create_task(_asked(session.user_id())), group.create_task(_asked(marketo_session.user()))
            grounds = (
                group.create_task(_asked(look_at_database(settings.postgres.dsn.reveal()))),
                group.create_task(_asked(look_at_kafka(kafka_access(settings), registry_of(settings).objects))),
            )
        failures = [error for task in (*users, *grounds) if (error := task.result()[1]) is not None]
        report = CheckReport()
        if not any(task.result()[1] for task in users):
            names = [task.result()[0] or "" for task in users]
            report = CheckReport(salesforce_user=names[0], marketo_user=names[1])
            try:
                report = await _check_systems(settings, report, session, marketo_session, canary=canary, canary_id=canary_id)
            except SyncError as error:
                failures.append(error)
    return _with(report, failures)


async def _check_systems(
    settings: Settings, report: CheckReport, session: Session, marketo_session: MarketoSession, *, canary: bool, canary_id: str | None
) -> CheckReport:  # fmt: skip
    salesforce, marketo = SalesforceRest(session, OpenBudget()), MarketoRest(marketo_session, OpenBudget(), BY_HAND_SECONDS)
    describes = await survey(salesforce, marketo, sorts(settings))
    custom = await plan_of(settings, salesforce, marketo, describes)
    rules = build(settings, describes, unseen=True)
    rules = replace(rules, objects={obj: mapping for obj, mapping in rules.objects.items() if obj not in absent(settings, custom)})
    found = compare(rules, describes, await stream_fields(salesforce, sorts(settings)))
    findings = (*custom_findings(settings, custom), *found)
    fields = sum(len(mapping.fields) for mapping in rules.objects.values())
    sung = await _sung(settings, marketo_session, marketo, canary_id) if canary else None
    return replace(report, findings=findings, fields=fields, canary=sung)


def _with(report: CheckReport, failures: Sequence[SyncError]) -> CheckReport:
    """What failed, by what it means: steps of setting up are problems, the rest keeps `check` from telling."""
    steps = tuple(
        Finding(level=Level.PROBLEM, object="", field="", message=str(each).removesuffix(each.remedy).rstrip(" ."), remedy=each.remedy)
        for each in failures
        if isinstance(each, Unprepared)
    )
    findings = (*steps, *report.findings)
    return replace(
        report,
        findings=findings,
        problems=sum(each.level is Level.PROBLEM for each in findings),
        warnings=sum(each.level is Level.WARNING for each in findings),
        notes=sum(each.level is Level.NOTE for each in findings),
        refused=tuple(str(each) for each in failures if isinstance(each, Fatal) and not isinstance(each, Unprepared)),
        unreachable=tuple(str(each) for each in failures if not isinstance(each, Fatal)),
    )


async def setup_of(settings: Settings, *, create: bool) -> SetupReport:
    """What is missing; with `create`, Marketo's part is made. Raises the adapters' errors."""
    stamp = None if settings.echo is Echo.USER else settings.links.stamp
    async with Session(salesforce_settings(settings)) as session, MarketoSession(marketo_settings(settings)) as marketo_session:
        salesforce, marketo = SalesforceRest(session, OpenBudget()), MarketoRest(marketo_session, OpenBudget(), BY_HAND_SECONDS)
        rules = build(settings)
        plan = plan_setup(rules, await survey(salesforce, marketo, sorts(settings)), stamp=stamp)
        types, objects = await plan_types(rules, marketo), await plan_objects(rules, marketo)
        if create:
            await create_fields(marketo, plan.marketo)
            await create_types(marketo, types)
            await create_objects(marketo, objects)
    made = create or not (plan.marketo or types or objects)
    words = (*(each.words for each in types), *(each.words for each in objects))
    complete = made and not plan.for_admin
    steps = addresses(settings.flow_steps)
    return SetupReport(marketo=plan.marketo, types=words, created=create, for_admin=plan.for_admin, complete=complete, flow_steps=steps)


async def offers_of(settings: Settings) -> tuple[Offer, ...]:
    """All fields of both systems against the mapping, as they are now. Raises the adapters' errors."""
    describes = await described(settings)
    known = await _remembered(settings)
    return tuple(_with_news(each, known) for each in offers(build(settings, describes, unseen=True), describes))


def _with_news(offer: Offer, known: Knowledge) -> Offer:
    told = known.get((System(offer.system), Object(offer.object), offer.field))
    words, since = news(told) if told is not None else ("", 0)
    return replace(offer, news=words, news_ms=since)


async def _remembered(settings: Settings) -> Knowledge:
    """What the workers have seen; nothing where there is no ledger (yet)."""
    dsn = settings.postgres.dsn.reveal()
    try:
        connection = await connected(dsn, application_name="tandem-fields")
        try:
            await look_at_migrations(connection, dsn)
            return await recall(connection)
        finally:
            connection.terminate()
    except (Retry, Unprepared):
        return {}


async def _asked(asking: Coroutine[Any, Any, _T]) -> tuple[_T | None, SyncError | None]:
    try:
        return await asking, None
    except SyncError as error:
        return None, error


async def _sung(settings: Settings, session: MarketoSession, rest: MarketoRest, person: str | None) -> Sung:
    patience = Patience(now_ms=lambda: round(time.time() * 1000), monotonic=time.monotonic, sleep=asyncio.sleep)
    return await canary(session, rest, settings.links.stamp, person, patience)


async def custom_of(settings: Settings, *, make: bool) -> Planned:
    """What Marketo's custom objects lack; with `make` it is made, as far as it can be. Raises the adapters' errors."""
    async with Session(salesforce_settings(settings)) as session, MarketoSession(marketo_settings(settings)) as marketo_session:
        salesforce, marketo = SalesforceRest(session, OpenBudget()), MarketoRest(marketo_session, OpenBudget(), BY_HAND_SECONDS)
        plan = await plan_of(settings, salesforce, marketo, await survey(salesforce, marketo, sorts(settings)))
        if make:
            await apply(marketo, plan)
    return plan
