"""Starts, watches and stops the two systems' processes."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from infra.sandbox.credentials import write_private
from infra.sandbox.kernel.process import TOKEN_VARIABLE, ChildSettings

_START_SECONDS = 120.0
_STOP_SECONDS = 20.0
_RESTARTS_MAX = 5
_T = TypeVar("_T")


class StartError(RuntimeError):
    """A system did not come up; the text says which and what it wrote."""


@dataclass(slots=True)
class ChildProcess:
    """One system: started, started again on the same port when it dies, stopped on request."""

    name: str
    settings: ChildSettings
    config: Path
    token: str
    ready: Mapping[str, object] = field(default_factory=dict)
    _process: Process | None = None
    _stopping: bool = False

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Returns when the system serves. StartError when it ends or takes too long."""
        write_private(self.config, self.settings)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"infra.sandbox.{self.name}", "--config", str(self.config)),
            stdin=PIPE,
            stdout=PIPE,
            env={**os.environ, TOKEN_VARIABLE: self.token},
            start_new_session=True,  # a Ctrl-C at the terminal reaches the supervisor only; it stops its children in order
        )
        if self._process.stdout is None:
            raise StartError(f"{self.name}: no pipe")
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), _START_SECONDS)
        except TimeoutError as error:
            raise StartError(f"{self.name} did not serve within {_START_SECONDS:.0f} s") from error
        if not line:
            raise StartError(f"{self.name} ended with code {await self._process.wait()} before it served")
        self.ready = msgspec.json.decode(line)["ready"]
        options = dict(self.settings.options)
        if "pubsub" in self.ready:  # on its port, too, it is found again
            options["grpc_port"] = str(self.ready["pubsub"]).rpartition(":")[2]
        self.settings = msgspec.structs.replace(self.settings, port=self.ready["port"], options=options)

    async def watch(self) -> None:
        """Returns when the system has been stopped; starts it again when it died by itself. StartError when it keeps dying."""
        for _ in range(_RESTARTS_MAX):
            if self._process is None:
                return
            code = await self._process.wait()
            if self._stopping:
                return
            sys.stderr.write(f"tandem-sandbox: {self.name} died (code {code}); starting it again on port {self.settings.port}\n")
            await self.start()
        raise StartError(f"{self.name} died {_RESTARTS_MAX} times")

    async def stop(self) -> None:
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def side_by_side(*works: Coroutine[Any, Any, _T]) -> list[_T]:
    """What all of them return, in their order. When one fails the others are cancelled and awaited, then its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
