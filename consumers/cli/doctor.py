"""What `tandem doctor` examines: all that `tandem check` compares, and whatever else Tandem lives on, each with what helps.

`check` is what is asked before anything runs: does the configuration fit both systems. The doctor is asked when something is not as it
should be: it needs a ledger, and looks at topics, clocks, quotas, workers and what waits for people, too.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from consumers.answers.looking.ledger import status_of
from consumers.cli.systems import CheckReport, check_of
from consumers.configuration.loading import Settings
from consumers.configuration.systems import marketo_settings, salesforce_settings
from consumers.fitting.check import Finding, Level
from consumers.reports.standing.status import Status
from consumers.troubles.trouble import Grade
from streams.budget.open import OpenBudget
from streams.ground.database import away_is_retry, connected
from streams.ground.together import together
from streams.marketo.api.calling import BY_HAND_SECONDS
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.errors import SyncError

CLOCK_MS = 5_000
"""Clocks that differ by less are of no account: `newest` compares with this tolerance, unless configured otherwise."""
SCARCE = 0.9
"""Of a day's calls: when so much is used, it is said."""


class State(StrEnum):
    """How one thing is."""

    FINE = "fine"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One thing that was looked at. `remedy`: what helps, where it isn't fine."""

    what: str
    state: State
    told: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that was looked at. `refused`: wrong credentials; `unreachable`: something does not answer."""

    examined: tuple[Examined, ...]
    refused: bool
    unreachable: bool

    @property
    def problems(self) -> int:
        """How many things need somebody."""
        return sum(each.state is State.PROBLEM for each in self.examined)


async def diagnosis_of(settings: Settings) -> Diagnosis:
    """Everything looked at once; what can't be asked is told, not raised."""
    async with together() as group:
        checking = group.create_task(check_of(settings, canary=False, canary_id=None))
        ticking, standing = group.create_task(_clocks(settings)), group.create_task(_standing(settings))
    report, clocks, status = checking.result(), ticking.result(), standing.result()
    examined = [
        Examined(what="configuration", state=State.FINE, told="it can be read, and every key of it is known"),
        *systems(report),
        *fields(report),
        *clock_differences(clocks),
        *(quotas(status) if isinstance(status, Status) else ()),
        *(standing_of(status) if isinstance(status, Status) else (_failed("status", status),)),
    ]
    return Diagnosis(examined=tuple(examined), refused=bool(report.refused), unreachable=bool(report.unreachable))


def systems(report: CheckReport) -> list[Examined]:
    """Credentials, and what Tandem stands on: the database with its migrations, Kafka with its topics."""
    found = [
        Examined(what="credentials", state=State.PROBLEM, told=each, remedy="mend the credentials, or what that user is allowed to do")
        for each in report.refused
    ]
    found += [
        Examined(what="connections", state=State.PROBLEM, told=each, remedy="start it, or mend its address in the configuration")
        for each in report.unreachable
    ]
    if report.salesforce_user:
        told = f"signed in as {report.salesforce_user} (Salesforce) and {report.marketo_user} (Marketo)"
        found.append(Examined(what="credentials", state=State.FINE, told=told))
    steps = [each for each in report.findings if not each.object]
    found += [Examined(what="database and topics", state=State.PROBLEM, told=each.message, remedy=each.remedy) for each in steps]
    if not steps and not report.unreachable:
        found.append(Examined(what="database and topics", state=State.FINE, told="every migration and every topic is there"))
    return found


def fields(report: CheckReport) -> list[Examined]:
    """Permissions, types, lengths, the selection of the change stream: as `tandem check` compares them."""
    if not report.fields:
        return []
    found = [_finding(each) for each in report.findings if each.object and each.level is not Level.NOTE]
    told = f"{report.fields} mapped fields compared with both systems: permissions, types, lengths, the selection of the change stream"
    return [*found, Examined(what="fields and permissions", state=State.FINE, told=told)]


def clock_differences(clocks: Mapping[str, int | str]) -> list[Examined]:
    """By name, how far a clock is ahead of ours (ms), or why it can't be asked."""
    found = []
    for name, ahead in clocks.items():
        if isinstance(ahead, str):
            found.append(Examined(what="clocks", state=State.WARNING, told=f"{name}'s clock can't be asked: {ahead}"))
        elif abs(ahead) > CLOCK_MS:
            told = f"{name}'s clock is {abs(ahead) / 1000:.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
            remedy = "let every machine take its time from the network (NTP); nothing is lost by it, but ages and `newest` are off"
            found.append(Examined(what="clocks", state=State.WARNING, told=told, remedy=remedy))
        else:
            found.append(Examined(what="clocks", state=State.FINE, told=f"{name}'s clock and this machine's agree"))
    return found


def quotas(status: Status) -> list[Examined]:
    """The calls of the day."""
    found = []
    for each in status.spent:
        told = f"{each.used:,} of {each.limit:,} calls of the day are used in {each.system}"
        scarce = each.limit > 0 and each.used > SCARCE * each.limit
        remedy = "see what for: `tandem budget`; allow more calls a day, or rarer polls (intervals)" if scarce else ""
        found.append(Examined(what="quotas", state=State.WARNING if scarce else State.FINE, told=told, remedy=remedy))
    return found


def standing_of(status: Status) -> list[Examined]:
    """What the workers say is wrong, and what waits for people."""
    found = [
        Examined(
            what=each.where,
            state=State.PROBLEM if each.grade is Grade.DEGRADED else State.WARNING,
            told=each.what,
            remedy="" if "tandem " in each.what else "`tandem status --all` tells more",
        )
        for each in status.troubles
    ]
    return found or [Examined(what="workers", state=State.FINE, told="all are at work, and nothing waits for a person")]


async def _clocks(settings: Settings) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    async with Session(salesforce_settings(settings)) as session, MarketoSession(marketo_settings(settings)) as marketo_session:
        salesforce, marketo = SalesforceRest(session, OpenBudget()), MarketoRest(marketo_session, OpenBudget(), BY_HAND_SECONDS)
        asking: dict[str, Callable[[], Awaitable[int]]] = {
            "Salesforce": salesforce.server_time,
            "Marketo": partial(_marketo_time, marketo),
            "the database": partial(_database_time, settings),
        }
        for name, ask in asking.items():
            begun = time.time() * 1000
            try:
                found[name] = round(await ask() - (begun + time.time() * 1000) / 2)
            except SyncError as error:
                found[name] = str(error)
    return found


async def _marketo_time(marketo: MarketoRest) -> int:
    return (await marketo.paging_token(round(time.time() * 1000) - CLOCK_MS)).server_ms


async def _database_time(settings: Settings) -> int:
    connection = await connected(settings.postgres.dsn.reveal(), application_name="tandem-doctor")
    try:
        with away_is_retry("ask the database for its clock"):
            told: int = await connection.fetchval("select (extract(epoch from clock_timestamp()) * 1000)::bigint")
        return told
    finally:
        connection.terminate()


async def _standing(settings: Settings) -> Status | SyncError:
    try:
        return await status_of(settings)
    except SyncError as error:
        return error


def _failed(what: str, error: SyncError) -> Examined:
    return Examined(what=what, state=State.PROBLEM, told=str(error), remedy=getattr(error, "remedy", ""))


def _finding(each: Finding) -> Examined:
    state = State.PROBLEM if each.level is Level.PROBLEM else State.WARNING
    where = f"{each.object} {each.field}".strip()
    return Examined(what="fields and permissions", state=state, told=f"{where}: {each.message}", remedy=each.remedy)


def worst_first(examined: Sequence[Examined]) -> list[Examined]:
    """Problems first, what is fine last; else in their order."""
    order = [State.PROBLEM, State.WARNING, State.FINE]
    return sorted(examined, key=lambda each: order.index(each.state))
