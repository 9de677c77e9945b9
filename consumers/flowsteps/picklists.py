"""Choices for the inputs of a step, from Salesforce, remembered for some minutes: Marketo asks each night and when a step is edited."""

from collections.abc import Callable, Mapping
from typing import Any

from consumers.errands.catalogue import Choices
from streams.budget.port import Lane
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.api.soql import select, text

CHOICES_MAX = 1_000
"""Marketo takes no more for one input."""
_KEPT_MS = 300_000
_ACTIVE_USERS = select("User", ("Id", "Username", "Name"), ["IsActive = true"], order=("Name", "Id"), limit=CHOICES_MAX)
_QUEUES = select("Group", ("Id", "Name"), [f"Type = {text('Queue')}"], order=("Name", "Id"), limit=CHOICES_MAX)
_CAMPAIGNS = select("Campaign", ("Id", "Name"), ["IsActive = true"], order=("Name", "Id"), limit=CHOICES_MAX)
_Choice = tuple[str, str]
"""What is shown, and what is submitted."""


class Picklists:
    """Asks for choices."""

    def __init__(self, rest: SalesforceRest, clock: Callable[[], int]) -> None:
        self._rest, self._clock = rest, clock
        self._known: dict[Choices, tuple[int, list[_Choice]]] = {}

    async def choices(self, wanted: Choices) -> list[dict[str, Any]]:
        """In Marketo's form. Raises `Retry` while Salesforce is away."""
        since, found = self._known.get(wanted, (0, []))
        if self._clock() - since > _KEPT_MS:
            found = await self._asked(wanted)
            self._known[wanted] = self._clock(), found
        return [{"displayValue": {"en_US": shown}, "submittedValue": value} for shown, value in found[:CHOICES_MAX]]

    async def _asked(self, wanted: Choices) -> list[_Choice]:
        match wanted:
            case Choices.USERS:
                return await self._users()
            case Choices.OWNERS:
                return [*await self._users(), *((f"{row['Name']} (queue)", str(row["Id"])) for row in await self._rows(_QUEUES))]
            case Choices.CAMPAIGNS:
                return [(str(row["Name"]), str(row["Id"])) for row in await self._rows(_CAMPAIGNS)]
            case _:
                return [(label, label) for label in await self._labels(_STATUSES[wanted])]

    async def _users(self) -> list[_Choice]:
        return [(f"{row['Name']} ({row['Username']})", str(row["Username"])) for row in await self._rows(_ACTIVE_USERS)]

    async def _labels(self, soql: str) -> list[str]:
        return [str(row["MasterLabel"]) for row in await self._rows(soql)]

    async def _rows(self, soql: str) -> list[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        async for page in self._rest.query(soql, Lane.LIVE):
            rows += page
        return rows


_STATUSES = {
    Choices.TASK_STATUSES: select("TaskStatus", ("MasterLabel",), order=("SortOrder",)),
    Choices.TASK_PRIORITIES: select("TaskPriority", ("MasterLabel",), order=("SortOrder",)),
    Choices.CONVERTED_STATUSES: select("LeadStatus", ("MasterLabel",), ["IsConverted = true"], order=("SortOrder",)),
}
