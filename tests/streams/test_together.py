"""Tasks that belong together: nothing outlives its block, nothing fails unseen."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from streams.ground.together import beside, together
from streams.wire.errors import Fatal, Retry


class Lasting:
    """Work that ends only when it is cancelled; its end is noted."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), False

    async def run(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True


async def fail(error: BaseException, after: asyncio.Event | None = None) -> None:
    if after is not None:
        await after.wait()
    raise error


async def started(*works: Coroutine[Any, Any, None]) -> None:
    async with together() as group:
        for work in works:
            group.create_task(work)


async def test_one_failure_ends_the_others_before_it_is_raised() -> None:
    lasting = Lasting()
    with pytest.raises(Retry, match="away"):
        await started(lasting.run(), fail(Retry("away"), lasting.begun))
    assert lasting.ended


async def test_of_several_failures_the_one_a_person_must_see_is_raised() -> None:
    with pytest.raises(Fatal):
        await started(fail(Retry("away")), fail(Fatal("wrong secret")))
    with pytest.raises(ZeroDivisionError):
        await started(fail(Retry("away")), fail(Fatal("wrong secret")), fail(ZeroDivisionError()))


async def test_a_failure_of_the_block_itself_ends_its_tasks() -> None:
    lasting = Lasting()

    async def block() -> None:
        async with together() as group:
            group.create_task(lasting.run())
            await lasting.begun.wait()
            raise KeyError

    with pytest.raises(KeyError):
        await block()
    assert lasting.ended


async def test_cancelling_the_block_cancels_its_tasks() -> None:
    lasting = Lasting()
    work = asyncio.create_task(beside(asyncio.Event().wait(), lasting.run()))
    await lasting.begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert lasting.ended


async def test_what_runs_beside_ends_with_the_work() -> None:
    lasting = Lasting()

    async def work() -> int:
        await lasting.begun.wait()
        return 7

    assert await beside(work(), lasting.run()) == 7
    assert lasting.ended


async def test_what_fails_beside_ends_the_work_with_its_error() -> None:
    lasting = Lasting()
    with pytest.raises(ZeroDivisionError):
        await beside(lasting.run(), fail(ZeroDivisionError(), lasting.begun))
    assert lasting.ended


async def test_what_is_done_beside_leaves_the_work_alone() -> None:
    release = asyncio.Event()

    async def done() -> None:
        release.set()

    assert await beside(release.wait(), done())
