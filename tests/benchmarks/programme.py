"""The benchmarks one after the other, and what they need on the ground."""

import json
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.stack.stack import Stack
from tests.benchmarks.observe_speed import ObserveBench
from tests.benchmarks.observe_speed import Size as ObserveSize
from tests.benchmarks.report import show

OBSERVE, SETTLE, LATENCY, IDLE = "observe", "settle", "latency", "idle"
PARTS = frozenset({OBSERVE, SETTLE, LATENCY, IDLE})
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the caller asked for."""

    quick: bool
    only: frozenset[str]
    run_dir: Path
    report: Path
    rates: tuple[int, ...]


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
        finally:
            self._found["machine"]["load_average"] = [round(each, 2) for each in os.getloadavg()]
            self._wish.report.parent.mkdir(parents=True, exist_ok=True)
            self._wish.report.write_text(json.dumps(self._found, indent=1) + "\n")
        show(self._found)

    async def _observe(self) -> None:
        size = ObserveSize(pairs=200_000, events=240_000, one_by_one=6_000)
        if self._wish.quick:
            size = ObserveSize(pairs=20_000, events=40_000, one_by_one=3_000)
        home = self._wish.run_dir / "observe"
        shutil.rmtree(home, ignore_errors=True)
        stack = Stack(home, parts={"kafka", "postgres"})
        try:
            await stack.up()
            self._found["observe"] = await ObserveBench(stack, size, self._say).measure()
        finally:
            await stack.clean()


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
