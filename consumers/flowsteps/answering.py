"""Marketo is called back: once all of a batch has ended, with the outcome of each person, until it has taken it.

The order of effects: a call is noted with when the next one is due, the call is made, that Marketo has it is noted and its secrets go. A
crash after the call makes another one, which Marketo refuses since its token works once: that is how we know.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import aiohttp
import msgspec
import orjson
import structlog

from consumers.configuration.groups.services import FlowStepSettings
from consumers.errands.store import Callback
from consumers.flowsteps.documents import RECORD
from streams.ground.database import away_is_retry
from streams.ground.pause import pause
from streams.ground.together import together
from streams.wire.errors import Retry

CLAIM = """
update errand_batches set call_at = $1 + $3, calls = calls + 1 where id = any(array(
    select b.id from errand_batches as b
    where b.callback is not null and b.call_at <= $1 and not exists (select from errands as e where e.batch = b.id and e.state = 'open')
    order by b.call_at limit $2 for update of b skip locked
)) returning id, asked_at, callback::text as callback, calls
"""
OUTCOMES = "select asked_person, state, record, code, reason from errands where batch = $1 order by id"
TOLD = "update errand_batches set callback = null, told = $2 where id = $1"
AGAIN = "update errand_batches set call_at = $2, told = $3 where id = $1"

_AT_ONCE, _CALL_SECONDS, _LEASE_MS = 10, 30.0, 60_000
_IDLE_SECONDS, _BACKOFF_MS = 0.5, (1_000, 900_000)
_TAKEN = frozenset({401, 403, 404, 409, 410})
"""A token that was used, or a batch that isn't waited for any more."""
_AGAIN_STATUS = frozenset({408, 425, 429})
_log = structlog.get_logger("consumers.flowsteps")


class Answering:
    """Calls back, until told to stop. Any number of workers may do so."""

    def __init__(self, pool: Any, settings: FlowStepSettings, clock: Callable[[], int]) -> None:
        self._pool, self._clock = pool, clock
        self._give_up_ms = round(settings.give_up_seconds * 1000)
        self._away: str | None = None
        self._untaken: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why nothing can be told now, or why Marketo doesn't take what it is told; None while all is well."""
        return self._away or self._untaken

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, through every outage."""
        timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            while not stop.is_set():
                try:
                    told = await self.round(http)
                    self._away = None
                    if not told:
                        await pause(_IDLE_SECONDS, stop)
                except Retry as error:
                    self._away = str(error)
                    await pause(max(1.0, error.after_seconds), stop)

    async def round(self, http: aiohttp.ClientSession) -> int:
        """Some batches; how many. Raises `Retry` while the database is away."""
        with away_is_retry("look whom Marketo waits for"):
            rows = await self._pool.fetch(CLAIM, self._clock(), _AT_ONCE, _LEASE_MS)
        async with together() as group:
            for row in rows:
                group.create_task(self._answer(http, row))
        return len(rows)

    async def _answer(self, http: aiohttp.ClientSession, row: Any) -> None:
        callback = msgspec.json.decode(row["callback"], type=Callback)
        with away_is_retry("read how errands ended"):
            outcomes = await self._pool.fetch(OUTCOMES, row["id"])
        headers = {"Content-Type": "application/json", "x-api-key": callback.api_key, "x-callback-token": callback.token}
        try:
            body = orjson.dumps(body_of(callback.munchkin_id, outcomes))
            async with http.post(callback.url, data=body, headers=headers, allow_redirects=False) as answer:
                status, problem = answer.status, f"HTTP {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            status, problem = 0, type(error).__name__
        await self._noted(row, status, problem)

    async def _noted(self, row: Any, status: int, problem: str) -> None:
        again = status == 0 or status >= 500 or status in _AGAIN_STATUS
        over = self._clock() - row["asked_at"] > self._give_up_ms
        if again and not over:
            self._untaken = f"Marketo doesn't take the outcome of a flow step ({problem}); it is told again"
            wait = min(_BACKOFF_MS[1], _BACKOFF_MS[0] * 2 ** min(cast("int", row["calls"]) - 1, 20))
            with away_is_retry("note that Marketo is to be told again"):
                await self._pool.execute(AGAIN, row["id"], self._clock() + wait, problem)
            return
        taken = 200 <= status < 300 or (status in _TAKEN and row["calls"] > 1)
        if not taken:
            _log.error("Marketo did not take the outcome of a flow step", batch=row["id"], problem=problem, calls=row["calls"])
        self._untaken = None
        with away_is_retry("note that Marketo was told"):
            await self._pool.execute(TOLD, row["id"], "taken" if taken else f"not taken: {problem}")


def body_of(munchkin_id: str, outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The outcome of each, in Marketo's form. Pure."""
    return {
        "munchkinId": munchkin_id,
        "objectData": [
            {
                "leadData": {"id": int(each["asked_person"])},
                "activityData": {
                    "success": each["state"] == "done",
                    "reason": each["reason"],
                    "errorCode": each["code"],
                    **({RECORD: each["record"]} if each["record"] else {}),
                },
            }
            for each in outcomes
        ],
    }
