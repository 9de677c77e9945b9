"""The custom objects of the demo: subscriptions of contacts and accounts, and the plans that they are of; and what becomes of them."""

import asyncio
from random import Random
from typing import Any

from infra.demo.checker.history import Mirror
from infra.demo.checker.table import CONTACT, PLAN, SALESFORCE, SUBSCRIPTION
from infra.demo.scenario.parents import Parents
from infra.demo.scenario.population import Populace
from infra.demo.scenario.systems import Systems

PLANS, SUBSCRIPTIONS = 3, 12
_STAGES, _FEATURES = ("Trial", "Paid", "Ended"), ("Mail", "Web", "Events")


class Subscriptions:
    """Works on contacts and accounts that are alive."""

    def __init__(self, systems: Systems, mirror: Mirror, populace: Populace, random: Random, parents: Parents) -> None:
        self._systems, self._mirror, self._populace, self._random, self._parents = systems, mirror, populace, random, parents
        self._plans: list[str] = []

    async def move_in(self) -> None:
        """Some plans, and subscriptions: of contacts, of accounts, of both, and one of nobody."""
        for number in range(PLANS):
            self._plans.append(await self._create(PLAN, {"Name": f"Plan {number}", "Price__c": 10 * number + 9.5}))
        contacts = self._random.sample(self._live(CONTACT), SUBSCRIPTIONS)
        for place, contact in enumerate(contacts):
            await self._subscribe(contact if place % 3 else None, self._random.choice(self._parents.accounts) if place % 2 else None)

    async def edit(self) -> None:
        """New ones come, also of a contact who comes in the same moment; fields change and are cleared; one is handed on to somebody else,
        one leaves its contact; a plan gets dearer; two are deleted, and one of those comes back."""
        subscriptions, contacts = self._live(SUBSCRIPTION), self._live(CONTACT)
        changes: list[dict[str, Any]] = [
            {"Stage__c": "Ended", "Active__c": False}, {"Amount__c": 1_234.5, "Seats__c": 77}, {"Renews__c": None, "Terms__c": None},
            {"Features__c": "Web", "Name": self._populace.text()}, {"Contact__c": self._random.choice(contacts)}, {"Contact__c": None},
            {"Plan__c": self._random.choice(self._plans)}, {"Signed__c": "2026-12-01T08:30:00.000Z"},
        ]  # fmt: skip
        changed, gone = subscriptions[: len(changes)], subscriptions[-2:]
        work = [self._edit(SUBSCRIPTION, each, change) for each, change in zip(changed, changes, strict=True)]
        work += [self._edit(PLAN, self._plans[0], {"Price__c": 99}), self._subscribe(self._random.choice(contacts), None)]
        work += [self._newcomer(), *(self._systems.verb("salesforce/delete", {"id": each}) for each in gone)]
        await asyncio.gather(*work)
        await self._systems.verb("salesforce/undelete", {"id": gone[0]})

    async def _newcomer(self) -> None:
        contact = await self._create(
            CONTACT, {"LastName": self._populace.text(), "Email": f"subscriber.{self._random.getrandbits(40)}@example.com"}
        )
        await self._subscribe(contact, None)

    async def _subscribe(self, contact: str | None, account: str | None) -> None:
        fields = {
            "Name": self._populace.text(), "Contact__c": contact, "Account__c": account, "Plan__c": self._random.choice(self._plans),
            "Stage__c": self._random.choice(_STAGES), "Seats__c": self._random.randrange(1, 500), "Renews__c": "2027-05-31",
            "Amount__c": self._random.randrange(1, 9_000), "Signed__c": "2026-11-01T12:00:00.000Z", "Terms__c": self._populace.text(),
            "Features__c": ";".join(self._random.sample(_FEATURES, 2)), "Active__c": True,
        }  # fmt: skip
        await self._create(SUBSCRIPTION, {name: value for name, value in fields.items() if value is not None})

    async def _create(self, object_name: str, fields: dict[str, Any]) -> str:
        return str((await self._systems.verb("salesforce/create", {"object": object_name, "fields": fields}))["id"])

    async def _edit(self, object_name: str, record_id: str, fields: dict[str, Any]) -> None:
        await self._systems.verb("salesforce/edit", {"object": object_name, "id": record_id, "fields": fields})

    def _live(self, object_name: str) -> list[str]:
        return sorted(key[1] for key in self._mirror.live[SALESFORCE] if key[0] == object_name)
