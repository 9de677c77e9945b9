"""What the ledger shows to be wrong: the same list for the readiness of every worker, for status, and for metrics.

Each check costs the same whatever the ledger's size, and asks nothing but the ledger. Another one is a function here or elsewhere,
and a line in `CHECKS`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import synced
from consumers.configuration.mapping.registered import registry_of
from consumers.configuration.systems import limits_of
from consumers.kinds.registry import KINDS
from consumers.mapping.kind import Kind
from consumers.troubles.drift import drift_open
from consumers.troubles.events import events_scarce
from consumers.troubles.gaps import gaps_open
from consumers.troubles.pauses import paused
from consumers.troubles.sources import SOURCES, late, limits_ms
from consumers.troubles.trouble import Grade, Trouble, worst_first
from consumers.troubles.workers import GROUPS, INTAKE, SERVING
from streams.budget.reckoning import day
from streams.budget.reckoning.forecast import Forecast, forecast
from streams.budget.reckoning.limits import Limits
from streams.budget.reckoning.state import BudgetState
from streams.wire.systems import Object, System

_BUDGETS = "select system, state from budgets order by system"
_NAMES = {System.SALESFORCE: "Salesforce", System.MARKETO: "Marketo"}
_LONG_MS = 30_000
"""A refusal for this long is no longer the breath between two windows of calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the configuration lets expect. `limits`: of each system, until the system itself tells."""

    now_ms: int
    poll_seconds: float = 300.0
    activities_max_seconds: float = 15.0
    limits: Mapping[System, Limits]
    objects: Sequence[Object] = ()
    """Those of Salesforce that are polled."""
    groups: Sequence[str] = GROUPS
    """What some worker has to do."""
    kinds: Sequence[Kind] = KINDS
    """Of what records are counted."""


Check = Callable[[Any, Expected], Awaitable[Sequence[Trouble]]]
"""Asks a connection to the ledger what is wrong."""


def expected(settings: Settings, now_ms: int) -> Expected:
    """What is expected under these settings."""
    return Expected(
        now_ms=now_ms,
        poll_seconds=settings.intervals.poll_seconds,
        activities_max_seconds=max(
            settings.intervals.activities_max_seconds, settings.pushes.quiet_seconds if settings.pushes.told else 0.0
        ),
        limits=limits_of(settings),
        groups=(*GROUPS, *((SERVING,) if settings.flow_steps.key else ()), *((INTAKE,) if settings.pushes.served else ())),
        objects=synced(settings),
        kinds=registry_of(settings).kinds,
    )


async def ledger_troubles(connection: Any, expected: Expected) -> tuple[Trouble, ...]:
    """Everything that the ledger shows to be wrong."""
    return worst_first([trouble for check in CHECKS for trouble in await check(connection, expected)])


async def calls_short(connection: Any, expected: Expected) -> list[Trouble]:
    """A system that takes no calls: it said so itself, or the day's are used up."""
    found = []
    for row in await connection.fetch(_BUDGETS):
        system, state = System(row["system"]), msgspec.json.decode(row["state"], type=BudgetState)
        name, now = _NAMES[system], expected.now_ms
        limits = expected.limits[system]
        allowed, kept = day.allowed(state, limits) or 0, day.reserved(state, limits)
        if state.blocked_until > now + _LONG_MS:
            again = min(state.blocked_until, max(state.probe_at, now))
            found.append(Trouble(where=f"calls.{system}", what=f"{name} takes no calls: it says that a limit is reached", again_ms=again))
        elif state.day_used >= allowed and not 0 < state.day_ends <= now:
            others = f", and {kept:,} are left to other applications" if kept else ""
            what = f"{name}'s calls of the day are used up ({state.day_used:,} of {day.whole(state, limits):,}{others})"
            found.append(Trouble(where=f"calls.{system}", what=what, again_ms=state.day_ends or state.probe_at))
    return found


async def calls_scarce(connection: Any, expected: Expected) -> list[Trouble]:
    """A day whose calls last only because edits are gathered, or not even so. All flows, later than it could."""
    found = []
    for row in await connection.fetch(_BUDGETS):
        system, state = System(row["system"]), msgspec.json.decode(row["state"], type=BudgetState)
        told = forecast(state, expected.limits[system], expected.now_ms)
        if told.left and told.used_up_at_once_ms is not None and (told.gather_seconds or told.used_up_ms is not None):
            what = _scarce(_NAMES[system], told, expected.now_ms)
            found.append(Trouble(where=f"calls.{system}", what=what, grade=Grade.ATTENTION))
    return found


def _scarce(name: str, told: Forecast, now_ms: int) -> str:
    gathered = f"edits are gathered for {told.gather_seconds:.1f} s"
    if told.used_up_ms is None:
        return f"{name}'s calls of the day would not last if each edit went at once: {gathered}, and so they last"
    hours = max(0.0, (told.used_up_ms - now_ms) / 3_600_000)
    though = f"though {gathered}" if told.gather_seconds else "since edits are not gathered"
    remedy = "allow more calls a day, longer gathering (settle.gather_at_most) or rarer polls (intervals)"
    return f"{name}'s calls of the day are used up in {hours:.1f} h, {though}: {remedy}"


async def sources_late(connection: Any, expected: Expected) -> list[Trouble]:
    """A source whose position has not been saved for several of its intervals: nobody carries it, or it can't go on."""
    limits = limits_ms(expected.poll_seconds, expected.activities_max_seconds, expected.objects)
    return late(await connection.fetch(SOURCES), now_ms=expected.now_ms, limits_ms=limits)


CHECKS: tuple[Check, ...] = (calls_short, calls_scarce, events_scarce, sources_late, gaps_open, drift_open, paused)
