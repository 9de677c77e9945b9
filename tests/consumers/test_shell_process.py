"""The shell as a process: pages, readiness, signals, exit codes, and nothing left behind."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from consumers.kinds.registry import BY_NAME, OBJECTS
from infra.kafka.admin import ensure_topics
from infra.ports import free_port
from streams.relay.singleton import PostgresSingleton
from streams.wire.topics import all_topics

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "consumers" / "shell_process.py"
DEADLINE_SECONDS = 60


class Worker:
    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, *roles: str) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, str(SCRIPT), str(self.port), str(self.folder), *roles,
            cwd=self.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with aiohttp.ClientSession(headers=headers) as session, session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.text()

    async def until(self, path: str, right: Callable[[int, str], bool]) -> tuple[int, str]:
        """The answer of a page once it is right."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                try:
                    status, text = await self.get(path)
                    if right(status, text):
                        return status, text
                except aiohttp.ClientConnectionError:
                    assert self.process is not None
                    assert self.process.returncode is None, await self.process.communicate()
                await asyncio.sleep(0.02)

    async def end(self, number: int | None = None) -> tuple[int | None, str]:
        """Its exit code and what it said, after a signal or by itself."""
        assert self.process is not None
        if number is not None:
            self.process.send_signal(number)
        async with asyncio.timeout(DEADLINE_SECONDS):
            out, err = await self.process.communicate()
        assert out == b""
        return self.process.returncode, err.decode()


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    made = Worker(tmp_path)
    yield made
    if made.process is not None and made.process.returncode is None:
        made.process.kill()
        await made.process.wait()


async def test_pages_tell_the_truth_and_sigterm_lets_roles_finish(worker: Worker) -> None:
    await worker.start("patient", "broken_once")
    status, text = await worker.until("/readyz", lambda _, text: "has not said so" in text and "failed" not in text)
    assert (status, json.loads(text)) == (503, {"ready": False, "reasons": {"patient": "the test has not said so"}})
    (worker.folder / "ready").touch()
    await worker.until("/readyz", lambda status, _: status == 200)
    assert await worker.get("/livez") == (200, '{"alive":true}')
    for token, personal in (("", False), ("Bearer wrong", False), ("sesame", False), ("Bearer sesame", True)):
        told = json.loads((await worker.get("/status.json", Authorization=token))[1])
        assert told == {"roles": ["patient", "broken_once"], "personal": personal}, token
    _, metrics = await worker.get("/metrics")
    assert 'tandem_role_restarts_total{role="broken_once"} 1.0' in metrics
    for path in ("/table/", "/router/", "/graph/", "/performance/"):
        assert (await worker.get(path))[0] == 404, path
    assert (worker.folder / "loop").read_text() == "uvloop"
    code, _ = await worker.end(signal.SIGTERM)
    assert code == 0
    assert (worker.folder / "patient").read_text() == "finished"
    left = {entry.name for entry in worker.folder.iterdir()}
    assert left == {"ready", "loop", "patient", "broken"}, "Faust leaves no directory behind"


def addresses_beyond_loopback() -> set[str]:
    """This machine's others, as far as its own name leads to them."""
    try:
        told = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    except socket.gaierror:
        return set()
    return {str(info[4][0]) for info in told} - {"127.0.0.1"}


async def test_pages_are_for_this_machine_only(worker: Worker) -> None:
    await worker.start("patient")
    await worker.until("/livez", lambda status, _: status == 200)
    for address in addresses_beyond_loopback():
        with pytest.raises(OSError):  # noqa: PT011 (refused or unreachable, by machine)
            await asyncio.open_connection(address, worker.port)
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert f"0100007F:{worker.port:04X}" in listening
    assert f"00000000:{worker.port:04X}" not in listening


async def test_a_role_that_never_stops_does_not_hold_up_the_end(worker: Worker) -> None:
    await worker.start("stubborn", "patient")
    await worker.until("/livez", lambda status, _: status == 200)
    code, logs = await worker.end(signal.SIGTERM)
    assert code == 0
    assert (worker.folder / "stubborn").read_text() == "cancelled"
    assert (worker.folder / "patient").read_text() == "finished"
    assert "did not finish in time" in logs


async def test_a_wrong_configuration_ends_with_code_2_and_the_remedy(worker: Worker) -> None:
    await worker.start("misconfigured", "patient")
    code, logs = await worker.end()
    assert code == 2
    assert logs.splitlines()[-1] == "tandem: kafka.topics: partitions must be 6. Correct the file."
    assert (worker.folder / "patient").read_text() == "finished"


async def test_the_worker_ends_when_all_its_roles_are_done(worker: Worker) -> None:
    await worker.start("done")
    assert (await worker.end())[0] == 0


async def test_roles_reach_kafka_on_the_worker_s_loop(worker: Worker, kafka: str) -> None:
    await ensure_topics(kafka, all_topics(OBJECTS, kinds=BY_NAME))
    (worker.folder / "kafka").write_text(kafka)
    await worker.start("published")
    await worker.until("/readyz", lambda status, _: status == 200)
    assert (await worker.end(signal.SIGTERM))[0] == 0


async def test_kill_leaves_no_process_no_port_and_no_lock(worker: Worker, postgres: str) -> None:
    (worker.folder / "postgres").write_text(postgres)
    await worker.start("locked")
    await worker.until("/readyz", lambda status, _: status == 200)
    assert worker.process is not None
    children = Path(f"/proc/{worker.process.pid}/task/{worker.process.pid}/children").read_text()
    assert children == "", "one process, no helpers that could outlive it"
    code, _ = await worker.end(signal.SIGKILL)
    assert code == -signal.SIGKILL
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", worker.port)
    async with asyncio.timeout(20), PostgresSingleton(postgres).hold("test of the shell"):
        connection: Any = await asyncpg.connect(postgres)
        held = await connection.fetchval("select count(*) from leases")
        await connection.close()
    assert held == 1, "ours alone"
