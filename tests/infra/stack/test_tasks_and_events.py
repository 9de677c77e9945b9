"""A whole stack on the sandbox: what people do with a lead or a contact in Salesforce stands in that person's history in Marketo, once,
whatever becomes of calls and workers; once through the streams and once through the polls alone."""

from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.stack.stack import CONFIG, Stack
from infra.stack.tandem import Worker
from tests.infra.stack.both import POLLS, STREAMS, Both, until

pytestmark = pytest.mark.integration

_ACTIVITIES = """
task: {as: activity}
event: {as: activity}
settle: {lease: 10s}
"""
_LOST = {"system": "marketo", "match": {"method": "POST", "path": "/rest/v1/activities/external.json"}}


class Histories(Both):
    """Both systems, and what Marketo itself says was added to people's histories."""

    async def activities(self) -> list[dict[str, Any]]:
        """Every custom activity that was ever added."""
        return [line["after"] for line in await self.history() if (line["system"], line["object"]) == ("marketo", "CustomActivity")]

    async def told(self, record: str) -> list[dict[str, Any]]:
        """Those that tell of a record of Salesforce."""
        return [each for each in await self.activities() if each["attributes"].get("Salesforce Id") == record]

    async def task(self, who: str | None, subject: str, **fields: Any) -> str:
        """A new task with somebody."""
        values = {"Subject": subject, **({"WhoId": who} if who else {}), **fields}
        return await self.create("Task", **values)

    async def fault(self, action: dict[str, Any]) -> None:
        """The next call that adds activities fails like this."""
        async with self._http.post(f"{self._url}/faults", json={**_LOST, "action": action, "times": 1}) as answer:
            assert answer.ok


async def nobody_twice(both: Histories) -> None:
    counted = Counter(each["attributes"]["Salesforce Id"] for each in await both.activities())
    assert not {record: times for record, times in counted.items() if times > 1}


async def written_once(both: Histories) -> tuple[str, str]:
    """A task and a meeting, each with the person that they are with; nothing that follows changes them."""
    lead = await both.lead("Called")
    task = await both.task(lead, "Call", Description="about looms", Status="Not Started", Priority="High", ActivityDate="2027-01-15")
    fields = {"Subject": "Meet", "WhoId": lead, "ActivityDateTime": "2027-01-16T09:30:00Z", "DurationInMinutes": 45, "Location": "here"}
    meeting = await both.create("Event", **fields)
    await until(lambda: both.told(task), "the task is in the person's history")
    await until(lambda: both.told(meeting), "the meeting is in the person's history")
    person = (await both.people())["Called"]["id"]
    (told,), (met,) = await both.told(task), await both.told(meeting)
    assert (told["leadId"], told["apiName"], told["primaryAttributeValue"]) == (person, "salesforceTask", "Call")
    wanted = {"Description": "about looms", "Status": "Not Started", "Priority": "High", "Due Date": "2027-01-15", "Is Closed": False}
    assert wanted.items() <= told["attributes"].items()
    assert (met["leadId"], met["apiName"], met["primaryAttributeValue"]) == (person, "salesforceEvent", "Meet")
    assert {"Minutes": 45, "Location": "here", "Starts At": "2027-01-16T09:30:00Z"}.items() <= met["attributes"].items()
    return lead, task


async def waits_for_its_person(both: Histories) -> None:
    """A task with nobody is nobody's; once it is somebody's it goes there."""
    alone = await both.task(None, "Alone")
    lead = await both.lead("Later")
    await both.edit("Task", alone, WhoId=lead)
    await until(lambda: both.told(alone), "the task is in the history of the person that it was given to")
    assert [each["leadId"] for each in await both.told(alone)] == [(await both.people())["Later"]["id"]]


async def a_lost_answer(both: Histories, lead: str, fault: str) -> None:
    """The call that is made and not answered, or not made at all."""
    await both.fault({"type": fault})
    tasks = [await both.task(lead, f"{fault} {number}") for number in range(5)]

    async def there() -> bool:
        return all([await both.told(task) for task in tasks])

    await until(there, f"{fault}: all are there")


async def a_killed_worker(both: Histories, lead: str) -> None:
    """Marketo has the call, its answer is under way, and the worker that waits for it dies."""
    await both.fault({"type": "timeout", "seconds": 60})
    task = await both.task(lead, "Killed over")
    await until(lambda: both.told(task), "Marketo has it")
    await both.stack.kill("tandem")
    await both.stack.start("tandem")
    after = await both.task(lead, "After that")
    await until(lambda: both.told(after), "the worker goes on")
    assert len(await both.told(task)) == 1


@pytest.mark.parametrize("roles", [STREAMS, POLLS], ids=["streams", "polls"])
async def test_each_task_and_event_stands_in_its_persons_history_once(tmp_path: Path, roles: tuple[str, ...]) -> None:
    config = tmp_path / "tandem.yaml"
    config.write_text(CONFIG.read_text().replace("poll: 20s", "poll: 2s") + _ACTIVITIES)
    worker = Worker(arguments=tuple(part for role in roles for part in ("--role", role)))
    async with Stack(tmp_path / "run", workers=(worker,), config=config) as stack, aiohttp.ClientSession() as http:
        both = Histories(stack, http)
        lead, _ = await written_once(both)
        await waits_for_its_person(both)
        await a_lost_answer(both, lead, "lose_answer")
        await a_lost_answer(both, lead, "lose_request")
        await a_killed_worker(both, lead)
        await nobody_twice(both)
    await stack.clean()
