"""A whole stack on the sandbox whose streams are broken: both sides agree in the end, and meanwhile Tandem tells what it can't know."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.infra.stack.both import STREAMS, Both, a_stack, tandem, until

pytestmark = [pytest.mark.integration, pytest.mark.slow]


async def cycles(both: Both, *arguments: str) -> list[dict[str, Any]]:
    _, said = await tandem(both, "cycles", "--json", *arguments)
    told: list[dict[str, Any]] = json.loads(said)
    return told


async def test_a_muted_stream_is_told_apart_from_one_that_is_late(tmp_path: Path) -> None:
    async with a_stack(tmp_path, STREAMS) as both:
        lead = await both.lead("Muted", Title="first")
        await both.person("Muted", title="first")
        before = await cycles(both, "--missed")
        assert not before, f"the stream brought it: {before}"
        fault = await both.silenced()
        await both.edit("Lead", lead, Title="second")
        await both.person("Muted", title="second")
        missed: list[dict[str, Any]] = []

        async def told() -> bool:
            missed[:] = await cycles(both, "--missed", "--object", "lead")
            return bool(missed)

        await until(told, "a cycle that tells what the stream had missed", lambda: missed)
        assert (missed[0]["source"], missed[0]["missed"], missed[0]["repaired"]) == ("salesforce.poll.lead", 1, 1)
        assert "silent" in missed[0]["why"]
        await both.lifted(fault)
        await both.edit("Lead", lead, Title="third")
        await both.person("Muted", title="third")
