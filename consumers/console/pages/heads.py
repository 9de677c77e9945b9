"""What stands above the tables of a page: a picture of what was read, the calls of the day with what waits for them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from consumers.answers.copying import progress_of
from consumers.answers.looking.covering import coverage_of
from consumers.answers.looking.ledger import spent_of
from consumers.console.ground import Ground
from consumers.console.pages.picture import picture
from consumers.ledger.spent import Spent
from consumers.reports.standing.backlog import backlogs
from consumers.reports.standing.budget import delivered, lasts, used
from consumers.reports.standing.health import limiter

_PICTURED_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A template, and what it is told."""

    template: str
    ask: Callable[[Ground], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """The calls of a system's day. `share`: used, of all (0 to 1); `tight`: they won't last, or it takes none now."""

    system: str
    used: int
    limit: int
    share: float
    tight: bool
    words: tuple[str, ...]


async def _pictured(ground: Ground) -> Mapping[str, Any]:
    return {"picture": picture(await coverage_of(ground.settings, hours=_PICTURED_HOURS))}


async def _budgeted(ground: Ground) -> Mapping[str, Any]:
    status, calls = await ground.status(), await spent_of(ground.settings)
    return {
        "backlogs": backlogs(status, ground.drained()),
        "limiter": limiter(status),
        "purses": [purse(each, calls.at_ms) for each in calls.systems],
        "events": delivered(calls.events, calls.at_ms, UTC) if calls.events else "",
        "copy": await progress_of(ground.settings),
    }


def purse(each: Spent, now_ms: int) -> Purse:
    """With its forecast in words, in UTC."""
    return Purse(
        system=each.system,
        used=each.used,
        limit=each.limit,
        share=min(1.0, each.used / each.limit) if each.limit else 0.0,
        tight=bool(each.blocked_ms or each.forecast.used_up_ms is not None),
        words=(used(each, now_ms, UTC), lasts(each, now_ms, UTC)),
    )


PICTURE = Head(template="picture.html", ask=_pictured)
BUDGET = Head(template="budget.html", ask=_budgeted)
