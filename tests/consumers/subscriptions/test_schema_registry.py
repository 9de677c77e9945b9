"""Schemas in a registry: asked about first, registered all or none, the same again the second time."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from consumers.cli.application import app
from consumers.kinds.registry import STANDARD
from consumers.merge.pair.decision import Decision
from consumers.merge.pair.decision import encode as encode_decision
from consumers.subscriptions.registered import RegistryAccess, Stand, looked_up, register, wanted
from infra.ports import free_port
from streams.wire.codec import encode
from streams.wire.errors import Fatal, Retry
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import LEAD, System
from streams.wire.topics import DECISIONS
from tests.consumers.subscriptions.stub_registry import StubRegistry, stub_registry

runner = CliRunner()
SUBJECT = f"{DECISIONS}-value"


def access(stub: StubRegistry, **told: str) -> RegistryAccess:
    return RegistryAccess(url=stub.url, compatibility="FORWARD", **told)


def without(field: str) -> str:
    """Our schema of decisions as it was before a key was added to it."""
    told: dict[str, Any] = json.loads(wanted(STANDARD)[SUBJECT][1])
    del told["$defs"]["Decision"]["properties"][field]
    return json.dumps(told)


def test_each_schema_stands_by_itself_and_is_true_of_messages() -> None:
    known = wanted(STANDARD)
    for _, schema in known.values():
        Draft202012Validator.check_schema(json.loads(schema))
    lead = ChangeEvent(system=System.SALESFORCE, object=LEAD, id="00Q", kind=Happened.UPDATED, source="cdc", at=1, fields={"Title": "x"})
    decision = Decision(kind="judged", at=1, pair=1, system=System.SALESFORCE, record="00Q")
    for subject, value in (("crm.salesforce.lead.v1-value", encode(lead)), (SUBJECT, encode_decision(decision))):
        validator = Draft202012Validator(json.loads(known[subject][1]))
        validator.validate(json.loads(value))
        assert not validator.is_valid({"system": 7})


async def test_registered_once_they_are_the_same_ever_after() -> None:
    async with stub_registry() as stub:
        assert {each.stand for each in await looked_up(access(stub), STANDARD)} == {Stand.NEW}
        assert stub.writes == 0, "it was only asked"
        first = await register(access(stub), STANDARD)
        assert set(stub.modes.values()) == {"FORWARD"}
        assert {each.name for each in first} == set(stub.versions) == set(wanted(STANDARD))
        again = await register(access(stub), STANDARD)
        assert [(each.name, each.id) for each in again] == [(each.name, each.id) for each in first]
        assert {each.stand for each in again} == {Stand.SAME}
        assert stub.writes == len(first)


async def test_a_key_that_was_added_is_another_version() -> None:
    async with stub_registry() as stub:
        stub.put(SUBJECT, without("detail"))
        stub.modes[SUBJECT] = "FORWARD"
        [changed] = [each for each in await register(access(stub), STANDARD) if each.name == SUBJECT]
        assert changed.stand is Stand.CHANGED
        assert stub.versions[SUBJECT] == [1, changed.id]


async def test_one_that_may_not_follow_keeps_all_from_being_registered() -> None:
    async with stub_registry() as stub:
        stub.put(SUBJECT, without("detail"))
        found = await register(access(stub), STANDARD)
        [wrong] = [each for each in found if each.stand is Stand.INCOMPATIBLE]
        assert (wrong.name, wrong.why) == (SUBJECT, ("PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL: detail",))
        assert stub.writes == 0


async def test_who_asks_is_told_and_what_is_wrong_is_said() -> None:
    async with stub_registry(locked=True) as stub:
        assert len(await looked_up(access(stub, username="tandem", password="secret"), STANDARD)) == len(wanted(STANDARD))
        with pytest.raises(Fatal, match="refuses us") as refused:
            await looked_up(access(stub, username="tandem", password="wrong"), STANDARD)
        assert "wrong" not in str(refused.value)
        with pytest.raises(Fatal, match="no schema registry"):
            await looked_up(RegistryAccess(url=f"{stub.url}/elsewhere", username="tandem", password="secret"), STANDARD)
    with pytest.raises(Retry, match="can't be reached"):
        await looked_up(RegistryAccess(url=f"http://127.0.0.1:{free_port()}"), STANDARD)


@pytest.mark.integration
async def test_the_command_looks_first_registers_and_notes_it(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("PG", postgres)
    system = {"client_id": "x", "client_secret": {"env": "SECRET"}}

    async def run(*words: str) -> Any:
        return await asyncio.to_thread(runner.invoke, app, [*words, "--json", "--config", str(file)])

    async with stub_registry() as stub:
        told = {
            "salesforce": {"url": "https://a.my.salesforce.com", **system},
            "marketo": {"url": "http://127.0.0.1:1", **system},
            "kafka": {"bootstrap_servers": "127.0.0.1:1"},
            "postgres": {"dsn": {"env": "PG"}},
            "schema_registry": {"url": stub.url},
        }
        file = tmp_path / "tandem.yaml"
        file.write_text(yaml.safe_dump(told))
        assert (await run("schemas")).exit_code == 6
        done = await run("schemas", "--register", "--reason", "set-up")
        assert done.exit_code == 0, done.output
        assert {each["stand"] for each in json.loads(done.stdout)} == {"new"}
        assert (await run("schemas")).exit_code == 0
        log = json.loads((await run("audit-log")).stdout)
        assert [(each["act"], each["what"], each["why"]) for each in log] == [("schemas register", {"registry": stub.url}, "set-up")]
