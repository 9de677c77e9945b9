"""Who runs a copy: step after step, no faster than what is read is judged, until it is paused, taken over or done."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from consumers.copy.quote import Limits, Matches, quoted
from consumers.copy.running import Plan, Running, Throttled
from consumers.copy.store import Copy, State
from streams.wire.errors import Retry
from streams.wire.events import Batch, ChangeEvent, Happened, Source
from streams.wire.systems import LEAD, SALESFORCE

QUOTE = quoted(
    [], Matches(), Limits(salesforce_left=1, salesforce_day=1, marketo_left=1, marketo_day=1), others_to_marketo=0, since_ms=0, until_ms=1
)  # fmt: skip
_DEADLINE_SECONDS = 60


class Kept:
    """The store, in memory."""

    def __init__(self) -> None:
        self.state, self.trouble = State.RUNNING, ""
        self.done: dict[str, str] = {}

    async def running(self) -> Copy | None:
        copy = Copy(id=1, state=self.state, began_ms=0, ended_ms=None, ran_ms=0, trouble=self.trouble, quote=QUOTE)
        return copy if self.state is State.RUNNING else None

    async def ran(self, number: int, ms: int, trouble: str) -> None:
        self.trouble = trouble

    async def end(self, number: int, now_ms: int) -> None:
        self.state = State.DONE

    async def marks(self) -> dict[str, str]:
        return dict(self.done)


class Named:
    """A source that only has a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        """Nothing: nobody asks."""
        yield Batch(events=[], position="")


class Alone:
    """The only worker."""

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[asyncio.Event]:
        yield asyncio.Event()


class Fleet:
    """Carries sources as far as `carry` says; `carried`: their names, in order."""

    def __init__(self, kept: Kept, carry: Callable[[str, asyncio.Event], Awaitable[bool]]) -> None:
        self.kept, self.carry, self.carried = kept, carry, list[str]()

    def __call__(self, source: Source) -> "Carrier":
        return Carrier(self, source.name)


class Carrier:
    def __init__(self, fleet: Fleet, name: str) -> None:
        self.fleet, self.name = fleet, name

    def trouble(self) -> str | None:
        return None

    async def run(self, stop: asyncio.Event) -> None:
        self.fleet.carried.append(self.name)
        if await self.fleet.carry(self.name, stop):
            self.fleet.kept.done[self.name] = '{"done":true}'


def running(kept: Kept, fleet: Fleet, steps: list[list[Source]], owed: list[bool] | None = None) -> Running:
    left = owed or []

    async def plan(_: Copy) -> Plan:
        return Plan(steps=steps)

    async def none() -> int:
        return 0

    async def owes() -> bool:
        return left.pop(0) if left else False

    return Running(kept, plan, fleet, unjudged=none, owed=owes, now_ms=lambda: 0)


async def until(what: Callable[[], bool], role: Running) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(role.run(Alone(), stop))
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while not what():
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await task


async def test_steps_follow_each_other_and_the_end_waits_for_what_is_owed() -> None:
    kept = Kept()
    kept.done["copy.a"] = '{"done":true}'

    async def whole(_: str, __: asyncio.Event) -> bool:
        return True

    owed = [True, False]
    fleet = Fleet(kept, whole)
    await until(
        lambda: kept.state is State.DONE, running(kept, fleet, [[Named("copy.a")], [Named("copy.b")], [Named("copy.c")]], owed)
    )  # fmt: skip
    assert fleet.carried == ["copy.b", "copy.c"], "what is done isn't read again"
    assert not owed


async def test_a_pause_stops_what_is_under_way_and_the_rest_is_read_after_it() -> None:
    kept = Kept()

    async def waits(name: str, stop: asyncio.Event) -> bool:
        if name == "copy.a" and kept.state is State.RUNNING and len(fleet.carried) == 1:
            kept.state = State.PAUSED
            await stop.wait()
            kept.state = State.RUNNING
            return False
        return True

    fleet = Fleet(kept, waits)
    await until(lambda: kept.state is State.DONE, running(kept, fleet, [[Named("copy.a")], [Named("copy.b")]]))
    assert fleet.carried == ["copy.a", "copy.a", "copy.b"]


async def test_a_source_that_another_worker_took_over_is_no_end_and_said() -> None:
    kept, told = Kept(), list[str]()

    async def lost_once(name: str, _: asyncio.Event) -> bool:
        told.append(kept.trouble)
        return len(fleet.carried) > 1

    fleet = Fleet(kept, lost_once)
    await until(lambda: kept.state is State.DONE, running(kept, fleet, [[Named("copy.a")]]))
    assert fleet.carried == ["copy.a", "copy.a"]
    assert "taken copy.a over" in told[1]


async def test_what_keeps_it_from_beginning_is_said() -> None:
    kept = Kept()

    async def refused(_: Copy) -> Plan:
        if kept.trouble:
            kept.state = State.CANCELLED
        raise Retry("polls have no positions yet")

    async def none() -> int:
        return 0

    async def no() -> bool:
        return False

    async def never(_: str, __: asyncio.Event) -> bool:
        return True

    role = Running(kept, refused, Fleet(kept, never), unjudged=none, owed=no, now_ms=lambda: 0)
    await until(lambda: kept.state is State.CANCELLED, role)
    assert kept.trouble == "polls have no positions yet"


async def test_no_more_is_read_than_is_judged() -> None:
    event = ChangeEvent(system=SALESFORCE, object=LEAD, id="00Q000000000001AAA", kind=Happened.READ, source="copy", at=1, fields={})

    class Two(Named):
        async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
            for each in ("1", "2"):
                yield Batch(events=[event], position=each)

    unjudged, seen = [5, 3, 9, 1], list[tuple[str, int]]()

    async def left() -> int:
        return unjudged.pop(0)

    async for batch in Throttled(Two("copy.a"), left, most=3).batches(None):
        seen.append((batch.position, len(unjudged)))
    assert seen == [("1", 2), ("2", 0)]
