"""What people of the demo do with leads and contacts: tasks and meetings, and what becomes of them."""

import asyncio
from random import Random
from typing import Any

from infra.demo.checker.history import Mirror
from infra.demo.checker.table import EVENT, PEOPLE, SALESFORCE, TASK
from infra.demo.scenario.systems import Systems

TASKS, MEETINGS = 12, 6


class Diary:
    """Works on people who are there."""

    def __init__(self, systems: Systems, mirror: Mirror, random: Random) -> None:
        self._systems, self._mirror, self._random = systems, mirror, random
        self._mine: list[str] = []
        self._words = 0

    async def write(self, tasks: int = TASKS, meetings: int = MEETINGS) -> None:
        """So many tasks and meetings with people; beside them one with nobody, and the record of a series, which go nowhere."""
        made = await asyncio.gather(
            *(self._create(TASK, {**self._task(), "WhoId": who}) for who in self._people(tasks)),
            *(self._create(EVENT, {**self._meeting(), "WhoId": who}) for who in self._people(meetings)),
            self._create(TASK, self._task()),
        )
        self._mine += made[: tasks + meetings]

    async def edit(self) -> None:
        """Tasks are done, given to others, worded anew and deleted, after they were told: in Marketo all of that changes nothing."""
        gone = {item.id for item in self._mirror.diary if item.after is None}  # a task goes with whom it is about
        some = self._random.sample([each for each in self._mine if each.startswith("00T") and each not in gone], 6)
        others = self._people(2)
        await asyncio.gather(
            *(self._edit(each, {"Status": "Completed"}) for each in some[:2]),
            *(self._edit(each, {"WhoId": who}) for each, who in zip(some[2:4], others, strict=True)),
            self._edit(some[4], {"Subject": self._word("Worded anew")}),
            self._systems.verb("salesforce/delete", {"id": some[5]}),
        )
        self._mine.remove(some[5])

    def _task(self) -> dict[str, Any]:
        day = f"2027-01-{self._random.randrange(1, 29):02d}"
        priority = self._random.choice(("High", "Normal", "Low"))
        return {"Subject": self._word("Call"), "Description": self._word("About"), "ActivityDate": day, "Priority": priority}

    def _meeting(self) -> dict[str, Any]:
        start = f"2027-02-{self._random.randrange(1, 29):02d}T{self._random.randrange(8, 18):02d}:30:00.000Z"
        place = self._random.choice(("Café Ørsted", "東京", "room 4", None))
        return {"Subject": self._word("Meet"), "ActivityDateTime": start, "DurationInMinutes": 45, "Location": place}

    async def _create(self, object_name: str, fields: dict[str, Any]) -> str:
        return str((await self._systems.verb("salesforce/create", {"object": object_name, "fields": fields}))["id"])

    async def _edit(self, record_id: str, changes: dict[str, Any]) -> None:
        await self._systems.verb("salesforce/edit", {"object": TASK, "id": record_id, "fields": changes})

    def _people(self, count: int) -> list[str]:
        live = sorted(record_id for name, record_id in self._mirror.live[SALESFORCE] if name in PEOPLE)
        return self._random.sample(live, count)

    def _word(self, what: str) -> str:
        self._words += 1
        return f"{what} {self._words}"
