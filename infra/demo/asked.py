"""People who don't qualify and are asked for all the same: by a smart campaign of Marketo's, whose flow has Tandem's step in it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from infra.demo.scenario.scenario import Scenario
from infra.demo.scenario.systems import Systems
from infra.demo.waiting import LOOK_SECONDS, NotInStepError
from infra.stack.stack import Stack

PEOPLE = 5
_STEP = "push"
_TOLD_SECONDS = 60.0


async def newcomers(scenario: Scenario, systems: Systems, stack: Stack) -> None:
    """New people in each system, some in both; and some in Marketo who don't qualify, but are asked for."""
    await scenario.newcomers(one_side=20, both=12)
    await ask(scenario.strangers(PEOPLE), systems, stack)


async def ask(people: Sequence[Mapping[str, Any]], systems: Systems, stack: Stack) -> None:
    """Marketo's administrator installs the step; some new people go through a flow with it. Returns once Marketo was told that each of
    them is in Salesforce; raises NotInStepError."""
    told = stack.told()
    with open(told["TANDEM_FLOW_STEPS_KEY_FILE"]) as file:  # noqa: ASYNC230, PTH123 - a line, in a file of ours
        key = file.read()
    url = f"http://127.0.0.1:{told['TANDEM_FLOW_STEPS_PORT']}/flow-steps/{_STEP}/openapi.json"
    service = await systems.verb("marketo/service/install", {"url": url, "key": key})
    list_id = (await systems.verb("marketo/list/create", {"name": "To be in Salesforce"}))["id"]
    steps = [{"type": "flow_step", "service": service["id"], "context": {"note": "the demo asks"}}]
    await systems.verb("marketo/campaign/create", {"name": "Into Salesforce", "on": "added_to_list", "key": list_id, "steps": steps})
    made = await asyncio.gather(*(systems.verb("marketo/person/create", {"fields": each}) for each in people))
    ids = {int(each["id"]) for each in made}
    await systems.verb("marketo/list/add", {"list": list_id, "ids": sorted(ids)})
    deadline = time.monotonic() + _TOLD_SECONDS
    while (outcomes := await _outcomes(systems, int(service["activityType"]))).keys() != ids:
        if time.monotonic() > deadline:
            raise NotInStepError(f"Marketo was told of {len(outcomes)} of {len(ids)} people that it has asked for")
        await asyncio.sleep(LOOK_SECONDS)
    if not all(outcomes.values()):
        raise NotInStepError(f"only {sum(outcomes.values())} of {len(ids)} people that Marketo has asked for are in Salesforce")


async def _outcomes(systems: Systems, kind: int) -> Mapping[int, bool]:
    """By person: whether Marketo was told that it is done."""
    rows = await systems.dump("marketo", "FlowStepActivity")
    return {int(row["lead_id"]): dict(row["extra"])["Success"] is True for row in rows if row["type"] == kind}
