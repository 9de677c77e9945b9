"""A whole stack on the sandbox whose stream of Salesforce is switched from one protocol to the other and back, by configuration."""

from pathlib import Path

import aiohttp
import asyncpg
import pytest

from infra.stack.stack import CONFIG, Stack
from infra.stack.tandem import Worker
from tests.infra.stack.both import Both, until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NO_POLLS = Worker(arguments=("--role", "relay", "--role", "observe", "--role", "settle"))
"""Whatever arrives has come by the stream."""


BEGUN = "select source from source_positions where position is not null and source = 'salesforce.cdc'"
HOLES = "select reason from gaps where source = 'salesforce.cdc'"


async def asked(stack: Stack, query: str) -> list[str]:
    connection = await asyncpg.connect(stack.dsn())
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


def followed_by(config: Path, settings: str) -> None:
    config.write_text(CONFIG.read_text().replace("salesforce:\n", f"salesforce:\n{settings}", 1))


async def test_the_other_protocol_goes_on_where_the_first_one_was(tmp_path: Path) -> None:
    config = tmp_path / "tandem.yaml"
    followed_by(config, "")
    async with Stack(tmp_path / "run", workers=(NO_POLLS,), config=config) as stack, aiohttp.ClientSession() as http:
        both = Both(stack, http)
        await until(lambda: asked(stack, BEGUN), "the stream has begun")
        lead = await both.lead("Zero", Title="by cometd")
        await both.person("Zero", title="by cometd")
        place = stack.sandbox.endpoints()["salesforce"]["pubsub"]
        pubsub = f"  stream: pubsub\n  pubsub_url: http://{place}\n"
        for number, (protocol, settings) in enumerate((("pubsub", pubsub), ("cometd", ""))):
            await stack.stop("tandem")
            await both.lead(f"Meanwhile{number}")
            await both.edit("Lead", lead, Title=f"before {protocol}")
            followed_by(config, settings)
            await stack.start("tandem")
            await both.person(f"Meanwhile{number}")
            await both.person("Zero", title=f"before {protocol}")
            await both.edit("Lead", lead, Title=f"by {protocol}")
            await both.person("Zero", title=f"by {protocol}")
        assert await asked(stack, HOLES) == []
        told = [row["after"]["title"] for row in await both.history() if row["system"] == "marketo" and "title" in (row["after"] or {})]
        assert told == ["by cometd", "before pubsub", "by pubsub", "before cometd", "by cometd"], "each once, in order"
        meters = await both.calls("salesforce")
        assert any(name.endswith("/Subscribe") for name in meters), "half of it came by gRPC"
    await stack.clean()
