"""`tandem person` against a real ledger: whom it finds, what it says, and that it is asked for once. No worker runs here."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from consumers.cli.application import app
from consumers.errands.errand import Done, Outcome
from consumers.errands.store import Store
from consumers.ledger.port import Pair
from consumers.ledger.postgres.ledger import open_ledger
from consumers.merge.pair.state import PairState
from tests.consumers.cli.test_person_commands import FILE
from tests.consumers.merge.person_pair import MK, T, paired
from tests.consumers.pairs_in_memory import lone, renamed

pytestmark = pytest.mark.integration
runner = CliRunner()


@pytest.fixture
def config(postgres: str, tmp_path: Path) -> tuple[str, dict[str, str]]:
    file = tmp_path / "tandem.yaml"
    file.write_text(FILE)
    return str(file), {"X": "secret", "DSN": postgres, "COLUMNS": "250", "NO_COLOR": "1"}


def filled(dsn: str, *states: PairState) -> None:
    async def fill() -> None:
        ledger = await open_ledger(dsn)
        try:
            async with ledger.transaction() as tx:
                pairs = [Pair(id=0, state=state, loaded=None, match_key=str(state.fields["email"].value)) for state in states]
                await tx.save(pairs, T)
        finally:
            await ledger.close()

    asyncio.run(fill())


def person(config: tuple[str, dict[str, str]], *arguments: str) -> Result:
    return runner.invoke(app, ["person", *arguments, "-c", config[0]], env=config[1])


def told(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def settled(dsn: str, outcome: Outcome) -> None:
    """As a worker would."""

    async def settle() -> None:
        import asyncpg  # noqa: PLC0415 - of this step alone

        async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
            store = Store(pool)
            await store.settle({each.id: outcome for each in await store.due(2**60, 10)}, {}, T)

    asyncio.run(settle())


def test_without_apply_it_is_only_said(config: tuple[str, dict[str, str]], postgres: str) -> None:
    filled(postgres, lone(1, MK))
    for name in ("1001", "p1@example.com", "pair:1"):
        said = told(person(config, "push", name, "--json"))
        assert (said["state"], said["marketo_id"]) == ("planned", "1001")
        assert said["steps"][0].startswith("becomes a lead in Salesforce")
    shown = person(config, "create-task", "1001", "--subject", "Call")
    assert "Nothing was done; --apply does it." in shown.stdout
    assert "a task 'Call' is made for it" in shown.stdout
    assert "Nothing was asked for." in person(config, "asked").stdout


def test_what_no_worker_does_waits_and_says_so(config: tuple[str, dict[str, str]], postgres: str) -> None:
    filled(postgres, lone(1, MK))
    done = person(config, "push", "1001", "--apply", "--wait", "0", "--json")
    assert (done.exit_code, told(done)["state"]) == (0, "open")
    assert "no worker runs" in told(done)["reason"]
    late = person(config, "push", "1001", "--apply", "--wait", "1")
    assert late.exit_code == 1
    (first, second) = json.loads(person(config, "asked", "--json").stdout)
    assert (first["what"], first["person"], first["state"], first["asked_by"]) == ("push", "1001", "open", "tandem person")
    assert second["state"] == "open"


def test_under_a_key_it_is_asked_for_once(config: tuple[str, dict[str, str]], postgres: str) -> None:
    filled(postgres, lone(1, MK), renamed(paired(), 2))
    task: Sequence[str] = ("create-task", "1001", "--subject", "Call", "--apply", "--key", "k", "--json", "--wait", "0")
    name = told(person(config, *task))["name"]
    settled(postgres, Done(reason="the task was made", id="00Tx"))
    again = person(config, *task)
    assert (told(again)["name"], told(again)["state"], told(again)["record"]) == (name, "done", "00Tx")
    other = told(person(config, "create-task", "1002", *task[2:]))
    assert (other["name"] != name, other["state"]) == (True, "open"), "a key is one person's, for one thing"
    lines = json.loads(person(config, "asked", "--only", "done", "--json").stdout)
    assert [(each["person"], each["record"]) for each in lines] == [("1001", "00Tx")]
    assert "the task was made" in person(config, "asked").stdout


def test_whoever_is_not_known_or_several_is_not_asked_for(config: tuple[str, dict[str, str]], postgres: str) -> None:
    one, other = lone(1, MK), lone(2, MK)
    other = msgspec.structs.replace(other, fields={**other.fields, "email": one.fields["email"]})
    filled(postgres, one, other)
    nobody = person(config, "push", "nobody@example.com", "--apply")
    assert (nobody.exit_code, "no person with the e-mail" in nobody.output) == (1, True)
    several = person(config, "push", "p1@example.com", "--apply")
    assert (several.exit_code, "may be several people (1001, 1002)" in several.output) == (1, True)
    new = told(person(config, "push", "777", "--json"))
    assert new["steps"][0] == "the ledger doesn't know this person yet: the Marketo record is read"
    assert "Nothing was asked for." in person(config, "asked").stdout
