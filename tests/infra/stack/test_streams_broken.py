"""A whole stack on the sandbox whose streams are broken: both sides agree in the end, and meanwhile Tandem tells what it can't know."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from consumers.kinds.registry import STANDARD
from infra.kafka.admin import ensure_topics
from streams.wire.topics import all_topics
from tests.infra.stack.both import STREAMS, Both, Row, a_stack, tandem, until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

WAITED_SECONDS = 400
"""A stream has its time to bring what a poll has found."""
TOPIC = "crm.salesforce.lead.v1"
ALIKE = {"LastName": "lastName", "Title": "title", "City": "city", "Phone": "phone"}
FOREIGN = (
    "update source_positions set position = jsonb_set(position::jsonb, '{replay_id}', '987654321')::text where source = 'salesforce.cdc'"
)


UNREADABLE = """
update source_positions set position = '{"what'
where source = any(array['salesforce.cdc', 'salesforce.poll.lead', 'marketo.activities', 'marketo.poll', 'marketo.programs'])
"""
LOST = (
    "update source_positions set position = jsonb_set(position::jsonb, '{changes}', '\"lost\"')::text where source = 'marketo.activities'"
)


async def cycles(both: Both, *arguments: str) -> list[dict[str, Any]]:
    _, said = await tandem(both, "cycles", "--json", *arguments)
    told: list[dict[str, Any]] = json.loads(said)
    return told


async def holes(both: Both) -> dict[str, list[Row]]:
    """By their cause, the latest last."""
    code, said = await tandem(both, "coverage", "--json", "--hours", "9000")
    found: dict[str, list[Row]] = {}
    for hole in json.loads(said)["holes"]:
        found.setdefault(hole["cause"], []).append(hole)
    assert (code == 1) == any(hole["standing"] == "open" for each in found.values() for hole in each)
    return found


async def differences(both: Both) -> list[str]:
    """What the two systems themselves show, compared by hand."""
    leads, people = await both.rows("salesforce/Lead"), await both.rows("marketo/Lead", "sfLeadId")
    there = {name: row for name, row in people.items() if name not in ("", "None")}
    apart = [f"{each} is only on one side" for each in leads.keys() ^ there.keys()]
    for name in leads.keys() & there.keys():
        apart += [
            f"{name} {here}: {leads[name].get(here)} / {there[name].get(far)}"
            for here, far in ALIKE.items()
            if leads[name].get(here) != there[name].get(far)
        ]
    return apart


async def healed(both: Both, cause: str, count: int = 1) -> Row:
    """Once both sides agree and the hole of this cause is closed; that hole."""
    apart: list[str] = []
    found: list[Row] = []
    others: list[str] = []

    async def alike() -> bool:
        apart[:] = await differences(both)
        return not apart

    async def closed() -> bool:
        told = await holes(both)
        found[:] = told.get(cause, [])
        others[:] = [f"{each['source']} {each['cause']} {each['standing']}: {each['reason']}" for some in told.values() for each in some]
        return len(found) >= count and all(each["standing"] == "closed" for each in found)

    await until(alike, f"both sides agree after {cause}", lambda: apart[:3])
    await until(closed, f"{count} closed holes of {cause}", lambda: others)
    return found[-1]


async def while_down(both: Both, *what: Callable[[], Awaitable[object]]) -> None:
    """All this happens while no worker runs."""
    await both.stack.stop("tandem")
    for each in what:
        await each()
    await both.stack.start("tandem")


async def execute(both: Both, statement: str) -> None:
    connection = await asyncpg.connect(both.stack.endpoints()["postgres"]["dsn"])
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_muted_stream_is_told_apart_from_one_that_is_late(tmp_path: Path) -> None:
    async with a_stack(tmp_path, STREAMS) as both:
        lead = await both.lead("Muted", Title="first")
        await both.person("Muted", title="first")
        await both.edit("Lead", lead, Title="told")  # the lead itself may have been there before the stream was followed
        await both.person("Muted", title="told")
        before = await cycles(both, "--missed")
        assert not before, f"the stream brought it: {before}"
        fault = await both.silenced()
        await both.edit("Lead", lead, Title="second")
        await both.person("Muted", title="second")
        missed: list[dict[str, Any]] = []

        async def told() -> bool:
            missed[:] = await cycles(both, "--missed", "--object", "lead")
            return bool(missed)

        await until(told, "a cycle that tells what the stream had missed", lambda: missed, seconds=WAITED_SECONDS)
        assert (missed[0]["source"], missed[0]["missed"], missed[0]["repaired"]) == ("salesforce.poll.lead", 1, 1)
        assert "silent" in missed[0]["why"]
        hole = await healed(both, "silent")
        assert hole["readings"][0]["records"] == [lead]
        await both.lifted(fault)
        await both.edit("Lead", lead, Title="third")
        await both.person("Muted", title="third")


async def test_after_eighty_hours_a_foreign_position_an_overflow_and_another_topic_both_sides_agree(tmp_path: Path) -> None:
    async with a_stack(tmp_path, STREAMS) as both:
        lead = await both.lead("Broken", Title="first")
        person = await both.person("Broken", title="first")
        assert not await holes(both)

        async def edits(number: int) -> None:
            await both.edit("Lead", lead, Title=f"title {number}")
            await both.touch(person, city=f"city {number}")
            await both.lead(f"New{number}")

        await while_down(both, lambda: edits(1), lambda: both.does("clock", advance_seconds=80 * 3600), lambda: edits(2))
        hole = await healed(both, "replay_id")
        assert lead in [each for reading in hole["readings"] for each in reading["records"]]
        await while_down(both, lambda: edits(3), lambda: execute(both, FOREIGN))
        await healed(both, "replay_id", 2)
        await both.does("salesforce/overflow", object="Lead")
        await edits(4)
        await healed(both, "overflow")
        await while_down(both, lambda: edits(5), lambda: another_topic(both))
        await healed(both, "topic")


async def test_positions_that_can_not_be_read_are_holes_that_are_told_and_read(tmp_path: Path) -> None:
    async with a_stack(tmp_path, STREAMS) as both:
        lead = await both.lead("Broken", Title="first")
        person = await both.person("Broken", title="first")

        async def edits(number: int) -> None:
            await both.edit("Lead", lead, Title=f"title {number}")
            await both.touch(person, city=f"city {number}")
            await both.lead(f"New{number}")

        await while_down(both, lambda: edits(1), lambda: execute(both, UNREADABLE))
        await healed(both, "replay_id")
        await healed(both, "token", 4)
        told = await holes(both)
        broken = {hole["source"] for cause in ("replay_id", "token") for hole in told[cause]}
        assert broken == {"salesforce.cdc", "salesforce.poll.lead", "marketo.activities", "marketo.poll", "marketo.programs"}
        await while_down(both, lambda: edits(2), lambda: execute(both, LOST))
        await healed(both, "token", 4)
        await edits(3)
        await healed(both, "token", 4)


async def another_topic(both: Both) -> None:
    """The topic is deleted, and made again."""
    bootstrap = both.stack.endpoints()["kafka"]["bootstrap_servers"]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([TOPIC])

        async def absent() -> bool:
            return TOPIC not in await admin.list_topics()

        await until(absent, "the topic is gone")
    finally:
        await admin.close()
    await ensure_topics(bootstrap, all_topics(STANDARD.objects, kinds=STANDARD.by_name))
