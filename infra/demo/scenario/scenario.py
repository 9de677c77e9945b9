"""What people and mishaps do in the demo, phase by phase."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from infra.demo.checker.comparison import Pair
from infra.demo.checker.history import Mirror
from infra.demo.checker.table import LEAD, MARKETO, PEOPLE, QUALIFIER, SALESFORCE, VALUES, Field, Kind
from infra.demo.scenario.campaigns import Campaigns
from infra.demo.scenario.deals import Deals
from infra.demo.scenario.diary import Diary
from infra.demo.scenario.parents import Parents
from infra.demo.scenario.population import DEMANDED, Populace, marketo_record, salesforce_record
from infra.demo.scenario.subscriptions import Subscriptions
from infra.demo.scenario.systems import Systems

PERSON_AT_MARKETO = "eva.marketing@example.com"
BY_API = 50
CONFLICTS_EACH = 40
_FREE_TEXT = ("title", "city", "state", "address", "phone", "firstName", "postalCode")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change of one field that a person is going to make."""

    pair: Pair
    system: str
    field: Field
    value: object


class Scenario:
    """The people of the demo. `pairs` are those whom they work on, `parents` to whom those belong, `deals` in which they have a part,
    `diary` what is done with them, `campaigns` in which they are members.
    """

    def __init__(self, systems: Systems, mirror: Mirror, populace: Populace, random: Random) -> None:
        self._systems, self._mirror, self._populace, self._random = systems, mirror, populace, random
        self.pairs: list[Pair] = []
        self.parents = Parents(systems, mirror, populace, random)
        self.deals = Deals(systems, mirror, populace, random, self.parents)
        self.subscriptions = Subscriptions(systems, mirror, populace, random, self.parents)
        self.diary = Diary(systems, mirror, random)
        self.campaigns = Campaigns(systems, mirror, random)

    async def move_in(self, people: int) -> None:
        """Both systems full of people, before Tandem comes."""
        newcomers = self._populace.newcomers(people)
        await self.parents.move_in()
        self.parents.give(newcomers)
        to_salesforce = [each for each in newcomers if each.salesforce is not None]
        await self._systems.load(
            SALESFORCE,
            ({"object": each.object, "fields": salesforce_record(each.object, each.salesforce or {})} for each in to_salesforce),
        )
        await self._systems.load(MARKETO, (marketo_record(each.object, each.marketo) for each in newcomers if each.marketo is not None))

    async def arrive(self) -> None:
        """A user, an account, its people, its opportunity and their parts in it, at once."""
        await self.deals.arrive(await self.parents.arrive())

    async def edit_both(self, count: int, *, interrupt: Callable[[], Awaitable[None]] | None = None) -> None:
        """So many edits on each side at once; some of them by API. `interrupt` happens in the middle of them."""
        edits = [edit for system in (SALESFORCE, MARKETO) for edit in self._edits(system, count)]
        self._random.shuffle(edits)
        half = len(edits) // 2
        await self._make(edits[:half])
        if interrupt is None:
            await asyncio.gather(self._make(edits[half:]), *self._by_api())
        else:
            await asyncio.gather(self._make(edits[half:]), interrupt())

    async def clear_both(self, count: int) -> None:
        """So many fields emptied on each side."""
        await self._make([edit for system in (SALESFORCE, MARKETO) for edit in self._clearings(system, count)])

    async def collide(self) -> None:
        """One field of one person edited on both sides at the same moment: leads and contacts."""
        for object_name in PEOPLE:
            chosen = self._some([each for each in self.pairs if each.object == object_name], CONFLICTS_EACH)
            fields = [self._random.choice([each for each in VALUES[object_name] if each.marketo in _FREE_TEXT]) for _ in chosen]
            for pair, each in zip(chosen, fields, strict=True):
                edits = [Edit(pair=pair, system=system, field=each, value=self._populace.value(each)) for system in (SALESFORCE, MARKETO)]
                self._random.shuffle(edits)
                await self._make(edits)

    async def newcomers(self, *, one_side: int, both: int) -> None:
        """New people in each system, and some entered in both at the same moment; a few who didn't qualify do so now."""
        work: list[Awaitable[object]] = []
        for _ in range(one_side):
            object_name = self._random.choice(PEOPLE)
            work.append(self._enter_salesforce(object_name, self._populace.facts(object_name)))
            work.append(self._enter_marketo(LEAD, self._populace.facts(LEAD)))
        for _ in range(both):
            object_name = self._random.choice(PEOPLE)
            facts = self._populace.facts(object_name)
            work.append(self._enter_salesforce(object_name, facts))
            work.append(self._enter_marketo(object_name, self._populace.same_person(facts, object_name)))
        waiting = [key for key, person in self._mirror.live[MARKETO].items() if person.get(QUALIFIER) is not True and "email" in person]
        for _, person_id in sorted(waiting)[:5]:
            work.append(self._edit_marketo(person_id, {QUALIFIER: True}))
        await asyncio.gather(*work)

    def strangers(self, count: int) -> list[dict[str, Any]]:
        """People for Marketo who don't qualify."""
        return [marketo_record(LEAD, {**self._populace.facts(LEAD), QUALIFIER: False}) for _ in range(count)]

    async def delete_in_salesforce(self, count: int) -> None:
        for pair in self._some(self.pairs, count):
            await self._systems.verb("salesforce/delete", {"id": pair.salesforce})
            self.pairs.remove(pair)

    async def edit_salesforce(self, count: int) -> None:
        """Edits on that side alone."""
        await self._make(self._edits(SALESFORCE, count))

    async def edit_both_unheard(self, count: int) -> None:
        """Fields edited in Salesforce, and then the same ones in Marketo, by people who don't see each other's work."""
        edits = self._edits(SALESFORCE, count)
        await self._make(edits)
        await self._make(Edit(pair=each.pair, system=MARKETO, field=each.field, value=self._populace.value(each.field)) for each in edits)

    def _edits(self, system: str, count: int) -> list[Edit]:
        edits = []
        for _ in range(count):
            pair = self._random.choice(self.pairs)
            each = self._random.choice(VALUES[pair.object])
            edits.append(Edit(pair=pair, system=system, field=each, value=self._populace.value(each)))
        return edits

    def _clearings(self, system: str, count: int) -> list[Edit]:
        filled = [
            Edit(pair=pair, system=system, field=each, value=None)
            for pair in self.pairs
            for each in VALUES[pair.object]
            if each.marketo not in DEMANDED | {"email"}
            and each.kind is not Kind.BOOLEAN
            and self._mirror.live[system].get(pair.key(system), {}).get(each.on(system)) is not None
        ]
        return self._some(filled, count)

    def _by_api(self) -> list[Awaitable[None]]:
        """Edits that another integration makes: whole batches, one field each."""
        chosen = self._some(self.pairs, 2 * BY_API)
        to_salesforce, to_marketo = chosen[:BY_API], chosen[BY_API:]
        phone = {name: next(each for each in VALUES[name] if each.marketo == "fax") for name in PEOPLE}
        return [
            self._systems.patch_salesforce(
                [
                    (pair.key(SALESFORCE), {phone[pair.object].salesforce: self._populace.value(phone[pair.object])})
                    for pair in to_salesforce
                ]
            ),
            self._systems.sync_marketo(
                [(pair.marketo, {phone[pair.object].marketo: self._populace.value(phone[pair.object])}) for pair in to_marketo]
            ),
        ]

    async def _make(self, edits: Iterable[Edit]) -> None:
        await asyncio.gather(*(self._one(edit) for edit in edits))

    async def _one(self, edit: Edit) -> None:
        values = {edit.field.on(edit.system): edit.value}
        if edit.system == MARKETO:
            await self._edit_marketo(edit.pair.marketo, values)
        else:
            record = {"object": edit.pair.object, "id": edit.pair.salesforce, "fields": values}
            await self._systems.verb("salesforce/edit", record)

    async def _edit_marketo(self, person_id: str, values: dict[str, object]) -> None:
        await self._systems.verb("marketo/person/edit", {"id": int(person_id), "fields": values, "user": PERSON_AT_MARKETO})

    async def _enter_salesforce(self, object_name: str, facts: dict[str, object]) -> None:
        await self._systems.verb("salesforce/create", {"object": object_name, "fields": salesforce_record(object_name, facts)})

    async def _enter_marketo(self, object_name: str, facts: dict[str, object]) -> None:
        fields = marketo_record(object_name, {**facts, QUALIFIER: True})
        await self._systems.verb("marketo/person/create", {"fields": fields, "user": PERSON_AT_MARKETO})

    def _some(self, items: list[_T], count: int) -> list[_T]:
        return self._random.sample(items, min(count, len(items)))
