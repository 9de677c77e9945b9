"""A whole stack on the sandbox: what people do with a lead or a contact in Salesforce stands in that person's history in Marketo, once,
whatever becomes of calls and workers; once through the streams and once through the polls alone."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.stack.stack import CONFIG, Lent, Stack
from infra.stack.tandem import Worker
from tests.infra.stack.both import POLLS, STREAMS, Both, until

pytestmark = pytest.mark.integration

_ACTIVITIES = """
task: {as: activity}
event: {as: activity}
activities_to_tasks: {types: [Add to List], every: 1s}
settle: {lease: 10s}
"""
_TASKS = "marketo/salesforceTask_c"
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


async def told_in_salesforce(both: Histories) -> None:
    """What happens to somebody in Marketo becomes one task, though the answer is lost, and no activity again; of strangers none does."""
    lead = await both.lead("Listed")
    person = (await both.person("Listed"))["id"]
    stranger = (await both.does("marketo/person/create", fields={"lastName": "Stranger", "email": "stranger@example.com"}))["id"]
    members = (await both.does("marketo/list/create", name="Webinar"))["id"]
    lost = {"system": "salesforce", "match": {"method": "POST", "path": "/services/data/*/composite/sobjects"}}
    async with both._http.post(f"{both._url}/faults", json={**lost, "action": {"type": "lose_answer"}, "times": 1}) as answer:
        assert answer.ok
    await both.does("marketo/list/add", list=members, ids=[person, stranger])

    async def tasks() -> list[dict[str, Any]]:
        return [row for row in (await both.rows("salesforce/Task")).values() if str(row["Subject"]).startswith("Add to List")]

    await until(tasks, "it is a task in Salesforce")
    later = await both.task(lead, "Later")
    await until(lambda: both.told(later), "what is made after it is told")
    found = await tasks()
    assert [(row["WhoId"], row["Status"]) for row in found] == [(lead, "Completed")]
    assert await both.told(found[0]["Id"]) == []


@asynccontextmanager
async def histories(home: Path, lent: Lent, roles: tuple[str, ...], more: str) -> AsyncIterator[Histories]:
    """A whole stack whose worker has these roles. `more`: lines more in its configuration."""
    config = home / "tandem.yaml"
    config.write_text(f"{CONFIG.read_text().replace('poll: 20s', 'poll: 2s')}{more}")
    worker = Worker(arguments=tuple(part for role in roles for part in ("--role", role)))
    async with Stack(home / "run", workers=(worker,), config=config, lent=lent) as stack, aiohttp.ClientSession() as http:
        yield Histories(stack, http)
    await stack.clean()


@pytest.mark.parametrize("roles", [STREAMS, POLLS], ids=["streams", "polls"])
async def test_each_task_and_event_stands_in_its_persons_history_once(tmp_path: Path, lent: Lent, roles: tuple[str, ...]) -> None:
    async with histories(tmp_path, lent, roles, _ACTIVITIES) as both:
        lead, _ = await written_once(both)
        await waits_for_its_person(both)
        await a_lost_answer(both, lead, "lose_answer")
        await a_lost_answer(both, lead, "lose_request")
        await told_in_salesforce(both)
        await a_killed_worker(both, lead)
        await nobody_twice(both)


async def follows_its_record(both: Both) -> None:
    """As a custom object a task is changed, handed on, deleted and restored like any other record."""
    await both.lead("One")
    other = await both.lead("Other")
    one = next(record for record, row in (await both.rows("salesforce/Lead")).items() if row["LastName"] == "One")
    task = await both.create("Task", Subject="Call", WhoId=one, Status="Not Started", ActivityDate="2027-01-15")
    first, second = (await both.person("One"))["id"], (await both.person("Other"))["id"]
    await both.record(_TASKS, task, "salesforceId", subject="Call", status="Not Started", leadId=first, dueDate="2027-01-15")
    await both.edit("Task", task, Status="Completed", WhoId=other)
    await both.record(_TASKS, task, "salesforceId", status="Completed", leadId=second, isClosed=True)
    meeting = await both.create("Event", Subject="Meet", WhoId=one, ActivityDateTime="2027-01-16T09:30:00Z", DurationInMinutes=45)
    await both.record("marketo/salesforceEvent_c", meeting, "salesforceId", subject="Meet", minutes=45, leadId=first)
    await both.does("salesforce/delete", id=task)
    await both.gone(_TASKS, task, "salesforceId")
    await both.does("salesforce/undelete", id=task)
    await both.record(_TASKS, task, "salesforceId", status="Completed", leadId=second)


@pytest.mark.parametrize("roles", [STREAMS, POLLS], ids=["streams", "polls"])
async def test_each_task_and_event_is_a_custom_object_that_follows_it(tmp_path: Path, lent: Lent, roles: tuple[str, ...]) -> None:
    async with histories(tmp_path, lent, roles, "task: {as: custom_object}\nevent: {as: custom_object}\n") as both:
        await follows_its_record(both)
