"""The relay on fakes in memory: order of effects, crashes between any two, gaps, errors, terms of office."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from streams.relay.positions import OpenGap, Standing, TakenOver
from streams.relay.publisher import Published
from streams.relay.relay import FATAL_SECONDS, Relay
from streams.wire.errors import Fatal, Gap, Reject, Retry, SyncError
from streams.wire.events import Batch, ChangeEvent, DeadLetter, Happened
from streams.wire.systems import LEAD, System


class Crash(BaseException):
    """The process is gone."""


class World:
    """What outlives a process: the topic, the positions, the gaps; and a fuse that blows at the n-th effect."""

    def __init__(self, fuse: int | None = None) -> None:
        self.fuse = fuse
        self.effects: list[str] = []
        self.topic: list[int] = []
        self.dead: list[DeadLetter] = []
        self.position: str | None = None
        self.feed_ms: int | None = None
        self.epoch = 0
        self.gaps: list[OpenGap] = []
        self.announced: list[OpenGap] = []
        self.lock = asyncio.Lock()

    def effect(self, name: str) -> None:
        self.effects.append(name)
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.fuse = None
                raise Crash

    def announce(self, gap: OpenGap) -> None:
        self.effect("announce")
        self.announced.append(gap)


class MemoryPublisher:
    def __init__(self, world: World) -> None:
        self.world = world
        self.trouble: str | None = None
        self.closed = False
        self.hold: asyncio.Event | None = None
        self.publishing = asyncio.Event()

    async def publish(self, events: Sequence[ChangeEvent], dead: Sequence[DeadLetter] = ()) -> Published:
        self.publishing.set()
        if self.hold is not None:
            await self.hold.wait()
        for event in events:
            self.world.effect("send")
            self.world.topic.append(event.at)
        self.world.dead += dead
        self.world.effect("acknowledge")
        return Published(events=len(events), dead=len(dead))

    async def close(self) -> None:
        self.closed = True


class MemoryPositions:
    def __init__(self, world: World) -> None:
        self.world = world
        self.fail: list[SyncError] = []

    def _check(self, standing: Standing) -> None:
        if self.fail:
            raise self.fail.pop(0)
        if standing.epoch != self.world.epoch:
            raise TakenOver("somebody else")

    async def take(self, source: str) -> Standing:
        if self.fail:
            raise self.fail.pop(0)
        self.world.epoch += 1
        return Standing(source=source, epoch=self.world.epoch, position=self.world.position, feed_ms=self.world.feed_ms)

    async def save(self, standing: Standing, position: str, feed_ms: int | None, *, caught_up: bool = False) -> None:
        self._check(standing)
        self.world.effect("save")
        self.world.position, self.world.feed_ms = position, feed_ms

    async def open_gap(self, standing: Standing, gap: OpenGap, resume: str | None) -> OpenGap:
        self._check(standing)
        self.world.effect("open gap")
        opened = replace(gap, id=len(self.world.gaps) + 1)
        self.world.gaps.append(opened)
        self.world.position = resume
        return opened

    async def open_gaps(self, source: str = "") -> list[OpenGap]:
        return list(self.world.gaps)

    async def close_gap(self, gap_id: int) -> None:
        self.world.gaps = [gap for gap in self.world.gaps if gap.id != gap_id]


class MemorySingleton:
    def __init__(self, world: World) -> None:
        self.world = world
        self.lost = asyncio.Event()

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[asyncio.Event]:
        async with self.world.lock:
            self.lost = asyncio.Event()
            yield self.lost


class Numbers:
    """Yields 0, 1, 2 ... in batches; position = the next number; fails as the script says; then waits or ends."""

    def __init__(self, count: int, *, size: int = 3, ends: bool = True) -> None:
        self.name = "numbers"
        self.count, self.size, self.ends = count, size, ends
        self.errors: dict[int, list[SyncError]] = {}
        self.dead: list[DeadLetter] = []
        self.started: list[str | None] = []
        self.closed = 0

    def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        self.started.append(position)
        return self._batches(int(position or 0))

    async def _batches(self, start: int) -> AsyncGenerator[Batch, None]:
        try:
            while start < self.count:
                if self.errors.get(start):
                    raise self.errors[start].pop(0)
                until = min(start + self.size, self.count)
                yield Batch(events=[number(n) for n in range(start, until)], position=str(until), dead=self.dead)
                start = until
            if not self.ends:
                await asyncio.Event().wait()
        finally:
            self.closed += 1


class Waits:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def number(n: int) -> ChangeEvent:
    return ChangeEvent(system=System.SALESFORCE, object=LEAD, id="1", kind=Happened.UPDATED, source="cdc", at=n)


class Bench:
    """A relay with its fakes."""

    def __init__(self, world: World, source: Numbers) -> None:
        self.world, self.source = world, source
        self.publisher, self.positions, self.singleton = MemoryPublisher(world), MemoryPositions(world), MemorySingleton(world)
        self.waits = Waits()
        self.relay = Relay(source, self.publisher, self.positions, self.singleton, on_gap=world.announce, wait=self.waits)
        self.stop = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.timeout(10):
            await self.relay.run(self.stop)


async def reached(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_everything_arrives_in_order_and_the_position_follows() -> None:
    world = World()
    bench = Bench(world, Numbers(7))
    await bench.run()
    assert world.topic == list(range(7))
    assert (world.position, world.feed_ms) == ("7", 6)
    assert world.effects.index("save") > world.effects.index("acknowledge") > world.effects.index("send")
    assert bench.publisher.closed
    assert bench.source.closed == 1
    assert bench.relay.state == "stopped"


async def run_through_crashes(world: World, source: Callable[[], Numbers]) -> int:
    """Start again after each crash till the source ends; how many processes it took."""
    for process in range(1, 10):
        try:
            await Bench(world, source()).run()
        except Crash:
            continue
        return process
    raise AssertionError("never ends")


@pytest.mark.parametrize("fuse", range(14))
async def test_a_crash_between_any_two_effects_repeats_but_never_loses(fuse: int) -> None:
    world = World(fuse)
    processes = await run_through_crashes(world, lambda: Numbers(7))
    assert sorted(set(world.topic)) == list(range(7))
    assert world.position == "7"
    firsts = list(dict.fromkeys(world.topic))
    assert firsts == list(range(7)), "whatever is repeated, nothing comes before what was before it"
    effects_in_all = 7 + 3 + 3
    assert processes == (2 if fuse < effects_in_all else 1)


@pytest.mark.parametrize("fuse", range(10))
async def test_a_crash_around_a_gap_leaves_it_recorded_and_announced(fuse: int) -> None:
    world = World(fuse)
    gap: list[SyncError] = [Gap("replay id expired", since_ms=77, resume="5", object="lead")]

    def source() -> Numbers:
        numbers = Numbers(7)
        if not world.gaps:
            numbers.errors[3] = gap[:]
        return numbers

    await run_through_crashes(world, source)
    assert len(world.gaps) == 1
    assert world.announced
    assert {(gap.since_ms, gap.object, gap.id) for gap in world.announced} == {(77, "lead", 1)}
    assert sorted(set(world.topic)) == [0, 1, 2, 5, 6]
    assert world.position == "7"


async def test_a_gap_of_unknown_beginning_reaches_back_to_the_last_change() -> None:
    world = World()
    source = Numbers(9)
    source.errors[6] = [Gap("token lost")]
    await Bench(world, source).run()
    assert world.gaps[0].since_ms == 5
    assert source.started == [None, None], "from the source's beginning"


async def test_a_gap_before_anything_was_read_means_everything() -> None:
    world = World()
    source = Numbers(3)
    source.errors[0] = [Gap("token lost")]
    await Bench(world, source).run()
    assert world.gaps[0].since_ms == 0


async def test_gaps_without_end_do_not_spin() -> None:
    source = Numbers(3)
    source.errors[0] = [Gap("again", resume="0") for _ in range(5)]
    bench = Bench(World(), source)
    await bench.run()
    assert len(bench.waits.seconds) == 4
    assert bench.waits.seconds == sorted(bench.waits.seconds)


async def test_a_gap_that_cant_be_recorded_is_recorded_later_and_not_forgotten() -> None:
    world = World()
    bench = Bench(world, Numbers(6))
    bench.source.errors[3] = [Gap("expired", since_ms=1, resume="4")]
    open_gap = bench.positions.open_gap
    attempts = 0

    async def flaky(standing: Standing, gap: OpenGap, resume: str | None) -> OpenGap:
        nonlocal attempts
        attempts += 1
        if attempts <= 2:
            raise Retry("PostgreSQL is away")
        return await open_gap(standing, gap, resume)

    bench.positions.open_gap = flaky  # type: ignore[method-assign]
    await bench.run()
    assert attempts == 3
    assert [gap.since_ms for gap in world.gaps] == [1]
    assert sorted(set(world.topic)) == [0, 1, 2, 4, 5]


async def test_retry_waits_as_long_as_it_says_and_goes_on_from_the_saved_position() -> None:
    world = World()
    source = Numbers(6)
    source.errors[3] = [Retry("quota", after_seconds=50.0), Retry("quota")]
    bench = Bench(world, source)
    await bench.run()
    assert world.topic == list(range(6))
    assert 50.0 <= bench.waits.seconds[0] <= 60.0
    assert 1.0 <= bench.waits.seconds[1] <= 3.0
    assert source.started == [None, "3", "3"]
    assert source.closed == 3


@pytest.mark.parametrize("error", [Fatal("no permission", remedy="Grant it."), Reject("bad query", code="MALFORMED_QUERY")])
async def test_what_a_person_must_mend_is_told_and_tried_again_slowly(error: SyncError) -> None:
    source = Numbers(3)
    source.errors[0] = [error]
    bench = Bench(World(), source)
    told: list[str | None] = []

    async def wait(seconds: float) -> None:
        assert seconds >= FATAL_SECONDS
        told.append(bench.relay.trouble())

    bench.relay._wait = wait
    await bench.run()
    assert told == [f"numbers: {error}"]
    assert bench.relay.trouble() is None
    assert bench.world.topic == [0, 1, 2]


async def test_a_save_in_doubt_is_repeated() -> None:
    world = World()
    bench = Bench(world, Numbers(3))
    save = bench.positions.save
    failures = [Retry("no answer")]

    async def doubtful(standing: Standing, position: str, feed_ms: int | None, *, caught_up: bool = False) -> None:
        if failures:
            raise failures.pop()
        await save(standing, position, feed_ms)

    bench.positions.save = doubtful  # type: ignore[method-assign]
    await bench.run()
    assert world.topic == [0, 1, 2, 0, 1, 2]
    assert world.position == "3"


async def test_the_store_away_at_the_start_is_waited_for() -> None:
    bench = Bench(World(), Numbers(3))
    bench.positions.fail = [Retry("away"), Retry("away")]
    await bench.run()
    assert bench.world.topic == [0, 1, 2]
    assert len(bench.waits.seconds) == 2


async def test_stop_lets_the_batch_in_hand_through_and_takes_no_other() -> None:
    world = World()
    bench = Bench(world, Numbers(30, ends=False))
    bench.publisher.hold = asyncio.Event()
    running = asyncio.create_task(bench.run())
    await bench.publisher.publishing.wait()
    bench.stop.set()
    bench.publisher.hold.set()
    await running
    assert (world.topic, world.position) == ([0, 1, 2], "3")
    assert bench.source.closed == 1


async def test_stop_ends_the_wait_for_a_silent_source() -> None:
    bench = Bench(World(), Numbers(3, ends=False))
    running = asyncio.create_task(bench.run())
    await reached(lambda: bench.world.position == "3")
    bench.stop.set()
    await running
    assert bench.source.closed == 1


async def test_stop_ends_a_pause() -> None:
    bench = Bench(World(), Numbers(3))
    bench.source.errors[0] = [Fatal("no")]
    bench.relay._wait = asyncio.sleep
    running = asyncio.create_task(bench.run())
    await reached(lambda: bench.relay.state == "fatal")
    bench.stop.set()
    await running
    assert bench.world.topic == []


async def test_only_one_carries_and_the_next_takes_over_when_it_dies() -> None:
    world = World()
    first, second = Bench(world, Numbers(6, ends=False)), Bench(world, Numbers(9, ends=False))
    running = asyncio.create_task(first.run())
    await reached(lambda: world.position == "6")
    standing_by = asyncio.create_task(second.run())
    await reached(lambda: second.relay.state == "standby")
    assert second.source.started == []
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await reached(lambda: world.position == "9")
    second.stop.set()
    await standing_by
    assert second.source.started == ["6"]
    assert world.topic == list(range(9))


async def test_a_standby_stops_when_told() -> None:
    world = World()
    bench = Bench(world, Numbers(3))
    async with world.lock:
        running = asyncio.create_task(bench.run())
        await reached(lambda: bench.relay.state == "standby")
        bench.stop.set()
        await running
    assert world.topic == []


async def test_a_lost_lock_stops_at_once_and_the_relay_stands_by_again() -> None:
    world = World()
    bench = Bench(world, Numbers(6, ends=False))
    bench.publisher.hold = asyncio.Event()
    running = asyncio.create_task(bench.run())
    await bench.publisher.publishing.wait()
    bench.singleton.lost.set()
    await reached(lambda: bench.source.closed == 1)
    assert (world.topic, world.position) == ([], None)
    bench.publisher.hold = None
    await reached(lambda: world.position == "6")
    bench.stop.set()
    await running
    assert world.epoch == 2


async def test_a_zombie_moves_nothing() -> None:
    world = World()
    bench = Bench(world, Numbers(6, ends=False))
    bench.publisher.hold = asyncio.Event()
    running = asyncio.create_task(bench.run())
    await bench.publisher.publishing.wait()
    world.epoch += 1  # another one has taken over, this one doesn't know yet
    world.position = "100"
    bench.publisher.hold.set()
    await reached(lambda: len(bench.source.started) == 2)
    bench.stop.set()
    await running
    assert world.position == "100"
    assert bench.source.started == [None, "100"]


async def test_dead_letters_go_along() -> None:
    world = World()
    bench = Bench(world, Numbers(3))
    bench.source.dead = [DeadLetter(stage="salesforce.cdc", reason="no id", original=b"{}")]
    await bench.run()
    assert [letter.stage for letter in world.dead] == ["salesforce.cdc"]


async def test_a_defect_is_not_swallowed() -> None:
    bench = Bench(World(), Numbers(3))

    async def defect(events: Sequence[ChangeEvent], dead: Sequence[DeadLetter] = ()) -> Published:
        raise ZeroDivisionError

    bench.publisher.publish = defect  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        await bench.run()
    assert bench.source.closed == 1


async def test_an_ending_source_starts_anew_where_told_to() -> None:
    world = World()
    bench = Bench(world, Numbers(3))
    rounds = 0

    async def wait(seconds: float) -> None:
        nonlocal rounds
        assert seconds == 300.0
        rounds += 1
        bench.source.count += 3
        if rounds == 2:
            bench.stop.set()

    bench.relay._wait, bench.relay._again_seconds = wait, 300.0
    await bench.run()
    assert world.topic == list(range(6))
