"""The keeper: which shelves it clears up to when, in which steps, and what stops it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from consumers.retention.keeper import Keeper
from consumers.retention.shelf import DAY_MS, LetGo, Shelf, Step
from consumers.troubles.trouble import Grade, Trouble
from streams.wire.errors import Fatal, Retry, SyncError

NOW = 1_700_000_000_000
DEADLINE_SECONDS = 20.0


class Alone:
    """A singleton without rivals, that can be taken away."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self.given = 0

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[asyncio.Event]:
        assert name == "retention"
        self.given += 1
        yield self.lost


class Store:
    """So many things to let go, three a step."""

    def __init__(self, old: int, error: SyncError | None = None) -> None:
        self.old, self.error = old, error
        self.asked: list[tuple[int, int]] = []
        self.taken = asyncio.Event()

    async def let_go(self, before: int, after: int) -> Step:
        self.asked.append((before, after))
        self.taken.set()
        if self.error is not None:
            raise self.error
        gone = min(3, self.old)
        self.old -= gone
        return Step(gone=gone, after=after + gone if gone == 3 else None)


def shelf(name: str, let_go: LetGo, days: int = 30) -> Shelf:
    return Shelf(name=name, days=days, let_go=let_go)


async def soon(_: float) -> None:
    await asyncio.sleep(0)


def keeper(*shelves: Shelf, counts: dict[str, int] | None = None) -> Keeper:
    def pruned(name: str, count: int) -> None:
        if counts is not None:
            counts[name] = counts.get(name, 0) + count

    return Keeper(shelves, Alone(), pruned=pruned, now_ms=lambda: NOW, sleep=soon)


async def test_a_round_clears_each_shelf_in_steps_from_place_to_place_and_counts() -> None:
    counts: dict[str, int] = {}
    decisions, cycles = Store(7), Store(2)
    gone = await keeper(shelf("decisions", decisions.let_go, 90), shelf("cycles", cycles.let_go), counts=counts).round(asyncio.Event())
    assert gone == counts == {"decisions": 7, "cycles": 2}
    assert decisions.asked == [(NOW - 90 * DAY_MS, place) for place in (0, 3, 6)]
    assert cycles.asked == [(NOW - 30 * DAY_MS, 0)]


async def test_what_is_kept_for_ever_is_not_even_looked_at() -> None:
    store = Store(7)
    assert await keeper(shelf("decisions", store.let_go, 0)).round(asyncio.Event()) == {}
    assert store.asked == []


async def test_after_a_step_it_rests_four_times_as_long_as_that_took() -> None:
    rests: list[float] = []
    clock, took = 0.0, iter([0.5, 0.001, 60.0])

    async def slow(before: int, after: int) -> Step:
        nonlocal clock
        clock += next(took)
        return Step(gone=1, after=after + 1 if after < 2 else None)

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    kept = Keeper([shelf("decisions", slow)], Alone(), now_ms=lambda: NOW, monotonic=lambda: clock, sleep=rest)
    await kept.round(asyncio.Event())
    assert rests == pytest.approx([2.0, 0.02, 5.0])


async def test_who_loses_the_right_stops_after_the_step_in_hand() -> None:
    lost = asyncio.Event()
    store, other = Store(30), Store(30)

    async def robbed(before: int, after: int) -> Step:
        lost.set()
        return await store.let_go(before, after)

    assert await keeper(shelf("decisions", robbed), shelf("cycles", other.let_go)).round(lost) == {"decisions": 3, "cycles": 0}
    assert (len(store.asked), other.asked) == (1, [])


async def test_a_shelf_in_trouble_stops_no_other_and_says_so_until_it_is_cleared() -> None:
    now = NOW
    away, fine = Store(3, Retry("PostgreSQL is away")), Store(2)
    kept = Keeper([shelf("decisions", away.let_go), shelf("cycles", fine.let_go)], Alone(), now_ms=lambda: now, sleep=soon)
    assert list(kept.troubles()) == []
    assert await kept.round(asyncio.Event()) == {"cycles": 2}
    told = Trouble(
        where="retention",
        what="decisions older than retention allows can't be removed (PostgreSQL is away)",
        since_ms=NOW,
        grade=Grade.ATTENTION,
    )
    assert list(kept.troubles()) == [told], "it keeps nobody from being ready"
    now, away.error = NOW + 5, Fatal("it refuses.", remedy="Grant it.")
    await kept.round(asyncio.Event())
    assert [(each.since_ms, "it refuses. Grant it." in each.what) for each in kept.troubles()] == [(NOW, True)]
    away.error = None
    await kept.round(asyncio.Event())
    assert list(kept.troubles()) == []


async def test_it_goes_round_until_it_is_stopped_and_takes_the_right_again_when_that_was_lost() -> None:
    store, stop, alone = Store(1), asyncio.Event(), Alone()
    kept = Keeper([shelf("decisions", store.let_go)], alone, now_ms=lambda: NOW, sleep=soon)
    running = asyncio.create_task(kept.run(stop))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await store.taken.wait()
        store.taken.clear()
        alone.lost, taken_away = asyncio.Event(), alone.lost
        taken_away.set()
        await store.taken.wait()
        stop.set()
        await running
    assert alone.given == 2
