"""Tandem's console as a part of the stack."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from consumers.configuration.loading import load
from consumers.console.serving import link_of
from infra.ports import LOOPBACK
from infra.process import Process, StartError
from infra.stack.part import healthy, program_environment, python_program


class Console:
    """The process `tandem console`, on a port that stays; healthy when it answers. `told`: the environment, as of Tandem's workers."""

    def __init__(self, home: Path, config: Path, *, log: Path) -> None:
        self.home, self.config = home, config
        self.process = Process("console", pidfile=home / "console.pid", log=log)
        self.told: Mapping[str, str] = {}

    @property
    def url(self) -> str:
        """Where it is. Raises StartError before the first start."""
        try:
            return f"http://localhost:{int(self.told['TANDEM_CONSOLE_PORT'])}"
        except KeyError:
            raise StartError("the console has not been started here yet") from None

    def start(self, *, timeout_seconds: float = 120.0) -> None:
        if self.process.running():
            return
        self.home.mkdir(parents=True, exist_ok=True)
        command = python_program("consumers.cli", "console", "--no-link", "--config", str(self.config))
        self.process.start(command, env=self._environment(), cwd=self.home)
        self.process.wait_until_ready(self.ready, timeout_seconds=timeout_seconds)

    async def link(self) -> str:
        """The address that signs somebody in once."""
        return await link_of(load(self.config, self._environment()), "make up")

    def stop(self) -> bool:
        return self.process.stop(timeout_seconds=10.0)

    def kill(self) -> None:
        self.process.kill()

    def ready(self) -> bool:
        return self.process.running() and healthy(f"{self.url}/healthz")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        """The configuration also wants a port for a worker's page, which the console doesn't have."""
        return program_environment({**self.told, "TANDEM_WEB_HOST": LOOPBACK, "TANDEM_WEB_PORT": "0"})
