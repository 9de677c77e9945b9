"""A running stack examined: the doctor finds it fine, a cycle is run at once, the canary comes through and leaves nobody behind."""

import json
from pathlib import Path

import pytest

from infra.stack.stack import Lent
from tests.infra.stack.both import STREAMS, Both, a_stack, plays, tandem

pytestmark = [pytest.mark.integration, pytest.mark.slow]


async def the_doctor(both: Both) -> None:
    code, said = await tandem(both, "doctor", "--json")
    told = json.loads(said)["examined"]
    assert {each["what"] for each in told} >= {"configuration", "credentials", "database and topics", "fields and permissions", "clocks"}
    assert [each for each in told if each["what"] in ("credentials", "clocks", "database and topics") and each["state"] != "fine"] == []
    assert all(each["remedy"] for each in told if each["state"] == "problem")
    assert code == (1 if any(each["state"] == "problem" for each in told) else 0)


async def a_cycle_now(both: Both) -> None:
    code, said = await tandem(both, "reconcile", "now", "--kind", "account", "--wait", "120", "--json")
    told = json.loads(said)
    assert (code, [each["source"] for each in told["cycles"]], told["not_done"]) == (0, ["salesforce.poll.account"], [])


async def a_canary(both: Both) -> None:
    code, said = await tandem(both, "canary", "--wait", "150", "--json")
    assert code == 0, said
    stations = [each["after_ms"] for each in json.loads(said)["journey"]["stations"]]
    assert len(stations) == 6
    assert stations == sorted(stations)
    assert "Tandem canary" not in await both.people()


async def test_a_running_stack_examined(tmp_path: Path, lent: Lent) -> None:
    async with a_stack(tmp_path, STREAMS, lent=lent) as both:
        await plays(both, the_doctor, a_cycle_now, a_canary)
