"""The opportunities of the demo, and who takes which part in them; and what becomes of that."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

from infra.demo.checker.history import Mirror, Values
from infra.demo.checker.table import CONTACT, OPPORTUNITY, ROLE, SALESFORCE
from infra.demo.scenario.parents import Arrived, Parents
from infra.demo.scenario.population import Populace
from infra.demo.scenario.systems import Systems

DEALS = 8
STAGES = ("Prospecting", "Qualification", "Needs Analysis")
WON, LOST = "Closed Won", "Closed Lost"
PARTS = ("Decision Maker", "Evaluator", "Influencer", None)
"""None: Salesforce demands no name of a part, Marketo does."""


class Deals:
    """Works on accounts that are alive, and on their contacts."""

    def __init__(self, systems: Systems, mirror: Mirror, populace: Populace, random: Random, parents: Parents) -> None:
        self._systems, self._mirror, self._populace, self._random, self._parents = systems, mirror, populace, random, parents

    async def move_in(self) -> None:
        """Opportunities of some accounts; people of each account have a part in them, one opportunity is nobody's."""
        accounts = self._random.sample(self._parents.accounts, DEALS)
        await asyncio.gather(*(self._open(account, self._contacts(account)[:2]) for account in accounts[1:]), self._open(accounts[0], ()))

    async def arrive(self, arrived: Arrived) -> None:
        """An opportunity of an account that has just come, with the account's new people."""
        await self._open(arrived.account, arrived.contacts[:2])

    async def edit(self) -> None:
        """Opportunities go on, are won and lost, and change hands; parts change, end and begin."""
        deals, parts = self._live(OPPORTUNITY), self._live(ROLE)
        changes: list[dict[str, Any]] = [
            {"StageName": WON, "CloseDate": "2026-11-27"}, {"StageName": LOST}, {"Amount": 1_234.5, "NextStep": self._next_step()},
            {"Name": f"Renewed {self._next_step()}", "Description": None}, {"OwnerId": self._random.choice(self._parents.owners)},
        ]  # fmt: skip
        work = [self._edit(OPPORTUNITY, deal, change) for deal, change in zip(deals, changes, strict=False)]
        work += [self._edit(ROLE, part, {"Role": self._other(self._record(ROLE, part))}) for part in parts[:3]]
        work += [self._edit(ROLE, part, {"IsPrimary": not self._record(ROLE, part).get("IsPrimary")}) for part in parts[3:5]]
        work += [self._systems.verb("salesforce/delete", {"id": part}) for part in parts[5:7]]
        work += [self._joined(deal) for deal in deals[-2:]]
        await asyncio.gather(*work)

    async def delete(self) -> None:
        """One opportunity is deleted, and Salesforce deletes its parts with it."""
        taken = {self._record(ROLE, part)["OpportunityId"] for part in self._live(ROLE)}
        await self._systems.verb("salesforce/delete", {"id": next(each for each in self._live(OPPORTUNITY) if each in taken)})

    async def _open(self, account: str, contacts: Sequence[str]) -> None:
        facts = {
            "Name": f"Deal {self._next_step()}", "StageName": self._random.choice(STAGES), "CloseDate": "2027-03-01", "AccountId": account,
            "Amount": self._random.randrange(1_000, 90_000), "OwnerId": await self._parents.owner_of(account),
            "NextStep": self._next_step(), "Description": self._next_step(),
        }  # fmt: skip
        deal = await self._create(OPPORTUNITY, facts)
        for place, contact in enumerate(contacts):
            await self._take_part(deal, contact, PARTS[place % len(PARTS)] if place else None, first=place == 0)

    async def _joined(self, deal: str) -> None:
        """Somebody of the account who had none gets a part."""
        having = {record["ContactId"] for key, record in self._mirror.live[SALESFORCE].items() if key[0] == ROLE}
        account = self._record(OPPORTUNITY, deal).get("AccountId")
        free = [each for each in self._contacts(str(account)) if each not in having]
        if free:
            await self._take_part(deal, free[0], self._random.choice(PARTS), first=False)

    async def _take_part(self, deal: str, contact: str, part: str | None, *, first: bool) -> None:
        await self._create(ROLE, {"OpportunityId": deal, "ContactId": contact, "Role": part, "IsPrimary": first})

    async def _create(self, object_name: str, fields: dict[str, Any]) -> str:
        return str((await self._systems.verb("salesforce/create", {"object": object_name, "fields": fields}))["id"])

    async def _edit(self, object_name: str, record_id: str, fields: dict[str, Any]) -> None:
        await self._systems.verb("salesforce/edit", {"object": object_name, "id": record_id, "fields": fields})

    def _next_step(self) -> str:
        return self._populace.text()

    def _other(self, part: Values) -> str | None:
        return self._random.choice([each for each in PARTS if each != part.get("Role")])

    def _record(self, object_name: str, record_id: str) -> Values:
        return self._mirror.live[SALESFORCE][object_name, record_id]

    def _contacts(self, account: str) -> list[str]:
        live = self._mirror.live[SALESFORCE]
        return sorted(key[1] for key, record in live.items() if key[0] == CONTACT and record.get("AccountId") == account)

    def _live(self, object_name: str) -> list[str]:
        ids = sorted(record_id for name, record_id in self._mirror.live[SALESFORCE] if name == object_name)
        return self._random.sample(ids, len(ids))
