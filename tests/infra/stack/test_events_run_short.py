"""A whole stack whose org delivers hardly any more events: Tandem follows the channel without its own writes, and nothing is lost."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from infra.sandbox.salesforce.state.state import DEFAULT_ENTITIES
from infra.stack.stack import CONFIG, Stack
from tests.infra.stack.both import Both, tandem, until
from tests.infra.stack.test_streams_broken import differences

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAMES = [f"P{number}" for number in range(10)]
USUAL, QUIET = "/data/ChangeEvents", "/data/Others__chn"


@asynccontextmanager
async def thrifty(home: Path) -> AsyncIterator[Both]:
    """A stack that looks at its allowances all the time, and may follow another channel."""
    config, text = home / "tandem.yaml", CONFIG.read_text().replace("poll: 20s", "poll: 2s\n  allowances: 1s")
    config.write_text(text.replace("salesforce:\n", f"salesforce:\n  quiet_channel: {QUIET}\n", 1))
    async with Stack(home / "run", config=config) as stack, aiohttp.ClientSession() as http:
        yield Both(stack, http)
    await stack.clean()


async def events(both: Both) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((await tandem(both, "budget", "--json"))[1])["events"] or {}
    return told


async def followed(both: Both, channel: str) -> None:
    """Once the stream's position is one of this channel."""
    connection = await asyncpg.connect(both.stack.endpoints()["postgres"]["dsn"])
    seen: list[str] = []

    async def so() -> bool:
        seen[:] = [str(await connection.fetchval("select position from source_positions where source = 'salesforce.cdc'"))]
        return bool(json.loads(seen[0])["channel"] == channel)

    try:
        await until(so, f"{channel} is followed", lambda: seen)
    finally:
        await connection.close()


async def alike(both: Both) -> None:
    """Once both sides agree, and no hole is open."""
    apart: list[str] = []

    async def so() -> bool:
        apart[:] = await differences(both)
        if apart:
            return False
        holes = json.loads((await tandem(both, "coverage", "--json"))[1])["holes"]
        apart[:] = [each["reason"] for each in holes if each["standing"] == "open"]
        return not apart

    await until(so, "both sides agree, and nothing is missing", lambda: apart[:3])


async def test_while_events_run_short_our_own_writes_take_none(tmp_path: Path) -> None:
    async with thrifty(tmp_path) as both:
        leads = {name: await both.lead(name) for name in NAMES}
        await both.does("marketo/person/create", fields={"email": "m@example.com", "lastName": "M", "leadScore": 60, "company": "M"})
        us = (await both.record("salesforce/Lead", "M", "LastName"))["CreatedById"]
        await both.does("salesforce/add_channel", name=QUIET.removeprefix("/data/"))
        for entity in sorted(DEFAULT_ENTITIES):
            told = {"channel": QUIET.removeprefix("/data/"), "entity": entity, "filter": f"ChangeEventHeader.commitUser != '{us}'"}
            await both.does("salesforce/add_channel_member", **told)
        await alike(both)
        assert not (await events(both))["saving"], await events(both)

        for name in NAMES:
            await both.edit("Lead", leads[name], Phone="1")

        async def delivered() -> bool:
            return int((await events(both)).get("used", 0)) >= len(NAMES)

        await until(delivered, "the edits came as events")
        await alike(both)
        most = round((await events(both))["used"] * 1.2)
        await both.does("salesforce/set_options", delivered_events_per_day=most)
        await followed(both, QUIET)
        assert any("run short" in each["what"] for each in json.loads((await tandem(both, "status", "--json"))[1])["troubles"])
        _, said = await tandem(both, "budget")
        assert "they are saved" in said, said
        people = await both.people()
        for turn in ("Oslo", "Bergen"):
            for name in NAMES:
                await both.touch(people[name], city=turn)
            for name in NAMES:
                await both.record("salesforce/Lead", leads[name], City=turn)
        await both.edit("Lead", leads["P0"], Title="edited")
        await both.person("P0", title="edited")
        await alike(both)
        used = (await events(both))["used"]
        assert used < most, "20 writes of ours have taken no event"

        await both.does("salesforce/set_options", delivered_events_per_day=1_000_000)
        await followed(both, USUAL)
        await both.edit("Lead", leads["P1"], Title="edited")
        await both.person("P1", title="edited")
        await alike(both)
