"""The benchmarks one after the other, and what they need on the ground."""

import json
import os
import platform
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.stack.stack import Stack
from tests.benchmarks.console_speed import ConsoleBench
from tests.benchmarks.copy_ground import Filling
from tests.benchmarks.copy_speed import copied
from tests.benchmarks.drift_audit import drift_audit
from tests.benchmarks.edit_latency import Course, latencies
from tests.benchmarks.ground import Ground
from tests.benchmarks.idle_worker import idle_cycle, peak_rss_mib
from tests.benchmarks.logs_speed import LogsBench
from tests.benchmarks.object_speed import Size as ObjectsSize
from tests.benchmarks.object_speed import objects
from tests.benchmarks.observe_speed import ObserveBench
from tests.benchmarks.observe_speed import Size as ObserveSize
from tests.benchmarks.peers import Peers
from tests.benchmarks.report import show
from tests.benchmarks.sandbox_size import PEOPLE, at_size
from tests.benchmarks.settle_speed import settle
from tests.benchmarks.told_latency import told_latencies

OBSERVE, SETTLE, LATENCY, IDLE, SANDBOX, PEERS, OBJECTS = "observe", "settle", "latency", "idle", "sandbox", "peers", "objects"
TOLD, COPY, LOGS, DRIFT, CONSOLE = "told", "copy", "logs", "drift", "console"
PARTS = frozenset({OBSERVE, SETTLE, LATENCY, TOLD, IDLE, SANDBOX, PEERS, OBJECTS, COPY, LOGS, DRIFT, CONSOLE})
UNASKED = PARTS - {PEERS, COPY, DRIFT}
"""What is measured unless something else is asked for: the peer's jars are fetched only for those who want to see it, and a
first copy takes as long as two systems' limits make it take."""
TOLD_RATES = (1, 5)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the caller asked for."""

    quick: bool
    only: frozenset[str]
    run_dir: Path
    report: Path
    rates: tuple[int, ...]
    pairs: int = 0
    """Of the part `console`; 0: as many as it is about."""


class Programme:
    """One run."""

    def __init__(self, wish: Wish, say: Say) -> None:
        self._wish, self._say = wish, say
        self._found: dict[str, Any] = {"machine": machine(), "quick": wish.quick}

    async def run(self) -> None:
        """Measure, write the report, show it. What was measured is kept also when something fails later."""
        self._wish.run_dir.mkdir(parents=True, exist_ok=True)
        try:
            if OBSERVE in self._wish.only:
                await self._observe()
            if PEERS in self._wish.only:
                await self._peers()
            if self._wish.only & {SETTLE, LATENCY, TOLD, IDLE}:
                await self._on_both_systems()
            if OBJECTS in self._wish.only:
                await self._objects()
            if LOGS in self._wish.only:
                await self._logs()
            if CONSOLE in self._wish.only:
                await self._console()
            if COPY in self._wish.only:
                await self._copy()
            if DRIFT in self._wish.only:
                async with Ground(self._wish.run_dir / "drift", self._say) as ground:
                    self._found["drift"] = await drift_audit(ground, 20_000 if self._wish.quick else 200_000, self._say)
            if SANDBOX in self._wish.only:
                self._found["sandbox"] = await at_size(PEOPLE // 10 if self._wish.quick else PEOPLE, self._say)
        finally:
            self._found["machine"]["load_average"] = [round(each, 2) for each in os.getloadavg()]
            self._wish.report.parent.mkdir(parents=True, exist_ok=True)
            self._wish.report.write_text(json.dumps(self._found, indent=1) + "\n")
        show(self._found)

    async def _observe(self) -> None:
        async with self._ground("observe") as stack:
            self._found["observe"] = await ObserveBench(stack, self._size(), self._say).measure()

    async def _peers(self) -> None:
        async with self._ground("peers") as stack:
            self._found["peers"] = await Peers(stack, self._size(), self._say, rounds=2 if self._wish.quick else 3).measure()

    async def _logs(self) -> None:
        async with self._ground("logs") as stack:
            events = 20_000 if self._wish.quick else 1_000_000
            self._found["logs"] = await LogsBench(stack, events, self._wish.run_dir / "logs", self._say).measure()

    async def _console(self) -> None:
        async with self._ground("console") as stack:
            pairs = self._wish.pairs or (20_000 if self._wish.quick else 1_000_000)
            self._found["console"] = await ConsoleBench(stack, pairs, self._wish.run_dir / "console-settings", self._say).measure()

    def _size(self) -> ObserveSize:
        if self._wish.quick:
            return ObserveSize(pairs=20_000, events=40_000, one_by_one=3_000)
        return ObserveSize(pairs=200_000, events=240_000, one_by_one=6_000)

    @asynccontextmanager
    async def _ground(self, name: str) -> AsyncIterator[Stack]:
        """Kafka and PostgreSQL for one part, gone afterwards."""
        home = self._wish.run_dir / name
        shutil.rmtree(home, ignore_errors=True)
        stack = Stack(home, parts={"kafka", "postgres"})
        try:
            await stack.up()
            yield stack
        finally:
            await stack.clean()

    async def _on_both_systems(self) -> None:
        """A small ledger, then a bigger one, then the drain, after which it is twice as big."""
        small, big = (200, 10_000) if self._wish.quick else (1_000, 100_000)
        only = self._wish.only
        async with Ground(self._wish.run_dir / "ground", self._say) as ground:
            if IDLE in only:
                await ground.add(small)
                await self._idle(ground)
            if only & {IDLE, LATENCY, TOLD}:
                await ground.add(big - len(ground.people))
            if IDLE in only:
                await self._idle(ground)
            if LATENCY in only:
                await self._latency(ground)
            if TOLD in only:
                self._found["told_latency_ms"] = await told_latencies(ground, TOLD_RATES, self._course(), self._say)
            if SETTLE in only:
                self._found["settle"] = await settle(ground, big, self._say)
                self._found["worker_rss_mib_after_drain"] = peak_rss_mib(ground.whole)
                await ground.stop()
            if IDLE in only:
                await self._idle(ground)
                self._found["worker_rss_mib"] = self._found["idle"][str(len(ground.people))]["rss_mib"]

    async def _objects(self) -> None:
        """On a ground of its own: what is new is found, so nothing else may be."""
        size = ObjectsSize(owners=20_000, deals=50_000, members=100_000, contacts=20_000)
        if self._wish.quick:
            size = ObjectsSize(owners=2_000, deals=5_000, members=10_000, contacts=2_000)
        async with Ground(self._wish.run_dir / "objects", self._say) as ground:
            self._found["objects"] = {}
            async for name, told in objects(ground, size, self._say):
                self._found["objects"][name] = told

    async def _copy(self) -> None:
        """On a ground of its own, to which the worker comes late."""
        async with Ground(self._wish.run_dir / "copy", self._say) as ground:
            size = 10 if self._wish.quick else 1
            filling = Filling(people=200_000 // size, members=50_000 // size)
            self._found["copy"] = await copied(ground, filling, self._say)
            await ground.stop()

    async def _idle(self, ground: Ground) -> None:
        await ground.age()
        told = await idle_cycle(ground)
        size = str(len(ground.people))
        self._found.setdefault("idle", {})[size] = told
        self._found.setdefault("idle_cycle_calls", {})[size] = told["calls"]
        self._say(f"idle: {size} pairs: {told}")

    def _course(self) -> Course:
        return Course(warm=10, measured=15) if self._wish.quick else Course(warm=25, measured=40)

    async def _latency(self, ground: Ground) -> None:
        await ground.start()
        self._found["added_latency_ms"] = await latencies(ground, self._wish.rates, self._course(), self._say)
        await ground.stop()


def machine() -> dict[str, Any]:
    """Where this was measured."""
    models = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    kib = next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(kib / 2**20, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
