"""Roles under supervision: restarted, stopped together, ended for good."""

import asyncio
import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from consumers.worker.process.roles import Role, Supervisor
from streams.wire.errors import Fatal


class Script:
    """A role that does, each time it is run, the next thing told; then waits for the stop."""

    def __init__(self, *steps: BaseException | None) -> None:
        self.steps = list(steps)
        self.runs = 0
        self.running = asyncio.Event()

    async def __call__(self, stop: asyncio.Event) -> None:
        self.runs += 1
        if self.steps:
            step = self.steps.pop(0)
            if step is None:
                return
            raise step
        self.running.set()
        await stop.wait()


class Waits:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def test_a_failing_role_is_started_again_ever_more_slowly_and_the_others_go_on() -> None:
    failing, steady, waits, restarted = Script(*[ValueError("x")] * 12), Script(), Waits(), list[str]()
    roles = [Role(name="failing", run=failing), Role(name="steady", run=steady)]
    supervisor = Supervisor(roles, restarted=restarted.append, wait=waits)
    with capture_logs():  # printing twelve failures for a person, each with its values, takes many seconds on a busy machine
        supervisor.start()
        async with asyncio.timeout(10):
            await failing.running.wait()
    async with asyncio.timeout(10):
        assert await supervisor.stop() == []
    assert (failing.runs, steady.runs) == (13, 1)
    assert restarted == ["failing"] * 12
    assert all(0.5 <= seconds <= 60.0 for seconds in waits.seconds)
    assert waits.seconds[0] <= 1.0


async def test_a_failure_is_told_until_the_role_runs_again() -> None:
    gate = asyncio.Event()

    async def wait(_: float) -> None:
        await gate.wait()

    role = Script(ValueError("no such column"))
    supervisor = Supervisor([Role(name="observe", run=role)], wait=wait)
    assert supervisor.unready() == {"observe": "not started yet"}
    supervisor.start()
    async with asyncio.timeout(10):
        while "no such column" not in supervisor.unready().get("observe", ""):
            await asyncio.sleep(0)
        gate.set()
        await role.running.wait()
        assert supervisor.unready() == {}
        await supervisor.stop()


async def test_a_role_says_itself_why_it_is_not_ready() -> None:
    role = Script()
    supervisor = Supervisor([Role(name="relay", run=role, ready=lambda: "Kafka is away")])
    supervisor.start()
    async with asyncio.timeout(10):
        await role.running.wait()
        assert supervisor.unready() == {"relay": "Kafka is away"}
        await supervisor.stop()


async def test_fatal_ends_everything_with_its_error() -> None:
    steady = Script()
    supervisor = Supervisor([Role(name="bad", run=Script(Fatal("wrong", remedy="Mend it."))), Role(name="steady", run=steady)])
    supervisor.start()
    async with asyncio.timeout(10):
        await supervisor.ended.wait()
        await supervisor.stop()
    assert str(supervisor.fatal) == "wrong Mend it."
    assert supervisor.unready()["bad"] == "failed for good: wrong Mend it."


async def test_it_ends_when_all_are_done_and_not_before() -> None:
    lasting = Script()
    supervisor = Supervisor([Role(name="copy", run=Script(None)), Role(name="lasting", run=lasting)])
    supervisor.start()
    async with asyncio.timeout(10):
        await lasting.running.wait()
        assert not supervisor.ended.is_set()
        await supervisor.stop()
        await supervisor.ended.wait()
    assert supervisor.fatal is None


async def test_stop_ends_a_pause_between_two_starts() -> None:
    supervisor = Supervisor([Role(name="failing", run=Script(ValueError()))], wait=asyncio.sleep)
    supervisor.start()
    async with asyncio.timeout(10):
        while "failed" not in supervisor.unready().get("failing", ""):
            await asyncio.sleep(0)
        assert await supervisor.stop() == []


async def test_who_does_not_finish_is_cancelled_and_named() -> None:
    started = asyncio.Event()

    async def stubborn(stop: asyncio.Event) -> None:
        started.set()
        await asyncio.Event().wait()

    supervisor = Supervisor([Role(name="stubborn", run=stubborn)])
    supervisor.start()
    async with asyncio.timeout(10):
        await started.wait()
        assert await supervisor.stop(0.01) == ["stubborn"]


async def test_stop_before_start_is_nothing() -> None:
    assert await Supervisor([Role(name="a", run=Script())]).stop() == []


@pytest.mark.parametrize(
    "module",
    [
        "consumers.worker.process.roles",
        "consumers.worker.telemetry.logs",
        "consumers.worker.telemetry.metrics",
        "consumers.cli",
        "streams.relay.relay",
    ],
)
def test_only_the_shell_imports_faust(module: str) -> None:
    code = f"import sys, {module}; sys.exit('faust' in sys.modules or 'mode' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_role_in_which_something_was_cancelled_is_started_again_and_says_so() -> None:
    gate, role, restarted = asyncio.Event(), Script(asyncio.CancelledError()), list[str]()

    async def wait(_: float) -> None:
        await gate.wait()

    supervisor = Supervisor([Role(name="relay", run=role)], restarted=restarted.append, wait=wait)
    supervisor.start()
    async with asyncio.timeout(10):
        while "cancelled" not in supervisor.unready().get("relay", ""):
            await asyncio.sleep(0)
        assert not supervisor.ended.is_set()
        gate.set()
        await role.running.wait()
        await supervisor.stop()
    assert (role.runs, restarted) == (2, ["relay"])
