"""A whole stack on the sandbox, and a person at the desk: what waits is shown, tried out, and done by the running worker."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaProducer

from infra.stack.stack import CONFIG, Lent
from tests.infra.stack.both import STREAMS, Both, a_stack, plays, tandem, until

pytestmark = pytest.mark.integration
CHANGES, FINE = 6, 0


def configured(home: Path) -> Path:
    """A person decides about titles."""
    config = yaml.safe_load(CONFIG.read_text())
    config.setdefault("lead", {}).setdefault("fields", {})["title"] = {"rule": "review"}
    path = home / "base.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


async def told(both: Both, *arguments: str) -> tuple[int, Any]:
    code, said = await tandem(both, *arguments, "--json")
    try:
        return code, json.loads(said)
    except json.JSONDecodeError:
        raise AssertionError(f"{arguments}: {code} {said}") from None


async def a_conflict(both: Both) -> None:
    """Paused, so that neither side hears of the other's edit; then decided, and written by the worker once it goes on."""
    ada = await both.lead("Desk", Title="a")
    person = await both.person("Desk", title="a")
    code, queued = await told(both, "pause", "desk@example.com", "--reason", "a talk")
    assert (code, {each["pause"]["why"] for each in queued}) == (FINE, {"a talk"})
    await both.edit("Lead", ada, Title="b")

    async def judged() -> bool:
        _, paused = await told(both, "paused")
        return any(each["records"] for each in paused)

    await until(judged, "Salesforce's edit queues")
    await both.touch(person, title="c")

    conflicts: list[dict[str, Any]] = []

    async def shown() -> bool:
        conflicts[:] = (await told(both, "conflicts", "show", "desk@example.com"))[1]
        return [(each["salesforce"], each["base"], each["marketo"]) for each in conflicts] == [("b", "a", "c")]

    await until(shown, "the conflict is shown with what stood before", lambda: conflicts)
    _, status = await tandem(both, "status")
    assert "is paused (by" in status
    assert "a talk" in status
    resolve = ("conflicts", "resolve", "desk@example.com", "title", "--take", "salesforce")
    code, (tried,) = await told(both, *resolve)
    assert (code, tried["writes"][0]["system"], tried["writes"][0]["fields"]) == (CHANGES, "marketo", {"title": "b"})
    assert (await told(both, *resolve, "--apply", "--reason", "asked her"))[0] == FINE
    assert (await both.people())["Desk"]["title"] == "c", "it is paused still"
    code, ended = await told(both, "resume", "desk@example.com")
    assert (code, {each["records"] for each in ended}) == (FINE, {0, 1})
    await both.person("Desk", title="b")
    code, rule = await told(both, *resolve, "--as-rule")
    assert yaml.safe_load(rule["yaml"]) == {"lead": {"fields": {"title": {"rule": "salesforce"}}}}


async def several_who_may_be_meant(both: Both) -> None:
    """Two people of one address in Marketo, and a lead: a person chooses."""
    for title in ("one", "other"):
        await both.does("marketo/person/create", fields={"lastName": "Twin", "email": "twin@example.com", "title": title})

    async def known() -> bool:
        return len((await told(both, "record", "twin@example.com"))[1].get("records", ())) == 2

    await until(known, "both are known", seconds=240)
    lead = await both.create("Lead", LastName="Twin", Company="Acme", Email="twin@example.com", City="Paris")

    async def held() -> bool:
        return any(each["ambiguity"] for each in (await told(both, "holds", "show", lead))[1])

    await until(held, "the lead waits for a person")
    ((shown,),) = [(await told(both, "holds", "show", lead))[1]]
    other = next(each for each in shown["ambiguity"]["candidates"] if each["values"]["title"] == "other")
    resolve = ("holds", "resolve", lead, "--with", f"pair:{other['pair']}")
    assert (await told(both, *resolve))[0] == CHANGES
    assert (await told(both, *resolve, "--apply", "--reason", "it is her"))[0] == FINE
    await both.record("marketo/Lead", other["marketo_id"], city="Paris")
    assert len(await both.named("Twin")) == 2


async def a_poisoned_message(both: Both) -> None:
    """It waits alone; its record is read instead, and what came after it is not held up."""
    victim, other = await both.lead("Victim", Title="a"), await both.lead("Other", Title="a")
    await both.person("Victim", title="a")
    producer = AIOKafkaProducer(bootstrap_servers=both.stack.endpoints()["kafka"]["bootstrap_servers"])
    await producer.start()
    try:
        await producer.send_and_wait("crm.salesforce.lead.v1", key=f"lead:{victim}".encode(), value=b'{"poison"')
    finally:
        await producer.stop()
    letters: list[dict[str, Any]] = []

    async def buried() -> bool:
        letters[:] = [each for each in (await told(both, "dead-letters", "list"))[1]["letters"] if victim in each["record"]]
        return bool(letters)

    await until(buried, "it is a dead letter")
    await both.edit("Lead", other, Title="b")
    await both.edit("Lead", victim, Title="b")
    await both.person("Other", title="b")
    await both.person("Victim", title="b")
    number = str(letters[0]["number"])
    assert (await told(both, "dead-letters", "retry", number))[0] == CHANGES
    assert (await told(both, "dead-letters", "retry", number, "--apply"))[0] == FINE
    assert (await told(both, "dead-letters", "show", number))[1][0]["closed_how"] == "retried"


async def a_bad_import(both: Both) -> None:
    """Undone on both sides where it still stands; what somebody has changed since is left, and named."""
    leads = {name: await both.lead(name, Fax="1") for name in ("Bad", "Mended")}
    for name in leads:
        await both.person(name, fax="1")
    begin = datetime.now(UTC)
    for lead in leads.values():
        await both.edit("Lead", lead, Fax="BAD")
    for name in leads:
        await both.person(name, fax="BAD")
    end = datetime.now(UTC) + timedelta(seconds=1)

    async def later() -> bool:
        return datetime.now(UTC) > end + timedelta(seconds=1)

    await until(later, "a second has passed")
    await both.edit("Lead", leads["Mended"], Fax="3")
    await both.person("Mended", fax="3")
    undo = ("undo", "--between", f"{begin:%Y-%m-%dT%H:%M:%S}Z..{end.isoformat()}", "--field", "fax")
    code, tried = await told(both, *undo)
    assert (code, tried["fields"]) == (CHANGES, 1)
    code, done = await told(both, *undo, "--apply", "--reason", "the wrong file")
    assert (code, done["fields"], [each["record"] for each in done["kept"]]) == (1, 1, [leads["Mended"]])
    await both.person("Bad", fax="1")
    await both.record("salesforce/Lead", leads["Bad"], Fax="1")
    assert (await told(both, "undo", "--cause", done["cause"]))[1]["fields"] == 1, "it can be undone itself"


@pytest.mark.slow
async def test_a_person_at_the_desk(tmp_path: Path, lent: Lent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.infra.stack.both.CONFIG", configured(tmp_path))
    async with a_stack(tmp_path, STREAMS, lent=lent) as both:
        await plays(both, a_conflict, several_who_may_be_meant, a_poisoned_message, a_bad_import)
        acts = {each["act"] for each in (await told(both, "audit-log"))[1]}
    assert {"pause", "resume", "undo", "conflicts resolve", "holds resolve", "dead-letters retry"} <= acts
