"""The broker as a process: format, start, wait, restart, stop."""

import base64
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from infra.kafka.guarded import Guarded
from infra.kafka.wire import coordinator_ready
from infra.ports import LOOPBACK, free_port, kept_port
from infra.process import Process, StartError
from infra.setup import found

LOG4J = Path(__file__).with_name("log4j2.properties")
LOGGING = (f"-Dlog4j2.configurationFile={LOG4J}", "-Dlog4j.shutdownHookEnabled=false")

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "1000",
    "log.retention.hours": "168",
    "log.segment.bytes": str(256 << 20),
    "log.index.size.max.bytes": str(1 << 20),
    "num.network.threads": "2",
    "num.io.threads": "4",
}
"""What differs from Kafka's defaults: one node, no topic made by accident, no more threads than two cores can use.

After `kill -9` a broker waits for its own former session to expire before it registers again (9 s by default).
"""


class Broker:
    """One Kafka node, combined broker and controller, with its data in `home/data`.

    Ports are chosen when the data is made and kept for as long as nobody else took them meanwhile, so clients find the broker again
    after a restart. Nothing listens beyond loopback. Methods block; call them in a thread from asynchronous code.
    """

    def __init__(self, home: Path, *, log: Path | None = None, heap_mib: int = 512, guarded: Guarded | None = None) -> None:
        """`guarded`: listeners beside the plain one that ask who a client is."""
        self.home = home
        self._guarded = guarded
        self.heap_mib = heap_mib
        self.process = Process("kafka", pidfile=home / "kafka.pid", log=log or home / "kafka.log")
        self._properties = home / "server.properties"

    @property
    def port(self) -> int:
        """The port for clients. Raises StartError before the first start."""
        return self._ports()[0]

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients' `bootstrap_servers`."""
        return f"{LOOPBACK}:{self.port}"

    def address(self, listener: str) -> str:
        """`host:port` of one of the guarded listeners."""
        return f"{LOOPBACK}:{self._ports()[self._listeners.index(listener)]}"

    def start(self, *, timeout_seconds: float = 120.0) -> None:
        """Starts it and returns when it serves requests and coordinates groups. Raises StartError with the end of the log."""
        if self.process.running():
            return
        if not self._properties.exists():
            self._format()
        self._keep_or_change_ports()
        self.process.start(self._command("kafka.Kafka", str(self._properties)))
        self.process.wait_until_ready(self.ready, timeout_seconds=timeout_seconds)

    def stop(self, *, timeout_seconds: float = 30.0) -> bool:
        """Orderly end; True when it needed no force."""
        return self.process.stop(signum=signal.SIGTERM, timeout_seconds=timeout_seconds)

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def running(self) -> bool:
        return self.process.running()

    def ready(self) -> bool:
        return self.process.running() and coordinator_ready(LOOPBACK, self.port)

    def remove(self) -> None:
        """Stops it and deletes its data."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _format(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self._write_properties(_free(len(self._listeners)))
        scram = self._guarded.credentials() if self._guarded else []
        arguments = ["format", "--standalone", "-t", _cluster_id(), "-c", str(self._properties), *scram]
        done = subprocess.run(self._command("kafka.tools.StorageTool", *arguments), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self._properties.unlink()
            raise StartError(f"kafka's storage could not be formatted: {(done.stderr or done.stdout).strip()[-500:]}")

    @property
    def _listeners(self) -> list[str]:
        return ["PLAINTEXT", "CONTROLLER", *(self._guarded.protocols if self._guarded else ())]

    def _keep_or_change_ports(self) -> None:
        kept: list[int] = []
        for port in self._ports():
            kept.append(kept_port(port, taken=frozenset(kept)))
        self._write_properties(kept)

    def _write_properties(self, ports: list[int]) -> None:
        places = [f"{name}://{LOOPBACK}:{port}" for name, port in zip(self._listeners, ports, strict=True)]
        settings = SETTINGS | {
            "listeners": ",".join(places),
            "advertised.listeners": ",".join(places),
            "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{ports[1]}",
            "log.dirs": str(self.home / "data"),
        }
        if self._guarded is not None:
            protocols = ",".join(f"{name}:{protocol}" for name, protocol in self._guarded.protocols.items())
            settings |= self._guarded.settings()
            settings["listener.security.protocol.map"] += f",{protocols}"
        self._properties.touch(mode=0o600)
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))

    def _ports(self) -> list[int]:
        try:
            lines = self._properties.read_text().splitlines()
        except OSError:
            raise StartError("kafka has not been started here yet") from None
        listeners = next(line for line in lines if line.startswith("listeners="))
        return [int(listener.rpartition(":")[2]) for listener in listeners.split(",")]

    def tool(self, main: str, *arguments: str) -> list[str]:
        """The command of one of Kafka's own tools, by its class. Raises StartError where Kafka isn't installed."""
        return self._command(main, *arguments)

    def _command(self, main: str, *arguments: str) -> list[str]:
        java, jars = found.java(), found.jars()
        if java is None or jars is None:
            raise StartError("Java or Kafka's jars are not here; run `make setup`")
        options = [f"-Xmx{self.heap_mib}m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"]
        return [str(java.path), *options, *LOGGING, "-cp", f"{jars}/*", main, *arguments]


def _free(count: int) -> list[int]:
    ports: list[int] = []
    while len(ports) < count:
        ports.append(free_port(taken=frozenset(ports)))
    return ports


def _cluster_id() -> str:
    """A random id as Kafka writes them: 16 bytes in base64. One that begins with `-` would be taken for an option."""
    while True:
        text = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        if not text.startswith("-"):
            return text
