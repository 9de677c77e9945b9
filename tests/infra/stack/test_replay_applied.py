"""A whole stack: an old hour is replayed into the present while nobody writes, planned, confirmed, and written by the workers."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.stack.stack import Lent
from tests.infra.stack.both import STREAMS, Both, a_stack, tandem

pytestmark = [pytest.mark.integration, pytest.mark.slow]


async def replayed(both: Both, *more: str) -> tuple[int, Any]:
    code, said = await tandem(both, "replay", "salesforce.lead", "--apply", "--json", *more)
    return code, json.loads(said)


async def test_an_old_hour_is_applied_with_todays_values(tmp_path: Path, lent: Lent) -> None:
    async with a_stack(tmp_path, STREAMS, lent=lent) as both:
        lead = await both.lead("Ada", Title="first")
        await both.person("Ada", title="first")
        await both.edit("Lead", lead, Title="second")
        await both.person("Ada", title="second")
        code, told = await replayed(both)
        assert (code, told["outcomes"]) == (0, []), "the old first title is not written over the second"
        await both.stack.stop("tandem")
        await both.edit("Lead", lead, Title="third")
        code, told = await replayed(both)
        assert code == 6, told
        assert [write["fields"]["title"] for each in told["outcomes"] for write in each["writes"]] == ["t•••"]
        history = len(await both.history())
        code, told = await replayed(both, "--yes", "--reason", "an outage")
        assert (code, len(told["outcomes"])) == (0, 1)
        assert len(await both.history()) == history, "workers write, not the command"
        assert (await replayed(both))[0] == 0, "it is owed already"
        await both.stack.start("tandem")
        await both.person("Ada", title="third")
        _, log = await tandem(both, "audit-log", "--json")
        assert [(each["act"], each["what"]["apply"], each["why"]) for each in json.loads(log)] == [("replay", True, "an outage")]
