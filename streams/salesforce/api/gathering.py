"""Reads that several ask for within a moment, sent as one call: up to 25, five of them queries, for one call of the day's.

(REST API guide, composite.) Each comes to what it would have come to alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from streams.budget.port import Lane
from streams.salesforce.api.access.session import Answer
from streams.wire.errors import Fatal, Reject, Retry, SyncError

PARTS_MAX, QUERIES_MAX = 25, 5
CLOCK = "/services/data"
"""Answers without a call of the day's, and can't be part of one: everyone who asks has the same answer."""
GATHER_SECONDS = 0.05
"""So long the first one waits for others: a poll of several objects asks for all of them at the same moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A GET."""

    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def is_query(self) -> bool:
        """Whether it is one of those of which few go into a call."""
        return self.path.endswith(("/query", "/queryAll"))


_Asked = tuple[Part, asyncio.Future[Answer]]
_Together = Callable[[Sequence[Part], Lane], Awaitable[list[Answer | SyncError]]]


class Gathering:
    """Of one org. `together` makes the one call for several parts, `alone` that for a single one; both raise as calls do."""

    def __init__(self, together: _Together, alone: Callable[[Part, Lane], Awaitable[Answer]]) -> None:
        self._together, self._alone = together, alone
        self._asked: dict[Lane, list[_Asked]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def answer(self, part: Part, lane: Lane) -> Answer:
        """What this part is answered. Raises as if it had been sent alone."""
        told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if lane not in self._asked:
            self._asked[lane] = []
            self._begin(self._soon(lane))
        self._asked[lane].append((part, told))
        return await told

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _soon(self, lane: Lane) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        for some in shared_out([each for each in self._asked.pop(lane) if not each[1].done()]):
            self._begin(self._sent(some, lane))

    async def _sent(self, some: Sequence[_Asked], lane: Lane) -> None:
        """One call, and everyone is told what it came to."""
        try:
            if len(some) == 1 or some[0][0].path == CLOCK:
                found: Sequence[Answer | SyncError] = [await self._alone(some[0][0], lane)] * len(some)
            else:
                found = await self._together([part for part, _ in some], lane)
        except (Reject, Fatal) as error:
            if len(some) == 1:
                _tell(some, [error])
            for each in some if len(some) > 1 else ():  # they may not be asked for together: then one by one
                self._begin(self._sent([each], lane))
        except BaseException as error:  # noqa: BLE001 - whoever waits is told, whatever it is
            _tell(some, [error] * len(some))
        else:
            _tell(some, found)


def _tell(some: Sequence[_Asked], found: Sequence[Answer | BaseException]) -> None:
    for (_, told), each in zip(some, found, strict=True):
        if told.done():
            continue
        if isinstance(each, Answer):
            told.set_result(each)
        elif isinstance(each, asyncio.CancelledError):
            told.cancel()
        else:
            told.set_exception(each)


def shared_out(asked: Sequence[_Asked]) -> list[list[_Asked]]:
    """As few calls as it takes, with what was asked for in its order. The clock has one of its own."""
    clocks = [each for each in asked if each[0].path == CLOCK]
    calls: list[list[_Asked]] = []
    queries = 0
    for each in asked:
        if each[0].path == CLOCK:
            continue
        queries += each[0].is_query
        if not calls or len(calls[-1]) == PARTS_MAX or queries > QUERIES_MAX:
            calls.append([])
            queries = int(each[0].is_query)
        calls[-1].append(each)
    return [clocks, *calls] if clocks else calls


def told_together(parts: Sequence[Part]) -> bytes:
    """The body of the call. Its parts are done in their order: rows asked for before deletions are read before them."""
    told = [
        {"method": "GET", "url": f"{part.path}?{urlencode(part.params)}", "referenceId": f"r{place}", "httpHeaders": dict(part.headers)}
        for place, part in enumerate(parts)
    ]
    return orjson.dumps({"allOrNone": False, "collateSubrequests": False, "compositeRequest": told})


def parts_in(whole: Answer, count: int) -> list[Answer]:
    """The answers to the parts, in their order. Raises `Retry` where these are none."""
    try:
        told = {each["referenceId"]: each for each in orjson.loads(whole.body)["compositeResponse"]}
        found = [told[f"r{place}"] for place in range(count)]
        return [
            Answer(status=int(each["httpStatusCode"]), headers={}, body=orjson.dumps(each["body"]), at=whole.at, until=whole.until)
            for each in found
        ]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise Retry(f"Salesforce composite: the answer can't be read ({type(error).__name__})", after_seconds=2.0) from error
