"""Going back to a version of the rules: by command and by page; which rules are in use, without being told."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from typer.testing import CliRunner

from consumers.answers.rules import present_settings
from consumers.cli.application import app
from consumers.configuration.loading import Settings, load
from consumers.configuration.mapping.defaults import build
from consumers.configuration.rules import rules_part
from consumers.ledger.versions import numbered
from tests.consumers.console.served import served, settings_on
from tests.consumers.console.test_doors import deeds

pytestmark = pytest.mark.integration


@pytest.fixture
def file(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configured are the rules of version 2; version 1 had others for the title; version 3 is what a former Tandem has numbered."""
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("PG", postgres)
    monkeypatch.setenv("TANDEM_USER", "ann")
    settings_on(postgres, tmp_path)
    made = tmp_path / "tandem.yaml"
    now = made.read_text()
    made.write_text(now + "lead: {fields: {title: {rule: salesforce}}}\n")
    old = load(made, {"SECRET": "x", "PG": postgres})
    made.write_text(now)
    asyncio.run(number(postgres, [old, load(made, {"SECRET": "x", "PG": postgres})]))
    return made


async def number(postgres: str, told: list[Settings]) -> None:
    async with asyncpg.create_pool(postgres, min_size=1, max_size=1) as pool:
        for at, each in enumerate(told, 1):
            await numbered(pool, build(each), at * 1_000, rules_part(each))


def run(*words: str, file: Path) -> Any:
    return CliRunner().invoke(app, [*words, "--config", str(file)])


def test_a_version_is_gone_back_to_by_a_command(file: Path, postgres: str) -> None:
    text = file.read_text()
    told = run("config", "rollback", "1", "--json", file=file)
    assert told.exit_code == 6, told.output
    plan = json.loads(told.stdout)
    assert (plan["version"], plan["present"]) == (1, 2)
    assert [line.partition(":")[0] for line in plan["changes"]] == ["lead.title"]
    assert any(line.startswith("+") and "title" in line for line in plan["lines"])
    assert file.read_text() == text, "it was only looked at"
    assert run("config", "rollback", "2", file=file).exit_code == 0, "it is configured so"
    done = run("config", "rollback", "1", "--apply", "--reason", "titles got lost", file=file)
    assert done.exit_code == 0, done.output
    assert "start the workers" in done.stdout
    assert yaml.safe_load(file.read_text())["lead"] == {"fields": {"title": {"rule": "salesforce"}}}
    assert file.with_name("tandem.yaml.before-version-1").read_text() == text
    assert [path.name for path in file.parent.glob(".tandem.yaml*")] == []
    assert asyncio.run(deeds(postgres)) == [("ann", "config rollback")]
    for words in (("9",), ("9", "--apply"), ("1", "--apply")):
        assert run("config", "rollback", *words, file=file).exit_code == 1, words
    asyncio.run(number(postgres, [load(file, {"SECRET": "x", "PG": postgres})]))
    versions = json.loads(run("config", "versions", "--json", file=file).stdout)
    assert [each["number"] for each in versions] == [3, 2, 1], "gone back to, it is a version of its own"


def test_a_version_of_which_the_configuration_was_not_kept_says_so(file: Path, postgres: str) -> None:
    async def forget() -> None:
        connection = await asyncpg.connect(postgres)
        await connection.execute("update config_versions set file = null")
        await connection.close()

    asyncio.run(forget())
    told = run("config", "rollback", "1", file=file)
    assert (told.exit_code, "did not keep" in told.stderr) == (1, True)
    settings = load(file, {"SECRET": "x", "PG": postgres})
    assert asyncio.run(present_settings(settings)) == (0, None)
    asyncio.run(number(postgres, [settings]))
    assert asyncio.run(present_settings(settings)) == (2, None), "the next start of a worker fills it in"


def test_which_rules_are_in_use_the_ledger_knows(file: Path, postgres: str) -> None:
    environ = {"SECRET": "x", "PG": postgres}
    assert asyncio.run(present_settings(load(file, environ))) == (2, None)
    other = file.with_name("new.yaml")
    other.write_text(file.read_text() + "lead: {fields: {title: {rule: newest}}}\n")
    number_, found = asyncio.run(present_settings(load(other, environ)))
    assert (number_, found is not None and build(found).version) == (2, build(load(file, environ)).version)


async def test_the_page_of_a_version_shows_what_going_back_changes_and_does_it_when_named(file: Path, postgres: str) -> None:
    settings = load(file, {"SECRET": "x", "PG": postgres})
    async with served(settings, file=file) as browser:
        key = await browser.sign_in()
        page = (await browser.get("/rules"))[1]
        assert 'href="/rules/1"' in page
        page = (await browser.get("/rules/1"))[1]
        assert "title" in page
        assert "Go back to version 1" in page
        form = {"form_key": key, "why": "titles got lost"}
        before = file.read_text()
        status, page, _ = await browser.post("/rules/1", form)
        assert (status, "type version 1" in page, file.read_text() == before) == (400, True, True)
        status, page, _ = await browser.post("/rules/1", {**form, "typed": "version 1"})
        assert (status, "start the workers" in page) == (200, True)
        assert yaml.safe_load(file.read_text())["lead"] == {"fields": {"title": {"rule": "salesforce"}}}
        assert await deeds(postgres) == [("link:ann", "sign-in"), ("link:ann", "config rollback")]
        assert (await browser.get("/rules/9"))[0] == 404
