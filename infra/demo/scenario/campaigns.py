"""The campaigns of the demo, each linked with a program, and who takes part in them; and what becomes of that."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from infra.demo.checker.history import Key, Mirror
from infra.demo.checker.table import CAMPAIGN, CONTACT, LEAD, MARKETO, MEMBER, PERSON, PROGRAM, PROGRAM_MEMBER, SALESFORCE
from infra.demo.scenario.systems import Systems

CHANNEL, SENT, RESPONDED = "As campaigns", "Sent", "Responded"
CAMPAIGNS, EACH = 3, 8
"""Campaigns, and members on each side of each, some of them the same people."""
Row = dict[str, Any]


class Campaigns:
    """Works on people who are alive."""

    def __init__(self, systems: Systems, mirror: Mirror, random: Random) -> None:
        self._systems, self._mirror, self._random = systems, mirror, random

    async def move_in(self) -> None:
        """Campaigns and programs with members of their own, before anybody links them."""
        statuses = [{"name": SENT, "step": 10}, {"name": RESPONDED, "step": 20, "success": True}]
        await self._systems.verb("marketo/channel", {"name": CHANNEL, "type": "program", "statuses": statuses})
        people = sorted(int(record_id) for record_id, row in self._live(MARKETO, PERSON) if row.get("email"))
        for number in range(CAMPAIGNS):
            name = f"Campaign {number}"
            campaign = (await self._systems.verb("salesforce/create", {"object": CAMPAIGN, "fields": {"Name": name}}))["id"]
            program = (await self._systems.verb("marketo/program/create", {"name": name, "channel": CHANNEL}))["id"]
            await asyncio.gather(*(self._add(campaign, key, self._random.choice((SENT, RESPONDED))) for key in self._people(EACH)))
            await self._put(program, self._random.sample(people, EACH), SENT)

    async def link(self, tandem: Callable[..., Awaitable[str]]) -> None:
        """Each campaign with the program of its name."""
        programs = {row["name"]: record_id for record_id, row in self._live(MARKETO, PROGRAM)}
        for campaign, row in self._live(SALESFORCE, CAMPAIGN):
            await tandem("link", campaign, programs[row["Name"]])

    async def edit(self) -> None:
        """People come, go on and leave, in both systems; one of them only Marketo knew. Programs cost money."""
        programs = [record_id for record_id, _ in self._live(MARKETO, PROGRAM)]
        members = self._live(SALESFORCE, MEMBER)
        begun = [record_id for record_id, row in members if row.get("Status") == SENT]
        campaign = self._live(SALESFORCE, CAMPAIGN)[0][0]
        taken = {row.get("ContactId") or row.get("LeadId") for _, row in members if row["CampaignId"] == campaign}
        newcomers = [key for key in self._people(2 * EACH) if key[1] not in taken][:4]
        leaves = self._random.choice([row for _, row in self._live(MARKETO, PROGRAM_MEMBER) if row["statusName"] == RESPONDED])
        work: list[Awaitable[object]] = [self._go_on(record_id) for record_id in begun[:4]]
        work += [self._systems.verb("salesforce/delete", {"id": record_id}) for record_id in begun[4:6]]
        work += [self._add(campaign, key, SENT) for key in newcomers]
        work += [self._nurture(int(programs[-1]))]
        work += [self._systems.verb("marketo/program/remove", {"program": leaves["programId"], "ids": [leaves["leadId"]]})]
        work += [self._spend(int(each)) for each in programs]
        await asyncio.gather(*work)

    async def go_on_in_marketo(self) -> None:
        """Who was reached there has responded there."""
        members = [row for _, row in self._live(MARKETO, PROGRAM_MEMBER) if row["statusName"] == SENT]
        for program, _ in self._live(MARKETO, PROGRAM):
            people = [row["leadId"] for row in members if str(row["programId"]) == program]
            await self._put(int(program), people[:3], RESPONDED)

    async def _nurture(self, program: int) -> None:
        """Somebody whom only Marketo knows."""
        fields = {"lastName": "Nurtured", "email": f"nurtured.{self._random.getrandbits(40)}@example.com"}
        person = (await self._systems.verb("marketo/person/create", {"fields": fields}))["id"]
        await self._put(program, [person], SENT)

    async def _spend(self, program: int) -> None:
        await self._systems.verb("marketo/program/cost", {"program": program, "startDate": "2026-11-01", "cost": 250})

    async def _add(self, campaign: str, person: Key, status: str) -> None:
        name = "LeadId" if person[0] == LEAD else "ContactId"
        fields = {"CampaignId": campaign, name: person[1], "Status": status}
        await self._systems.verb("salesforce/create", {"object": MEMBER, "fields": fields})

    async def _go_on(self, member: str) -> None:
        await self._systems.verb("salesforce/edit", {"object": MEMBER, "id": member, "fields": {"Status": RESPONDED}})

    async def _put(self, program: int, people: list[int], status: str) -> None:
        if people:
            await self._systems.verb("marketo/program/status", {"program": program, "ids": people, "status": status})

    def _people(self, count: int) -> list[Key]:
        found = sorted(key for key in self._mirror.live[SALESFORCE] if key[0] in (LEAD, CONTACT))
        return self._random.sample(found, count)

    def _live(self, system: str, object_name: str) -> list[tuple[str, Row]]:
        return sorted(((key[1], row) for key, row in self._mirror.live[system].items() if key[0] == object_name), key=lambda each: each[0])
