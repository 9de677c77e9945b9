"""The order in which parts start and stop, and what is left when one of them fails. Parts are stand-ins here."""

import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from infra.kafka.admin import Report
from infra.postgres.server import DATABASE
from infra.process import Process, StartError
from infra.stack import stack as stack_module
from infra.stack.stack import PARTS, Lent, Stack
from infra.stack.tandem import Tandem, Worker

SANDBOX = {
    "salesforce": {"url": "http://localhost:1", "username": "a.person@example.com", "password": "person's"},
    "marketo": {"url": "http://localhost:2", "client_id": "person"},
    "sandbox": {"url": "http://localhost:3"},
    "tandem": {
        "salesforce": {
            "url": "http://localhost:1",
            "client_id": "t",
            "client_secret": "sf-secret",
            "username": "tandem@x",
            "user_id": "005",
        },
        "marketo": {"url": "http://localhost:2", "client_id": "t", "client_secret": "mk-secret"},
    },
}


class _Running:
    def __init__(self) -> None:
        self.now = False

    def running(self) -> bool:
        return self.now


class StandIn:
    """A part that only notes what is done with it."""

    bootstrap = "127.0.0.1:9"
    config: Path
    url = "http://localhost:4"

    def __init__(self, name: str, notes: list[str], *, fails: bool = False) -> None:
        self.name, self.notes, self.fails = name, notes, fails
        self.process: Any = _Running()

    def start(self) -> None:
        if self.fails:
            raise StartError(f"{self.name} fails")
        self.process.now = True
        self.notes.append(f"start {self.name}")

    def stop(self) -> bool:
        self.process.now = False
        self.notes.append(f"stop {self.name}")
        return True

    def kill(self) -> None:
        self.process.now = False
        self.notes.append(f"kill {self.name}")

    def ready(self) -> bool:
        return bool(self.process.running())

    def remove(self) -> None:
        self.notes.append(f"remove {self.name}")

    def dsn(self, database: str = DATABASE) -> str:
        return f"postgresql://tandem:pg-secret@127.0.0.1:8/{database}"

    def endpoints(self) -> dict[str, Any]:
        return SANDBOX


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def stack(tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch) -> Stack:
    return _stack(tmp_path, notes, monkeypatch)


def _stack(tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch, fails: Sequence[str] = (), lent: Lent | None = None) -> Stack:
    async def ensure_topics(bootstrap: str, _specs: object) -> Report:
        notes.append(f"topics {bootstrap}")
        return Report(created=(), drift=())

    async def migrate(_dsn: str) -> list[str]:
        notes.append("migrate")
        return []

    async def prepare(sandbox: str, _config: Path, _told: object) -> None:
        notes.append(f"prepare {sandbox}")

    monkeypatch.setattr(stack_module, "prepare", prepare)
    monkeypatch.setattr(stack_module, "ensure_topics", ensure_topics)
    monkeypatch.setattr(stack_module, "migrate", migrate)
    stack = Stack(tmp_path, lent=lent)
    stand_in_config = stack.tandem.config
    parts: dict[str, Any] = {name: StandIn(name, notes, fails=name in fails) for name in ("kafka", "postgres", "sandbox", "tandem")}
    if lent is None:
        stack.kafka, stack.postgres = parts["kafka"], parts["postgres"]
    stack.sandbox = parts["sandbox"]
    stack._grounds = {name: parts[name] for name in stack._grounds}
    parts["tandem"].config = stand_in_config
    stack.workers = {"tandem": parts["tandem"]}
    return stack


async def test_topics_and_migrations_come_between_the_servers_and_tandem(stack: Stack, notes: list[str]) -> None:
    await stack.up()
    assert sorted(notes[:3]) == ["start kafka", "start postgres", "start sandbox"]
    assert notes[3:] == ["topics 127.0.0.1:9", "migrate", "prepare http://localhost:3", "start tandem"]


async def test_servers_that_are_lent_are_neither_started_nor_stopped(
    tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka, postgres = (cast("Any", StandIn(name, notes)) for name in ("kafka", "postgres"))
    stack = _stack(tmp_path, notes, monkeypatch, lent=Lent(kafka=kafka, postgres=postgres, database="another"))
    endpoints = await stack.up()
    await stack.clean()
    assert endpoints["postgres"]["dsn"].endswith("/another")
    assert {"topics 127.0.0.1:9", "migrate"} <= set(notes)
    assert not any(note.endswith((" kafka", " postgres")) for note in notes)


async def test_the_systems_are_prepared_once(stack: Stack, notes: list[str]) -> None:
    await stack.up()
    await stack.down()
    await stack.up()
    assert sum(note.startswith("prepare") for note in notes) == 1


async def test_down_goes_the_other_way_and_removes_the_endpoints(stack: Stack, notes: list[str]) -> None:
    await stack.up()
    notes.clear()
    await stack.down()
    assert notes == ["stop tandem", "stop sandbox", "stop postgres", "stop kafka"]
    assert not (stack.run_dir / "endpoints.json").exists()


async def test_endpoints_are_as_everybody_scripts_against_them_and_for_their_owner_alone(stack: Stack) -> None:
    await stack.up()
    file = stack.run_dir / "endpoints.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = json.loads(file.read_text())
    assert list(written) == ["salesforce", "marketo", "sandbox", "kafka", "postgres", "tandem"]
    assert written["salesforce"] == SANDBOX["salesforce"]
    assert written["kafka"] == {"bootstrap_servers": "127.0.0.1:9"}
    assert written["tandem"] == {"url": "http://localhost:4"}
    assert "sf-secret" not in file.read_text(), "Tandem's own credentials are not for everybody"


@pytest.mark.parametrize("part", ["kafka", "postgres", "sandbox", "tandem"])
async def test_when_a_part_fails_the_others_are_stopped_again(
    tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    stack = _stack(tmp_path, notes, monkeypatch, fails=[part])
    with pytest.raises(StartError, match=f"{part} fails"):
        await stack.up()
    assert not any(other.process.running() for other in stack.parts.values())
    assert not (tmp_path / "endpoints.json").exists()


async def test_what_ran_before_a_failed_up_goes_on_running(tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stack = _stack(tmp_path, notes, monkeypatch, fails=["tandem"])
    stack.kafka.start()
    with pytest.raises(StartError):
        await stack.up()
    assert [name for name, part in stack.parts.items() if part.process.running()] == ["kafka"]


async def test_clean_removes_every_part_and_keeps_reports(stack: Stack, notes: list[str]) -> None:
    await stack.up()
    (stack.run_dir / "demo.json").write_text("{}")
    (stack.run_dir / "logs").mkdir()
    await stack.clean()
    assert {note for note in notes if note.startswith("remove")} == {f"remove {name}" for name in stack.parts}
    assert [path.name for path in stack.run_dir.iterdir()] == ["demo.json"]


@pytest.mark.parametrize("parts", [set(), {"kafka", "zookeeper"}, {"kafka", "tandem"}])
def test_impossible_stacks_are_refused(tmp_path: Path, parts: set[str]) -> None:
    with pytest.raises(ValueError, match=r"parts are some of|tandem needs"):
        Stack(tmp_path, parts=parts)


async def test_down_also_stops_a_worker_that_another_stack_had_named(tmp_path: Path) -> None:
    pidfile = tmp_path / "tandem" / "observe-7.pid"
    process = Process("observe-7", pidfile=pidfile, log=tmp_path / "log")
    process.start(["sleep", "600"])
    await Stack(tmp_path).down()
    assert not process.running()
    assert not pidfile.exists()


STAND_IN_FOR_TANDEM = """
import http.server, json, os
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
        self.wfile.write(json.dumps({k: v for k, v in os.environ.items() if k.startswith("TANDEM_")}).encode())
    def log_message(self, *_):
        pass
http.server.HTTPServer((os.environ["TANDEM_WEB_HOST"], int(os.environ["TANDEM_WEB_PORT"])), Page).serve_forever()
"""


async def test_a_worker_is_told_where_everything_is_and_its_secrets_stay_in_files(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_MARKETO_URL", "left over from another day")
    monkeypatch.setattr("infra.stack.tandem.python_program", lambda *_words: ["python3", "-c", STAND_IN_FOR_TANDEM])
    worker = Tandem(stack.run_dir / "tandem", Worker(environment={"TANDEM_EXTRA": "1"}), Path("tandem.yaml"))
    stack.workers = {"tandem": worker}
    try:
        await stack.up()
        identity = worker.process.identity()
        assert identity is not None
        pairs = Path(f"/proc/{identity.pid}/environ").read_text().split("\0")
    finally:
        await stack.down()
    told = dict(pair.split("=", 1) for pair in pairs if pair.startswith("TANDEM_"))
    assert told["TANDEM_KAFKA_BOOTSTRAP"] == "127.0.0.1:9"
    assert told["TANDEM_MARKETO_URL"] == "http://localhost:2"
    assert told["TANDEM_EXTRA"] == "1"
    for secret, value in (
        ("SALESFORCE_CLIENT_SECRET", "sf-secret"),
        ("MARKETO_CLIENT_SECRET", "mk-secret"),
        ("POSTGRES_DSN", stack.postgres.dsn()),
    ):
        file = Path(told[f"TANDEM_{secret}_FILE"])
        assert file.read_text() == value
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert value not in told.values()


def test_all_parts_is_the_default(tmp_path: Path) -> None:
    assert set(Stack(tmp_path).parts) == PARTS
