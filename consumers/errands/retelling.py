"""Retelling: activities of Marketo that the configuration names become tasks in Salesforce, each once: errands under the activity's name.

Only for people who are in Salesforce then, and only what happens from the first start on: nothing can be taken back. A stretch of the log
is read again and again, since activities arrive late; what was asked for before is no second errand. The order of effects: a page is
asked for (one commit), then the next one is read, and in the end the place is saved. A crash between any two is a repeat.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from hashlib import blake2b
from typing import Any, Protocol

import structlog

from consumers.errands.errand import CreateTask
from consumers.errands.store import Asked
from consumers.ledger.port import Ledger
from consumers.merge.lives.wanted import is_in_salesforce
from streams.budget.port import Lane
from streams.ground.pause import pause
from streams.marketo.api.rest import ACTIVITY_TYPES_MAX, MarketoRest
from streams.relay.positions import Positions
from streams.relay.singleton import Singleton
from streams.wire.errors import Fatal, Reject, Retry
from streams.wire.systems import MARKETO, PERSON

NAME = "marketo.retold"
_SUBJECT_MAX, _COMMENTS_MAX, _KNOWN_MAX = 255, 4_000, 50_000
_OVERLAP_MS = 600_000
"""How far behind what has been read activities are still waited for: some are committed after their date."""
_log = structlog.get_logger("consumers.errands")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retold:
    """What is retold, and how. `subject`: with `{type}` and `{primary}` for the activity's type and what it is about."""

    types: tuple[str, ...]
    subject: str
    status: str
    zone: tzinfo
    own: frozenset[str] = frozenset()
    """Types that Tandem writes itself: they tell of tasks, and are never told back."""


class Keeping(Protocol):
    """Where errands are asked for."""

    async def ask(self, name: str, asked_by: str, errands: Sequence[Asked], now: int) -> bool:
        """As `Store`."""
        ...


class Retelling:
    """Reads the log of one instance. `trouble`: why something is not retold; None while all is well."""

    def __init__(
        self, rest: MarketoRest, store: Keeping, ledger: Ledger, positions: Positions, retold: Retold, *, clock: Callable[[], int]
    ) -> None:
        self._rest, self._store, self._ledger, self._positions = rest, store, ledger, positions
        self._retold, self._clock = retold, clock
        self._known: OrderedDict[str, None] = OrderedDict()
        self.trouble: str | None = None

    async def run(self, singleton: Singleton, seconds: float, stop: Any) -> None:
        """A walk every so many seconds until `stop`, through every outage; one worker at a time does."""
        while not stop.is_set():
            try:
                async with singleton.hold(NAME) as lost:
                    while not stop.is_set() and not lost.is_set():
                        await self.walk()
                        await pause(seconds, stop)
            except (Retry, Reject, Fatal) as error:
                self.trouble = str(error)
                _log.warning("activities are not retold", error=str(error))
                await pause(max(seconds, getattr(error, "after_seconds", 0.0)), stop)

    async def walk(self) -> int:
        """From where the last one ended, less the overlap, to the end of the log; how many tasks were asked for. The first one asks for
        none: it only notes from when on."""
        standing = await self._positions.take(NAME)
        types = await self._types()
        started = self._clock()
        token = await self._rest.paging_token(max(0, int(standing.position) - _OVERLAP_MS) if standing.position else started, Lane.REPAIR)
        asked = 0
        if standing.position:
            since = int(standing.feed_ms or 0)
            for start in range(0, len(types), ACTIVITY_TYPES_MAX):
                asked += await self._pages(token.token, dict(list(types.items())[start : start + ACTIVITY_TYPES_MAX]), since)
        server_ms = token.server_ms or started
        await self._positions.save(standing, str(server_ms), standing.feed_ms or server_ms, caught_up=True)
        return asked

    async def _pages(self, token: str, types: dict[int, str], since: int) -> int:
        asked, more = 0, True
        while more:
            page = await self._rest.activities(token, list(types), Lane.REPAIR)
            token, more = page.token, page.more
            asked += await self._ask([row for row in page.rows if isinstance(row, dict)], types, since)
        return asked

    async def _ask(self, rows: Sequence[dict[str, Any]], types: dict[int, str], since: int) -> int:
        told = [(row, guid) for row in rows if (guid := str(row.get("marketoGUID") or row.get("id") or "")) and guid not in self._known]
        told = [(row, guid) for row, guid in told if _at_ms(row) >= since]
        people = await self._ledger.states(MARKETO, PERSON, sorted({str(row.get("leadId")) for row, _ in told})) if told else {}
        errands = [
            Asked(name=f"activity/{guid}", person=str(row["leadId"]), request=task_of(row, types, self._retold))
            for row, guid in told
            if (state := people.get(str(row.get("leadId")))) is not None and is_in_salesforce(state)
        ]
        if errands:
            digest = blake2b(" ".join(each.name for each in errands).encode(), digest_size=12).hexdigest()
            await self._store.ask(f"activities/{digest}", "activities_to_tasks", errands, self._clock())
        for _, guid in told:
            self._known[guid] = None
        while len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return len(errands)

    async def _types(self) -> dict[int, str]:
        """Those that are chosen and there, by number."""
        there = {each.name: each.id for each in await self._rest.activity_types(Lane.REPAIR)}
        missing = [name for name in self._retold.types if name not in there]
        own = [name for name in self._retold.types if name in self._retold.own]
        told = [f"Marketo has no type of activities called {', '.join(missing)}"] if missing else []
        told += [f"{', '.join(own)}: Tandem writes these itself, so they are not told back"] if own else []
        self.trouble = f"activities_to_tasks.types: {'; '.join(told)}" if told else None
        return {there[name]: name for name in self._retold.types if name in there and name not in own}


def task_of(row: dict[str, Any], types: dict[int, str], retold: Retold) -> CreateTask:
    """The task that tells of an activity. Pure."""
    kind, primary = types.get(int(row.get("activityTypeId") or 0), ""), str(row.get("primaryAttributeValue") or "")
    subject = retold.subject.replace("{type}", kind).replace("{primary}", primary).strip(" :-")
    told = [f"{each.get('name')}: {each.get('value')}" for each in row.get("attributes") or () if isinstance(each, dict)]
    at_ms = _at_ms(row)
    due = datetime.fromtimestamp(at_ms / 1000, retold.zone).date().isoformat() if at_ms else ""
    return CreateTask(subject=(subject or kind)[:_SUBJECT_MAX], due=due, status=retold.status, comments="\n".join(told)[:_COMMENTS_MAX])


def _at_ms(row: dict[str, Any]) -> int:
    with suppress(ValueError, TypeError):
        return round(datetime.fromisoformat(str(row.get("activityDate"))).timestamp() * 1000)
    return 0
