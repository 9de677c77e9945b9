"""The stack: its parts, the order in which they start and stop, and what is written down about them."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from consumers.configuration.alone import custom_objects_in
from consumers.configuration.groups.custom import registry_with
from infra.kafka.admin import ensure_topics
from infra.kafka.broker import Broker
from infra.postgres.migrate import migrate
from infra.postgres.server import DATABASE, Server
from infra.process import Process
from infra.stack.console import Console
from infra.stack.endpoints import remove_endpoints, tell_tandem, write_endpoints
from infra.stack.part import Part
from infra.stack.people import move_in
from infra.stack.prepare import prepare
from infra.stack.sandbox import Sandbox
from infra.stack.tandem import Tandem, Worker
from streams.ground.together import together
from streams.wire.topics import all_topics

PARTS = frozenset({"kafka", "postgres", "sandbox", "tandem"})
CONFIG = Path(__file__).with_name("tandem.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """Servers that somebody else starts and stops, and an empty database in one of them. No topic of Tandem's is there yet."""

    kafka: Broker
    postgres: Server
    database: str


def _silent(_line: str) -> None:
    pass


class Stack:
    """Any of Kafka, PostgreSQL, the sandbox systems and Tandem, in `run_dir`; also an async context manager.

    `up` starts what does not run yet, in this order: Kafka, PostgreSQL and the sandbox side by side; topics and migrations; Tandem's
    workers, one after the other; then it writes `endpoints.json`. When a part fails, the parts that this `up` had started are stopped.
    `down` stops everything in the reverse order. Data stays; `clean` removes it.

    Each part's processes are known by files in `run_dir`, so another process with the same `run_dir` can take the stack down.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        parts: Iterable[str] = PARTS,
        workers: Sequence[Worker] = (Worker(),),
        config: Path = CONFIG,
        latency_ms: int = 0,
        people: bool = False,
        console: bool = False,
        lent: Lent | None = None,
        say: Callable[[str], None] = _silent,
    ) -> None:
        """`people`: a fresh sandbox gets twenty of them, before Tandem comes. `console`: with Tandem comes its console.

        `lent`: Kafka and PostgreSQL that run already. They get topics and migrations; they are no parts of this stack.
        """
        chosen = set(parts)
        if not chosen or chosen - PARTS:
            raise ValueError(f"parts are some of {sorted(PARTS)}, not {sorted(chosen)}")
        if "tandem" in chosen and chosen != PARTS:
            raise ValueError("tandem needs all the other parts")
        self.run_dir = run_dir
        self.say = say
        self._people, self._config = people, config
        logs = run_dir / "logs"
        self.kafka = lent.kafka if lent else Broker(run_dir / "kafka", log=logs / "kafka.log")
        self.postgres = lent.postgres if lent else Server(run_dir / "postgres", log=logs / "postgres.log")
        self._database = lent.database if lent else DATABASE
        self.sandbox = Sandbox(run_dir / "sandbox", log=logs / "sandbox.log", latency_ms=latency_ms)
        self.workers = {w.name: Tandem(run_dir / "tandem", w, config, log=logs / f"{w.name}.log") for w in workers}
        self.console = Console(run_dir / "tandem", config, log=logs / "console.log") if console else None
        grounds: dict[str, Part] = {"kafka": self.kafka, "postgres": self.postgres, "sandbox": self.sandbox}
        self._chosen = chosen
        self._grounds = {name: part for name, part in grounds.items() if name in chosen and (lent is None or name == "sandbox")}
        self._with_tandem = "tandem" in chosen

    @property
    def parts(self) -> dict[str, Part]:
        """The parts by name, in the order in which they start; a worker of Tandem by its own name."""
        faces: dict[str, Part] = {"console": self.console} if self.console else {}
        return {**self._grounds, **({**self.workers, **faces} if self._with_tandem else {})}

    @property
    def tandem(self) -> Tandem:
        """The first worker."""
        return next(iter(self.workers.values()))

    async def up(self) -> dict[str, Any]:
        """Starts what does not run and returns what `endpoints.json` says. Raises StartError, AdminError or MigrationError."""
        before = {name for name, part in self.parts.items() if part.process.running()}
        try:
            await self._up()
        except BaseException:
            await asyncio.shield(self._stop([name for name in self.parts if name not in before]))
            raise
        endpoints = self.endpoints()
        write_endpoints(self.run_dir, endpoints)
        return endpoints

    async def down(self) -> None:
        """Stops every part, only what `run_dir` says was started here; also workers that another stack in `run_dir` had named."""
        remove_endpoints(self.run_dir)
        for pidfile in (self.run_dir / "tandem").glob("*.pid"):
            if pidfile.stem not in self.workers:
                await asyncio.to_thread(Process(pidfile.stem, pidfile=pidfile, log=self.run_dir / "logs" / f"{pidfile.stem}.log").stop)
        await self._stop(list(self.parts))

    async def clean(self) -> None:
        """Stops every part and removes data, logs and secrets; reports stay."""
        await self.down()
        for part in self.parts.values():
            await asyncio.to_thread(part.remove)
        for name in ("logs", "secrets", "tandem"):
            shutil.rmtree(self.run_dir / name, ignore_errors=True)

    async def start(self, name: str) -> None:
        """Starts one part; a worker of Tandem is told where everything is now."""
        part = self.parts[name]
        if isinstance(part, Tandem | Console):
            part.told = self.told()
        begun = time.monotonic()
        was_running = part.process.running()
        await _to_its_end(part.start)
        self.say(f"{name}: {'already running' if was_running else f'ready in {time.monotonic() - begun:.1f} s'}")

    async def stop(self, name: str) -> None:
        """Stops one part in order."""
        await asyncio.to_thread(self.parts[name].stop)

    async def kill(self, name: str) -> None:
        """`kill -9` for one part."""
        await asyncio.to_thread(self.parts[name].kill)

    async def restart(self, name: str) -> None:
        """Stops and starts one part; its ports and data stay."""
        await self.stop(name)
        await self.start(name)

    def endpoints(self) -> dict[str, Any]:
        """Where everything is, for the parts this stack has; secrets of ordinary users among it."""
        endpoints: dict[str, Any] = {}
        if "sandbox" in self._grounds:
            described = self.sandbox.endpoints()
            endpoints |= {name: described[name] for name in ("salesforce", "marketo", "sandbox")}
        if "kafka" in self._chosen:
            endpoints["kafka"] = {"bootstrap_servers": self.kafka.bootstrap}
        if "postgres" in self._chosen:
            endpoints["postgres"] = {"dsn": self.dsn()}
        if self._with_tandem and self.workers:
            endpoints["tandem"] = {"url": self.tandem.url}
            if self.console:
                endpoints["console"] = {"url": self.console.url}
        return endpoints

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        await self.down()

    async def _up(self) -> None:
        async with together() as group:
            for name in self._grounds:
                group.create_task(self.start(name))
        if "kafka" in self._chosen:
            known = registry_with(custom_objects_in(self._config, os.environ))
            report = await ensure_topics(self.kafka.bootstrap, all_topics(known.objects, kinds=known.by_name))
            for line in (*(f"topic {name} made" for name in report.created), *map(str, report.drift)):
                self.say(line)
        if "postgres" in self._chosen:
            for name in await migrate(self.dsn()):
                self.say(f"migration {name} applied")
        if self._with_tandem:
            await self._prepare()
            for name in (*self.workers, *(("console",) if self.console else ())):
                await self.start(name)

    async def _prepare(self) -> None:
        """Once for each sandbox: what Tandem needs in both systems."""
        done = self.run_dir / "tandem" / "prepared"
        if done.exists():
            return
        await prepare(self.sandbox.endpoints()["sandbox"]["url"], self.tandem.config, self.told())
        done.parent.mkdir(parents=True, exist_ok=True)
        done.touch()
        self.say("both systems have the fields that Tandem needs")
        if self._people:
            count = await asyncio.to_thread(move_in, self.sandbox.endpoints()["sandbox"]["url"])
            self.say(f"{count} people have moved in: some in Salesforce, some in Marketo; some have an account and an owner")

    async def _stop(self, names: Sequence[str]) -> None:
        for name in reversed(names):
            part = self.parts[name]
            if part.process.running():
                orderly = await asyncio.to_thread(part.stop)
                self.say(f"{name}: {'stopped' if orderly else 'had to be ended by force'}")

    def told(self) -> dict[str, str]:
        """The environment that a worker, or a command of Tandem, is started with; secrets are in files that it names."""
        return tell_tandem(self.run_dir, bootstrap=self.kafka.bootstrap, dsn=self.dsn(), sandbox=self.sandbox.endpoints())

    def dsn(self) -> str:
        """The ledger's database, with the password: a secret."""
        return self.postgres.dsn(self._database)


async def _to_its_end(work: Callable[[], object]) -> None:
    """Run it in a thread. Cancelled, it still waits for the thread: what starts behind our back would be stopped by nobody."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise
