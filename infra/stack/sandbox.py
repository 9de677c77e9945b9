"""The sandbox systems as a part of the stack."""

import json
import shutil
from pathlib import Path
from typing import Any

from infra.ports import free_port, kept_port, wait_until_free
from infra.process import Process
from infra.stack.part import healthy, program_environment, python_program

PORT_NAMES = ("salesforce", "marketo", "control", "salesforce-grpc")


class Sandbox:
    """`python -m infra.sandbox`: a Salesforce org and a Marketo instance, with their data in `home/data`.

    Ports are chosen at the first start and kept, so that clients find both systems again after a restart.
    """

    def __init__(self, home: Path, *, log: Path | None = None, latency_ms: int = 0, arguments: tuple[str, ...] = ()) -> None:
        self.home = home
        self.latency_ms = latency_ms
        self.arguments = arguments
        self.process = Process("sandbox", pidfile=home / "sandbox.pid", log=log or home / "sandbox.log")
        self._endpoints_file = home / "endpoints.json"
        self._ports_file = home / "ports.json"

    def start(self, *, timeout_seconds: float = 120.0) -> None:
        if self.process.running():
            return
        self.home.mkdir(parents=True, exist_ok=True)
        self._endpoints_file.unlink(missing_ok=True)
        options = ["--data", str(self.home / "data"), "--endpoints", str(self._endpoints_file), "--latency-ms", str(self.latency_ms)]
        for name, port in self._choose_ports().items():
            options += [f"--{name}-port", str(port)]
        self.process.start(python_program("infra.sandbox", *options, *self.arguments), env=program_environment({}))
        self.process.wait_until_ready(self.ready, timeout_seconds=timeout_seconds)

    def endpoints(self) -> dict[str, Any]:
        """What the sandbox wrote about itself: addresses and credentials, for ordinary users and for Tandem. Secrets."""
        content: dict[str, Any] = json.loads(self._endpoints_file.read_text())
        return content

    def stop(self) -> bool:
        return self.process.stop(timeout_seconds=30.0)

    def kill(self) -> None:
        """The systems run in sessions of their own: they end when they miss their supervisor, and are waited for."""
        if self.process.kill():
            wait_until_free(list(self._ports().values()))

    def ready(self) -> bool:
        there = self.process.running() and self._endpoints_file.exists()
        return there and healthy(f"http://localhost:{self._ports()['control']}/healthz")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _ports(self) -> dict[str, int]:
        ports: dict[str, int] = json.loads(self._ports_file.read_text())
        return ports

    def _choose_ports(self) -> dict[str, int]:
        ports = self._ports() if self._ports_file.exists() else {}
        for name in PORT_NAMES:
            others = frozenset(port for other, port in ports.items() if other != name)
            ports[name] = kept_port(ports[name], taken=others) if name in ports else free_port(taken=others)
        self._ports_file.write_text(json.dumps(ports))
        return ports
