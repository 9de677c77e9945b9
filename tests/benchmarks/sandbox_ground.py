"""A sandbox of one system for the time of a measurement, and what its process costs."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A running sandbox: what is in its endpoints file, the pid of the system's own process, and how long it took until it served."""

    endpoints: dict[str, Any]
    pid: int
    start_s: float

    def memory_mib(self) -> float:
        """What of the process lies in memory."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        return round(int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024)

    def processor_ms(self) -> float:
        """What the process has used of the processor so far: beside other work it is the only honest server time."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def started(folder: Path, system: str) -> AsyncIterator[Started]:
    """Starts the sandbox with only this system on the data in `folder`; stops it at the end."""
    before = time.perf_counter()
    command = (sys.executable, "-m", "infra.sandbox", "--data", str(folder), "--only", system)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    if process.stdout is None:
        raise RuntimeError("no pipe")
    try:
        file = Path((await process.stdout.readline()).decode().strip())
        took = time.perf_counter() - before
        child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()[0])
        yield Started(endpoints=json.loads(file.read_bytes()), pid=child, start_s=round(took, 1))
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def spread(times_ms: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and worst."""
    ordered = sorted(times_ms)
    last = len(ordered) - 1
    return {name: round(ordered[round(last * share)], 1) for name, share in (("p50", 0.5), ("p99", 0.99), ("worst", 1.0))}
