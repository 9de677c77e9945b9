"""Work that goes on until it is told to stop."""

import asyncio

import pytest

from streams.ground.together import until_stopped


async def test_it_ends_with_its_work_and_raises_what_that_raised() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await until_stopped(work(), asyncio.Event())


async def test_what_is_under_way_may_come_to_its_end() -> None:
    stop, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        stop.set()
        await asyncio.sleep(0)
        ended.set()

    await until_stopped(work(), stop, grace_seconds=60.0)
    assert ended.is_set()


@pytest.mark.parametrize("grace", [0.0, 0.01])
async def test_what_does_not_end_is_broken_off(grace: float) -> None:
    stop, broken = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            broken.set()

    await until_stopped(work(), stop, grace_seconds=grace)
    assert broken.is_set()


async def test_whoever_is_cancelled_leaves_nothing_running() -> None:
    broken = asyncio.Event()
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            broken.set()

    running = asyncio.create_task(until_stopped(work(), asyncio.Event()))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert broken.is_set()
