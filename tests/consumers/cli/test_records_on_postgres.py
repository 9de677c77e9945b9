"""`tandem record --at`, `--since`, and `tandem explain` on a ledger in PostgreSQL."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from consumers.cli.application import app
from consumers.ledger.port import Pair
from consumers.ledger.postgres.ledger import open_ledger
from consumers.merge.pair.decision import Decision, Origin, Ruling, Verdict
from consumers.merge.pair.state import Field, PairState, Record, Side
from streams.wire.events import Happened
from streams.wire.systems import LEAD, System

pytestmark = pytest.mark.integration
AT = 1_800_000_000_000
runner = CliRunner()


def judged(pair: int, at: int, system: System, value: str, version: int) -> Decision:
    event = Origin(topic="t", partition=0, offset=at, kind=Happened.UPDATED, at=AT + at, author="eva@example.com")
    ruling = Ruling(field="title", verdict=Verdict.ACCEPTED, value=value, agreed=value, version=version)
    record = "00QA0000001tXYZMA2" if system is System.SALESFORCE else "7"
    return Decision(kind="judged", at=AT + at, pair=pair, system=system, record=record, event=event, fields=(ruling,))


async def lived(dsn: str) -> int:
    """A lead whose title was edited twice, in two transactions; its pair's number."""
    ledger = await open_ledger(dsn)
    try:
        title = Field(value="CTO", version=2, salesforce=Side(seen="CEO", shows=1), marketo=Side(seen="CTO", shows=2))
        state = PairState(
            object=LEAD, fields={"title": title}, salesforce=Record(id="00QA0000001tXYZMA2", complete=True), marketo=Record(id="7")
        )  # fmt: skip
        pair = Pair(id=0, state=state, loaded=None)
        async with ledger.transaction() as tx:
            await tx.save([pair], AT)
            await tx.record([judged(pair.id, 1_000, System.SALESFORCE, "CEO", 1)])
        async with ledger.transaction() as tx:
            await tx.record([judged(pair.id, 9_000, System.MARKETO, "CTO", 2)])
        return pair.id
    finally:
        await ledger.close()


@pytest.fixture
def config(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("PG", postgres)
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


def told(*words: str, config: str) -> Any:
    result = runner.invoke(app, [*words, "--json", "--config", config])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def moment(at: int) -> str:
    return datetime.fromtimestamp((AT + at) / 1000, UTC).isoformat()


def test_a_record_at_a_moment_and_between_two(postgres: str, config: str) -> None:
    pair = f"pair:{asyncio.run(lived(postgres))}"
    (early,), (late,) = (told("record", pair, "--at", moment(at), config=config) for at in (5_000, 9_500))
    assert early["then"]["fields"]["title"]["agreed"]["value"] == "CEO"
    assert early["then"]["fields"]["title"]["marketo"] is None
    assert late["then"]["fields"]["title"]["agreed"]["value"] == "CTO"
    (changes,) = told("record", pair, "--since", moment(5_000), "--until", moment(9_500), config=config)
    assert {each["what"]: (each["before"], each["after"]) for each in changes["changes"] if each["field"]} == {
        "agreed": ("CEO", "CTO"),
        "marketo": (None, "CTO"),
    }
    shown = runner.invoke(app, ["record", pair, "--at", moment(5_000), "--config", config]).stdout
    assert "title" in shown
    assert "“CEO”" in shown


def test_a_story_as_it_was_and_of_the_whole_record(postgres: str, config: str) -> None:
    pair = f"pair:{asyncio.run(lived(postgres))}"
    (then,) = told("explain", pair, "title", "--no-live", "--at", moment(5_000), config=config)
    assert [each["value"] for each in then["chapters"]] == ["CEO"]
    assert then["now"] == ["Then: “CEO” was agreed, version 1; Salesforce showed “CEO”."]
    (whole,) = told("explain", pair, "--no-live", config=config)
    assert [(each["field"], each["value"], each["before"]) for each in whole["chapters"]] == [
        ("title", "CEO", {}),
        ("title", "CTO", {"salesforce": "CEO"}),
    ]
    assert "title: Now: Salesforce has “CEO” and is owed “CTO”." in whole["now"]


def test_what_asks_for_two_things_is_refused(config: str) -> None:
    result = runner.invoke(app, ["record", "pair:1", "--at", "1d", "--since", "2d", "--config", config])
    assert result.exit_code == 2
