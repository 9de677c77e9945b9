"""Whatever a person does by hand is in the audit log, before it is done."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer.main
import yaml
from typer.testing import CliRunner

import consumers.answers.linking
from consumers.cli.application import app
from tests.consumers.cli.test_command_line import COMMANDS

ACTS: dict[tuple[str, ...], str] = {
    ("link",): "link",
    ("unlink",): "unlink",
    ("confirm-deletes",): "confirm-deletes",
    ("copy", "start"): "copy start",
    ("copy", "pause"): "copy pause",
    ("copy", "resume"): "copy resume",
    ("copy", "cancel"): "copy cancel",
    ("coverage", "accept"): "accept-hole",
    ("drift", "repair"): "repair",
    ("subscribe",): "reveal",
    ("plan",): "reveal",
    ("rebuild",): "rebuild",
    ("replay",): "replay",
    ("dead-letters", "show"): "reveal",
    ("pause",): "pause",
    ("undo",): "undo",
    ("config", "rollback"): "config rollback",
    ("force",): "force",
    ("support-bundle",): "reveal",
    ("reread",): "reread",
    ("canary",): "canary",
    ("reconcile", "now"): "reconcile now",
    ("resume",): "resume",
    ("dead-letters", "retry"): "dead-letters retry",
    ("dead-letters", "discard"): "dead-letters discard",
    ("holds", "retry"): "holds retry",
    ("holds", "resolve"): "holds resolve",
    ("conflicts", "resolve"): "conflicts resolve",
    ("console", "link"): "console link",
    ("schemas",): "schemas register",
    **{("deliveries", act): f"deliveries {act}" for act in ("create", "pause", "resume", "test", "rotate", "rewind", "delete")},
    **{("person", what): f"person {what}" for what in ("push", "add-to-campaign", "change-owner", "create-task", "convert")},
}
"""Commands that change something, or show what is masked, and what the log calls that."""
TELLS = {
    ("run",), ("status",), ("list",), ("record",), ("explain",), ("check",), ("topics",), ("audit-log",), ("visibility",), ("fields",),
    ("links",), ("cycles",), ("budget",), ("copy", "plan"), ("copy", "status"), ("custom-objects", "plan"), ("person", "asked"),
    ("console", "password"), ("verify",),
    ("config", "show"), ("config", "mapping"), ("config", "schema"), ("config", "reference"), ("config", "versions"),
    ("dead-letters", "list"), ("holds", "list"), ("holds", "show"), ("conflicts", "list"), ("conflicts", "show"), ("paused",), ("doctor",),
    ("deliveries", "list"), ("deliveries", "show"),
}  # fmt: skip
IN_MARKETO = {("setup",), ("custom-objects", "apply")}
"""What they make stands in Marketo's own audit trail; they work before there is a ledger."""
runner = CliRunner()


def test_of_every_command_it_is_known_whether_it_acts() -> None:
    assert set(COMMANDS) == set(ACTS) | TELLS | IN_MARKETO
    assert typer.main.get_command(app) is not None


@pytest.fixture
def config(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("PG", postgres)
    monkeypatch.setenv("TANDEM_USER", "ann")
    system = {"client_id": "x", "client_secret": {"env": "SECRET"}}
    told = {
        "salesforce": {"url": "https://a.my.salesforce.com", **system},
        "marketo": {"url": "http://127.0.0.1:1", **system},
        "kafka": {"bootstrap_servers": "127.0.0.1:1"},
        "postgres": {"dsn": {"env": "PG"}},
    }
    file = tmp_path / "tandem.yaml"
    file.write_text(yaml.safe_dump(told))
    return str(file)


def run(*words: str, config: str) -> Any:
    return runner.invoke(app, [*words, "--config", config])


def log(config: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("audit-log", "--json", config=config).stdout)
    return found


@pytest.mark.integration
@pytest.mark.parametrize(
    ("words", "act", "what", "code"),
    [
        (
            ["pause", "--to", "marketo", "--kind", "lead", "--reason", "a meeting"],
            "pause",
            {"to": "marketo", "kind": "lead", "records": []},
            0,
        ),
        (["resume", "--all", "--reason", "a meeting"], "resume", {"to": "both", "kind": "", "records": []}, 1),
        (
            ["dead-letters", "discard", "7", "--apply", "--reason", "a meeting"],
            "dead-letters discard",
            {"letters": [7], "cause": "", "all": False},
            0,
        ),
        (["copy", "pause", "--reason", "a meeting"], "copy pause", {}, 1),
        (["copy", "resume", "--reason", "a meeting"], "copy resume", {}, 1),
        (["copy", "cancel", "--reason", "a meeting"], "copy cancel", {}, 1),
        (["coverage", "accept", "7", "--by", "Ada", "--reason", "a meeting"], "accept-hole", {"hole": 7, "by": "Ada"}, 1),
        (["drift", "repair", "--apply", "--object", "lead", "--reason", "a meeting"], "repair", {"object": "lead", "most": 1_000}, 0),
    ],
)
def test_what_is_asked_for_is_written_down_even_where_it_comes_to_nothing(
    words: list[str], act: str, what: dict[str, Any], code: int, config: str
) -> None:
    told = run(*words, config=config)
    assert told.exit_code == code, told.output
    assert [(each["who"], each["act"], each["what"], each["why"]) for each in log(config)] == [("ann", act, what, "a meeting")]


@pytest.mark.integration
def test_what_only_tells_is_not_written_down(config: str) -> None:
    assert run("drift", "repair", config=config).exit_code == 0
    assert run("links", config=config).exit_code == 0
    assert log(config) == []


@pytest.mark.integration
def test_confirmed_deletes_are_written_down_with_how_many_they_were(config: str, postgres: str) -> None:
    async def brake() -> None:
        connection = await asyncpg.connect(postgres)
        await connection.execute(
            "insert into braked_deletes (object, gone, of_all, until_ms, examples, since_ms) values ('lead', 90, 100, 5, '{}', 1)"
        )
        await connection.close()

    asyncio.run(brake())
    assert run("confirm-deletes", "lead", "--yes", "--reason", "spring cleaning", config=config).exit_code == 0
    [deed] = log(config)
    assert (deed["act"], deed["what"], deed["why"]) == ("confirm-deletes", {"object": "lead", "gone": 90, "until_ms": 5}, "spring cleaning")


@pytest.mark.integration
def test_nothing_is_done_that_can_not_be_written_down(config: str, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    async def unlinked(_settings: object, campaign: str) -> None:
        done.append(campaign)

    monkeypatch.setattr(consumers.answers.linking, "unlinked", unlinked)

    async def lock_the_log() -> None:
        connection = await asyncpg.connect(postgres)
        await connection.execute("drop table audit_log")
        await connection.close()

    asyncio.run(lock_the_log())
    told = run("unlink", "7015f000001AbCdAAK", config=config)
    assert told.exit_code != 0
    assert done == []
