"""Debezium's JDBC sink in a standalone worker of Kafka Connect: started once, given a connector for each round."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from infra.ports import LOOPBACK, free_port
from infra.process import Process, StartError
from infra.setup import __main__ as set_up
from infra.setup import found, jars

_HEAP_MIB = 2_048
_READY_SECONDS, _ANSWER_SECONDS = 120.0, 10.0
_POLL_SECONDS = 0.02
_NOT_FOUND = 404
BATCH = 2_000
"""Rows a flush, and records a poll."""
KEY, VALUE = ("id",), ("title", "phone")
"""The columns that a message's key and its value carry, all of them text."""


class NotYet(Exception):  # noqa: N818 - Connect answers before it has all of its resources, and a connector has its status a moment after it is made
    """Connect does not know that path."""


class Sink:
    """One worker of Connect, beside the broker and the database. Methods block; call them in a thread from asynchronous code."""

    def __init__(self, home: Path, *, bootstrap: str, dsn: str) -> None:
        self._home, self._bootstrap, self._dsn = home, bootstrap, dsn
        self._process = Process("connect", pidfile=home / "connect.pid", log=home / "connect.log")
        self._port = 0

    def start(self) -> None:
        """Brings the jars if they are not here, starts the worker and waits until it answers. Raises StartError or SetupError."""
        if not jars.DEBEZIUM.complete:
            jars.bring(jars.DEBEZIUM, set_up.VENV_PYTHON, set_up.REQUIREMENTS / "maven.txt", set_up.say)
        java = found.java()
        if java is None:
            raise StartError("Java is not here; run `make setup`")
        self._home.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        properties = self._home / "worker.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in self._worker().items()))
        log4j = found.POM.with_name("log4j2.properties")
        options = [f"-Xmx{_HEAP_MIB}m", f"-Xms{_HEAP_MIB}m", "-XX:+UseParallelGC", f"-Dlog4j2.configurationFile={log4j}"]
        main = "org.apache.kafka.connect.cli.ConnectStandalone"
        self._process.start([str(java.path), *options, "-cp", f"{jars.DEBEZIUM.folder}/*", main, str(properties)])
        self._process.wait_until_ready(self._answers, timeout_seconds=_READY_SECONDS)

    def stop(self) -> None:
        """Ends it, by force where it must."""
        self._process.stop()

    def hold(self, name: str, topic: str, *, tasks: int) -> None:
        """A connector that reads this topic, empty as yet, and holds back. Raises StartError.

        It has to have run first: a standalone worker gives a connector that is made paused no tasks, not even later.
        """
        self._ask("POST", "/connectors", {"name": name, "config": self._connector(topic, tasks)})
        self._wait(name, "RUNNING", tasks)
        self._ask("PUT", f"/connectors/{name}/pause")
        self._wait(name, "PAUSED", tasks)

    def go(self, name: str) -> None:
        """It may begin."""
        self._ask("PUT", f"/connectors/{name}/resume")

    def check(self, name: str) -> list[str]:
        """The states of its tasks. Raises StartError with its own words when one has failed."""
        try:
            told = self._ask("GET", f"/connectors/{name}/status")["tasks"]
        except NotYet:
            return []
        for task in told:
            if task["state"] == "FAILED":
                raise StartError(f"a task of Debezium's sink failed: {_cause(task['trace'])}")
        return [task["state"] for task in told]

    def drop(self, name: str) -> None:
        """Ends the connector; what it has not written it never will."""
        self._ask("DELETE", f"/connectors/{name}")

    @property
    def pid(self) -> int:
        """The worker's process."""
        identity = self._process.identity()
        if identity is None:
            raise StartError(self._process.describe_failure("has ended"))
        return identity.pid

    def _worker(self) -> dict[str, str]:
        converter = "org.apache.kafka.connect.json.JsonConverter"
        return {
            "bootstrap.servers": self._bootstrap,
            "listeners": f"http://{LOOPBACK}:{self._port}",
            "key.converter": converter,
            "value.converter": converter,
            "key.converter.schema.content": json.dumps(_schema(KEY)),
            "value.converter.schema.content": json.dumps(_schema(VALUE)),
            "plugin.discovery": "hybrid_warn",
            "offset.storage.file.filename": str(self._home / "offsets"),
            "connector.client.config.override.policy": "All",
        }

    def _connector(self, topic: str, tasks: int) -> dict[str, str]:
        """As its documentation has it for throughput: batches, one write a row and batch (reduction buffer), rewritten by the driver."""
        place = urlsplit(self._dsn)
        return {
            "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
            "tasks.max": str(tasks),
            "topics": topic,
            "connection.url": f"jdbc:postgresql://{place.hostname}:{place.port}{place.path}?reWriteBatchedInserts=true",
            "connection.username": unquote(place.username or ""),
            "connection.password": unquote(place.password or ""),
            "collection.name.format": "people",
            "insert.mode": "upsert",
            "primary.key.mode": "record_key",
            "primary.key.fields": "id",
            "schema.evolution": "none",
            "batch.size": str(BATCH),
            "use.reduction.buffer": "true",
            "consumer.override.auto.offset.reset": "earliest",
            "consumer.override.max.poll.records": str(BATCH),
            "consumer.override.max.partition.fetch.bytes": str(4 << 20),
            "consumer.override.fetch.max.bytes": str(32 << 20),
        }

    def _wait(self, name: str, state: str, tasks: int) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            if self.check(name) == [state] * tasks:
                return
            if time.monotonic() > deadline:
                raise StartError(self._process.describe_failure(f"has no {tasks} tasks that are {state}"))
            time.sleep(_POLL_SECONDS)

    def _answers(self) -> bool:
        try:
            self._ask("GET", "/connectors")
        except (OSError, NotYet):
            return False
        return True

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Connect's REST interface. No proxy is asked: everything is on this machine."""
        request = urllib.request.Request(
            f"http://{LOOPBACK}:{self._port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_ANSWER_SECONDS) as answer:
                told = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == _NOT_FOUND:
                raise NotYet(path) from error
            raise StartError(f"Connect refuses {method} {path}: {error.read().decode(errors='replace')[:500]}") from error
        return json.loads(told) if told else None


def _cause(trace: str) -> str:
    """The innermost of what a trace of Java names."""
    return [line for line in trace.splitlines() if not line.startswith("\t")][-1]


def _schema(columns: Sequence[str]) -> dict[str, Any]:
    """Told to the converter (KIP-1054), so that no message has to carry it."""
    return {
        "type": "struct",
        "optional": False,
        "fields": [{"field": name, "type": "string", "optional": columns is not KEY} for name in columns],
    }
