"""A whole stack: the ledger is built again from its topics, and other rules are tried on them, while people work on."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from infra.postgres.migrate import migrate
from tests.infra.stack.both import STREAMS, Both, a_stack, tandem, until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAMES = ("Ada", "Bob", "Cyd", "Dan", "Eve", "Fay")


async def at_work(both: Both) -> None:
    """People come, are edited on both sides, belong to an account, and one goes; until all of it is in step."""
    account = await both.create("Account", Name="Acme", Website="acme.example")
    leads = {name: await both.lead(name, Title="first") for name in NAMES[:3]}
    contacts = {name: await both.contact(name, AccountId=account) for name in NAMES[3:]}
    people = {name: await both.person(name) for name in NAMES}
    for name, lead in leads.items():
        await both.edit("Lead", lead, Title=f"second of {name}")
    for name in contacts:
        await both.touch(people[name], title=f"typed in Marketo of {name}")
    for name in leads:
        await both.person(name, title=f"second of {name}")
    for name, contact in contacts.items():
        await both.record("salesforce/Contact", contact, Title=f"typed in Marketo of {name}")
    await both.does("salesforce/delete", object="Lead", id=leads["Cyd"])
    await both.person("Cyd", sfIsDeleted=True)
    await in_step(both)


async def in_step(both: Both) -> None:
    """Nothing is owed, under way or unread, and all of it is on the topics."""

    async def calm() -> bool:
        code, said = await tandem(both, "plan", "--json")
        return code == 0 and json.loads(said) == {"records": []}

    await until(calm, "nothing is to be written")

    async def published() -> bool:
        connection = await asyncpg.connect(both.stack.dsn())
        try:
            last = await connection.fetchval("select coalesce(max(id), 0) from decision_blocks")
            out = await connection.fetchval("select coalesce(max(published), 0) from outbox where relation = 'decision_blocks'")
        finally:
            await connection.close()
        return bool(last) and out >= last

    await until(published, "every decision is on its topic")


async def second_database(both: Both) -> str:
    """Empty, with every migration."""
    connection = await asyncpg.connect(both.stack.dsn())
    await connection.execute("create database second")
    await connection.close()
    dsn: str = both.stack.postgres.dsn("second")
    await migrate(dsn)
    return dsn


def under_other_rules(both: Both, home: Path) -> Path:
    """Titles flow from Salesforce alone."""
    config = yaml.safe_load(both.stack.tandem.config.read_text())
    config["contact"] = {"fields": {"title": {"direction": "to_marketo"}}}
    path = home / "new.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


async def test_the_ledger_is_built_again_and_other_rules_are_tried(tmp_path: Path) -> None:
    async with a_stack(tmp_path, STREAMS) as both:
        await at_work(both)
        second = {"TANDEM_REBUILD_DSN": await second_database(both)}
        code, said = await tandem(both, "rebuild", "--compare", "--json", environ=second)
        told: dict[str, Any] = json.loads(said)
        assert (code, told["compared"]["different"], told["compared"]["missing"]) == (0, 0, 0), said
        assert told["compared"]["equal"] >= len(NAMES)
        code, said = await tandem(both, "rebuild", environ=second)
        assert code == 2
        assert "a ledger in that database already" in said
        present = str(both.stack.tandem.config)
        code, said = await tandem(both, "plan", "--present", present, "--json")
        assert (code, json.loads(said)["differences"]) == (0, []), said
        code, said = await tandem(both, "config", "versions", "--json")
        assert [(each["number"], each["changed"]) for each in json.loads(said)] == [(1, [])]
        code, said = await tandem(both, "replay", "decisions", "--kind", "judged", "--config-version", "1")
        sent = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        assert code == 0
        assert {each["data"]["config"] for each in sent} == {1}
        history = await both.history()
        code, said = await tandem(both, "plan", "--config", str(under_other_rules(both, tmp_path)), "--present", present, "--json")
        assert code == 6, said
        found = {(each["object"], each["field"]): each for each in json.loads(said)["differences"]}
        assert found["contact", "title"]["outcomes"] == len(NAMES[3:])
        assert found["contact", "title"]["records"] == len(NAMES[3:])
        assert len(await both.history()) == len(history)
