"""Tandem's workers as parts of the stack."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.ports import LOOPBACK, free_port
from infra.process import Process, StartError
from infra.stack.part import healthy, program_environment, python_program


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One process `tandem run`. `arguments` follow (`--role observe`), `environment` goes over what the stack tells every worker."""

    name: str = "tandem"
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Tandem:
    """One worker with its configuration; healthy when `/readyz` on its own web page says so.

    `environment` is asked for at each start: addresses may have changed since the last one.
    """

    def __init__(self, home: Path, worker: Worker, config: Path, *, log: Path | None = None) -> None:
        self.home = home
        self.worker = worker
        self.config = config
        self.process = Process(worker.name, pidfile=home / f"{worker.name}.pid", log=log or home / f"{worker.name}.log")
        self.told: dict[str, str] = {}
        self._port_file = home / f"{worker.name}.port"

    @property
    def url(self) -> str:
        """The worker's web page. Raises StartError before the first start."""
        try:
            return f"http://localhost:{int(self._port_file.read_text())}"
        except FileNotFoundError:
            raise StartError(f"{self.worker.name} has not been started here yet") from None

    def start(self, *, timeout_seconds: float = 120.0) -> None:
        if self.process.running():
            return
        self.home.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self._port_file.write_text(str(port))
        web = {"TANDEM_WEB_HOST": LOOPBACK, "TANDEM_WEB_PORT": str(port)}
        environment = program_environment({**self.told, **web, **self.worker.environment})
        command = python_program("consumers.cli", "run", "--config", str(self.config), *self.worker.arguments)
        self.process.start(command, env=environment, cwd=self.home)
        self.process.wait_until_ready(self.ready, timeout_seconds=timeout_seconds)

    def stop(self) -> bool:
        return self.process.stop(timeout_seconds=30.0)

    def kill(self) -> None:
        self.process.kill()

    def ready(self) -> bool:
        return self.process.running() and healthy(f"{self.url}/readyz")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
