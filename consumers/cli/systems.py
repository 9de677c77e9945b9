"""The commands that ask both systems: check and setup."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from consumers.canary import Patience, Sung, canary
from consumers.check import Finding, Level, LinkField, compare
from consumers.configuration import Settings
from consumers.configuration_settings import Echo
from consumers.configuration_systems import marketo_settings, salesforce_settings
from consumers.defaults import build
from consumers.describes import Describes
from consumers.setup_fields import create_fields, plan_setup
from consumers.survey import stream_fields, survey
from streams.budget_open import OpenBudget
from streams.errors import SyncError
from streams.marketo.rest import MarketoRest
from streams.marketo.session import MarketoSession
from streams.salesforce.rest import SalesforceRest
from streams.salesforce.session import Session
from streams.systems import Object
from streams.together import together


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
    unreachable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupReport:
    """What is missing, or was made. `complete`: nothing is left to do."""

    marketo: tuple[LinkField, ...] = ()
    created: bool = False
    for_admin: tuple[str, ...] = field(default_factory=tuple)
    complete: bool = False


async def check_of(settings: Settings, *, canary: bool, canary_id: str | None) -> CheckReport:
    """Both systems compared with the configuration; a system that can't be reached is told, not raised."""
    async with Session(salesforce_settings(settings)) as session, MarketoSession(marketo_settings(settings)) as marketo_session:
        salesforce, marketo = SalesforceRest(session, OpenBudget()), MarketoRest(marketo_session, OpenBudget())
        async with together() as group:
            asked = group.create_task(_user("Salesforce", session.user_id())), group.create_task(_user("Marketo", marketo_session.user()))
        users = [task.result() for task in asked]
        unreachable = tuple(each.error for each in users if each.error)
        if unreachable:
            return CheckReport(unreachable=unreachable)
        try:
            describes = await survey(salesforce, marketo)
            report = _compared(settings, describes, await stream_fields(salesforce))
            report = replace(report, salesforce_user=users[0].name, marketo_user=users[1].name)
            if canary:
                report = replace(report, canary=await _sung(settings, marketo_session, marketo, canary_id))
        except SyncError as error:
            return CheckReport(unreachable=(str(error),))
    return report


async def setup_of(settings: Settings, *, create: bool) -> SetupReport:
    """What is missing; with `create`, Marketo's part is made. Raises the adapters' errors."""
    stamp = None if settings.echo is Echo.USER else settings.links.stamp
    async with Session(salesforce_settings(settings)) as session, MarketoSession(marketo_settings(settings)) as marketo_session:
        salesforce, marketo = SalesforceRest(session, OpenBudget()), MarketoRest(marketo_session, OpenBudget())
        plan = plan_setup(build(settings), await survey(salesforce, marketo), stamp=stamp)
        if create:
            await create_fields(marketo, plan.marketo)
    made = create or not plan.marketo
    return SetupReport(marketo=plan.marketo, created=create, for_admin=plan.for_admin, complete=made and not plan.for_admin)


@dataclass(frozen=True, slots=True, kw_only=True)
class _User:
    name: str = ""
    error: str = ""


async def _user(system: str, asking: Coroutine[Any, Any, str]) -> _User:
    try:
        return _User(name=await asking)
    except SyncError as error:
        return _User(error=f"{system} can't be reached: {error}")


def _compared(settings: Settings, describes: Describes, streamed: Mapping[Object, frozenset[str] | None]) -> CheckReport:
    rules = build(settings, describes)
    findings = compare(rules, describes, streamed)
    return CheckReport(
        findings=findings,
        problems=sum(each.level is Level.PROBLEM for each in findings),
        warnings=sum(each.level is Level.WARNING for each in findings),
        notes=sum(each.level is Level.NOTE for each in findings),
        fields=sum(len(mapping.fields) for mapping in rules.objects.values()),
    )


async def _sung(settings: Settings, session: MarketoSession, rest: MarketoRest, person: str | None) -> Sung:
    patience = Patience(now_ms=lambda: round(time.time() * 1000), monotonic=time.monotonic, sleep=asyncio.sleep)
    return await canary(session, rest, settings.links.stamp, person, patience)
