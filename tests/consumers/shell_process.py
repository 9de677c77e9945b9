"""A worker with roles that behave as told, for tests of the shell: `shell_process.py PORT FOLDER [ROLE ...]`."""

import asyncio
import sys
import time
from pathlib import Path

from consumers.worker.process.roles import Role
from consumers.worker.process.shell import ShellSettings, run
from consumers.worker.telemetry.logs import configure
from consumers.worker.telemetry.metrics import Metrics
from streams.relay.publisher import Publisher, kafka_producer
from streams.relay.singleton import PostgresSingleton
from streams.wire.errors import Fatal
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import PERSON, System

PORT, FOLDER = int(sys.argv[1]), Path(sys.argv[2])


async def patient(stop: asyncio.Event) -> None:
    """Works till told to stop, then finishes what it has in hand."""
    (FOLDER / "loop").write_text(type(asyncio.get_running_loop()).__module__)
    await stop.wait()
    await asyncio.sleep(0.05)
    (FOLDER / "patient").write_text("finished")


async def stubborn(stop: asyncio.Event) -> None:
    """Never stops by itself."""
    try:
        await asyncio.Event().wait()
    finally:
        (FOLDER / "stubborn").write_text("cancelled")


async def misconfigured(stop: asyncio.Event) -> None:
    """Finds that it can't work."""
    raise Fatal("kafka.topics: partitions must be 6.", remedy="Correct the file.")


async def broken_once(stop: asyncio.Event) -> None:
    """Fails the first time."""
    marker = FOLDER / "broken"
    if not marker.exists():
        marker.touch()
        raise ZeroDivisionError
    await stop.wait()


async def done(stop: asyncio.Event) -> None:
    """Has nothing to do."""


def why_not() -> str | None:
    """Ready once the test says so."""
    return None if (FOLDER / "ready").exists() else "the test has not said so"


ROLES = {
    "patient": Role(name="patient", run=patient, ready=why_not),
    "stubborn": Role(name="stubborn", run=stubborn),
    "misconfigured": Role(name="misconfigured", run=misconfigured),
    "broken_once": Role(name="broken_once", run=broken_once),
    "done": Role(name="done", run=done),
}


async def status(*, personal: bool) -> dict[str, object]:
    """Something to show."""
    return {"roles": sys.argv[3:], "personal": personal}


async def published(stop: asyncio.Event) -> None:
    """Publishes one event to the broker named in FOLDER/kafka, on this worker's loop."""
    publisher = Publisher(lambda: kafka_producer((FOLDER / "kafka").read_text()))
    event = ChangeEvent(system=System.MARKETO, object=PERSON, id="77", kind=Happened.UPDATED, source="shell", at=1)
    await publisher.publish([event])
    (FOLDER / "published").touch()
    await stop.wait()
    await publisher.close()


async def locked(stop: asyncio.Event) -> None:
    """Holds a lock in the database named in FOLDER/postgres."""
    async with PostgresSingleton((FOLDER / "postgres").read_text()).hold("test of the shell"):
        (FOLDER / "locked").touch()
        await stop.wait()


ROLES["locked"] = Role(name="locked", run=locked, ready=lambda: None if (FOLDER / "locked").exists() else "not locked")
ROLES["published"] = Role(name="published", run=published, ready=lambda: None if (FOLDER / "published").exists() else "nothing published")


if __name__ == "__main__":
    configure()
    names, metrics = sys.argv[3:], Metrics(now_ms=lambda: time.time_ns() // 1_000_000)
    sys.exit(
        run(
            [ROLES[name] for name in names],
            settings=ShellSettings(port=PORT, stop_seconds=1.0, token="sesame"),
            metrics=metrics,
            status=status,
        )
    )
