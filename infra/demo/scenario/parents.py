"""To whom people belong in the demo: accounts, the users who own them, and a queue that owns some leads; and what becomes of that."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from infra.demo.checker.history import Mirror
from infra.demo.checker.table import ACCOUNT, COMPANY_KEY, CONTACT, LEAD, OPPORTUNITY, SALES_PERSON_KEY, SALESFORCE, USER, VALUES
from infra.demo.scenario.population import Newcomer, Populace, salesforce_record
from infra.demo.scenario.systems import Systems

ACCOUNTS, OWNERS = 12, 4
QUEUE = "Unclaimed leads"
_ATTACHED, _OWNED, _QUEUED = 0.7, 0.5, 0.1
"""The shares of contacts with an account, of people with an owner of their own, of leads that wait in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """An account that has just come, with its people."""

    account: str
    contacts: Sequence[str]


class Parents:
    """Who can be belonged to, by Salesforce id. `accounts` are those that nobody has deleted."""

    def __init__(self, systems: Systems, mirror: Mirror, populace: Populace, random: Random) -> None:
        self._systems, self._mirror, self._populace, self._random = systems, mirror, populace, random
        self.accounts: list[str] = []
        self._empty: list[str] = []
        self.owners: list[str] = []
        self.queue = ""

    async def move_in(self) -> None:
        """Users, a queue for leads, and accounts that the users own."""
        for _ in range(OWNERS):
            self.owners.append(await self._hire())
        self.queue = await self._create("Group", {"Name": QUEUE, "Type": "Queue"})
        await self._create("QueueSobject", {"QueueId": self.queue, "SobjectType": LEAD})
        for _ in range(ACCOUNTS):
            self.accounts.append(await self._found(self._random.choice(self.owners)))
        self._empty = [await self._found(self.owners[0]) for _ in range(2)]

    def give(self, newcomers: Iterable[Newcomer]) -> None:
        """Most contacts in Salesforce get an account, some people an owner, some leads the queue."""
        for each in newcomers:
            if each.salesforce is None:
                continue
            if each.object == CONTACT and self._random.random() < _ATTACHED:
                each.salesforce[COMPANY_KEY] = self._random.choice(self.accounts)
            chance = self._random.random()
            if each.object == LEAD and chance < _QUEUED:
                each.salesforce[SALES_PERSON_KEY] = self.queue
            elif chance < _QUEUED + _OWNED:
                each.salesforce[SALES_PERSON_KEY] = self._random.choice(self.owners)

    async def edit(self) -> None:
        """Accounts renamed and changed, some in several fields at once; a user renamed and moved."""
        wanted = ("Name", "Industry", "BillingCity", "Phone", "NumberOfEmployees")
        fields = [each for each in VALUES[ACCOUNT] if each.salesforce in wanted]
        work = [
            self._edit(ACCOUNT, account, {each.salesforce: self._populace.value(each) for each in fields[: 1 + place % len(fields)]})
            for place, account in enumerate(self.accounts)
        ]
        moved = [each for each in VALUES[USER] if each.salesforce in ("LastName", "Title", "Phone")]
        work.append(self._edit(USER, self.owners[0], {each.salesforce: self._populace.value(each) for each in moved}))
        await asyncio.gather(*work)

    async def regroup(self) -> None:
        """Contacts given to another account, contacts who lose theirs, contacts who get their first."""
        attached, alone = self._contacts(attached=True), self._contacts(attached=False)
        chosen = self._random.sample(attached, min(18, len(attached)))
        work = [self._edit(CONTACT, each, {"AccountId": self._other(each)}) for each in chosen[:12]]
        work += [self._edit(CONTACT, each, {"AccountId": None}) for each in chosen[12:]]
        work += [self._edit(CONTACT, each, {"AccountId": self._random.choice(self.accounts)}) for each in alone[:6]]
        await asyncio.gather(*work)

    async def hand_over(self) -> None:
        """People and accounts get another owner; leads go to the queue, and come back from it."""
        leads, contacts = self._live(LEAD), self._live(CONTACT)
        queued = [each for each in leads if self._mirror.live[SALESFORCE][LEAD, each].get("OwnerId") == self.queue]
        owned = [each for each in leads if each not in queued]
        work = [self._edit(LEAD, each, {"OwnerId": self._random.choice(self.owners)}) for each in [*queued[:6], *owned[:10]]]
        work += [self._edit(LEAD, each, {"OwnerId": self.queue}) for each in owned[10:18]]
        work += [self._edit(CONTACT, each, {"OwnerId": self._random.choice(self.owners)}) for each in contacts[:10]]
        work += [self._edit(ACCOUNT, each, {"OwnerId": self._random.choice(self.owners)}) for each in self.accounts[:4]]
        await asyncio.gather(*work)

    async def arrive(self) -> Arrived:
        """A new user, a new account that they own, and its people, all at once: children come before their parents are in Marketo."""
        owner = await self._hire()
        account = await self._found(owner)
        people = [{**self._populace.facts(CONTACT), COMPANY_KEY: account, SALES_PERSON_KEY: owner} for _ in range(4)]
        contacts = await asyncio.gather(*(self._create(CONTACT, salesforce_record(CONTACT, facts)) for facts in people))
        self.owners.append(owner)
        self.accounts.append(account)
        return Arrived(account=account, contacts=contacts)

    async def owner_of(self, account: str) -> str:
        """Whose account it is."""
        records = {each["Id"]: each for each in await self._systems.dump(SALESFORCE, ACCOUNT)}
        return str(records[account]["OwnerId"])

    async def delete(self) -> list[str]:
        """Two accounts are deleted, and Salesforce deletes their contacts and opportunities with them; and two that have nothing. Returns
        one of each.
        """
        people, nobody = self._random.sample([each for each in self.accounts if each not in self._kept()], 2), self._empty
        gone = [*people, *nobody]
        await asyncio.gather(*(self._systems.verb("salesforce/delete", {"id": each}) for each in gone))
        self.accounts = [each for each in self.accounts if each not in gone]
        return [people[0], nobody[0]]

    async def bring_back(self, accounts: Iterable[str]) -> None:
        """Deleted accounts come out of the recycle bin, and their contacts with them."""
        await asyncio.gather(*(self._systems.verb("salesforce/undelete", {"id": each}) for each in accounts))
        self.accounts += accounts

    async def _hire(self) -> str:
        facts = self._populace.facts(USER, sparse=False)
        told = {"username": facts["email"], "first_name": facts["firstName"], "last_name": facts["lastName"], "email": facts["email"]}
        user = str((await self._systems.verb("salesforce/create_user", told))["id"])
        rest = {name: value for name, value in salesforce_record(USER, facts).items() if name in ("Title", "Department", "Phone")}
        await self._edit(USER, user, rest)
        return user

    async def _found(self, owner: str) -> str:
        facts = {**self._populace.facts(ACCOUNT), SALES_PERSON_KEY: owner}
        return await self._create(ACCOUNT, salesforce_record(ACCOUNT, facts))

    async def _create(self, object_name: str, fields: dict[str, Any]) -> str:
        return str((await self._systems.verb("salesforce/create", {"object": object_name, "fields": fields}))["id"])

    async def _edit(self, object_name: str, record_id: str, fields: dict[str, Any]) -> None:
        await self._systems.verb("salesforce/edit", {"object": object_name, "id": record_id, "fields": fields})

    def _kept(self) -> set[str]:
        """Accounts that Salesforce doesn't delete: an opportunity of theirs was won, or is somebody else's."""
        live = self._mirror.live[SALESFORCE]
        deals = [record for key, record in live.items() if key[0] == OPPORTUNITY]
        kept = [each for each in deals if each.get("IsWon") is True or each["OwnerId"] != live[ACCOUNT, each["AccountId"]]["OwnerId"]]
        return {str(each["AccountId"]) for each in kept}

    def _live(self, object_name: str) -> list[str]:
        """In an order of their own each time it is asked."""
        ids = sorted(record_id for name, record_id in self._mirror.live[SALESFORCE] if name == object_name)
        return self._random.sample(ids, len(ids))

    def _contacts(self, *, attached: bool) -> Sequence[str]:
        return [each for each in self._live(CONTACT) if bool(self._mirror.live[SALESFORCE][CONTACT, each].get("AccountId")) is attached]

    def _other(self, contact: str) -> str:
        now = self._mirror.live[SALESFORCE][CONTACT, contact].get("AccountId")
        return self._random.choice([each for each in self.accounts if each != now])
