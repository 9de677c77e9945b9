"""Objects: an owner change, opportunities with a role each, the members of a campaign, each from Salesforce into Marketo as fast as its
limits allow.

One worker with every role, Marketo at 150 ms a call with its real limits. Salesforce holds what is new, as after an import; it is found
by the stream or by the poll, and written. What Marketo's limit of calls alone would take is the baseline, of the same run. Calls are
counted by the sandbox's own meters, of the lists that the records are written to; times are those of its history.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.demo.checker.history import Line
from infra.demo.scenario.systems import RefusedError, Systems
from tests.benchmarks.account_speed import account
from tests.benchmarks.draining import PATIENCE_SECONDS, SAMPLE_SECONDS, Say, Wanted, begins, drained, time_passes
from tests.benchmarks.ground import Ground, Person

_CHUNK, _LOAD = 2_000, 10_000
_CONTACTS = 300
_STATUSES = ("Sent", "Responded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many of each."""

    owners: int
    deals: int
    members: int
    contacts: int
    """Of one account."""


async def objects(ground: Ground, size: Size, say: Say) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """The figures of `bench.json`, as they are found. The worker is stopped before and after."""
    people = await ground.add(max(size.owners, size.members))
    async with ground.systems() as systems:
        owner, contacts = await _prepared(ground, systems, say)
        yield "owner change", await _owners(ground, systems, people[: size.owners], owner, say)
        for name, told in (await _deals(ground, systems, size.deals, contacts, say)).items():
            yield name, told
        yield "members", await _members(ground, systems, people[: size.members], say)
        async for name, told in account(ground, systems, size.contacts, say):
            yield name, told
    await ground.stop()


async def _prepared(ground: Ground, systems: Systems, say: Say) -> tuple[str, Sequence[str]]:
    """A new owner and some contacts, who are in Marketo once the worker has come; it runs at the end."""
    told = {"username": "owner@example.com", "first_name": "Ada", "last_name": "Owner", "email": "owner@example.com"}
    owner = str((await systems.verb("salesforce/create_user", told))["id"])
    facts = [{"LastName": f"Buyer-{number}", "Email": f"buyer.{number}@example.com"} for number in range(_CONTACTS)]
    contacts: list[str] = (await systems.load("salesforce", [{"object": "Contact", "fields": each} for each in facts]))["ids"]
    await time_passes(systems)
    await ground.start()
    await _until_there(systems, "SalesPerson", "externalSalesPersonId", {owner}, say)
    await _until_there(systems, "Lead", "sfContactId", set(contacts), say)
    return owner, contacts


async def _owners(ground: Ground, systems: Systems, people: Sequence[Person], owner: str, say: Say) -> dict[str, Any]:
    """Somebody takes all of these over."""
    mark = await begins(systems)
    for begin in range(0, len(people), _CHUNK):
        rows = [{"id": each.salesforce, "fields": {"OwnerId": owner}} for each in people[begin : begin + _CHUNK]]
        await systems.verb("salesforce/edit", {"object": "Lead", "records": rows})

    def made(line: Line) -> bool:
        return line.object == "Lead" and line.op == "update" and (line.after or {}).get("externalSalesPersonId") == owner

    wanted: Wanted = {"owner change": (made, ("POST /rest/v1/leads.json",), len(people))}
    return (await drained(ground, systems, mark, wanted, say))["owner change"]


async def _deals(ground: Ground, systems: Systems, count: int, contacts: Sequence[str], say: Say) -> dict[str, dict[str, Any]]:
    """So many opportunities, in each of which one of these contacts takes part; they are there when the worker comes again."""
    await ground.stop()
    for begin in range(0, count, _LOAD):
        await _sold(systems, contacts, range(begin, min(begin + _LOAD, count)))
    mark = await begins(systems)
    await ground.start()

    def created(name: str) -> Callable[[Line], bool]:
        return lambda line: line.object == name and line.op == "create"

    wanted: Wanted = {
        "opportunities": (created("Opportunity"), ("POST /rest/v1/opportunities.json",), count),
        "roles": (created("OpportunityRole"), ("POST /rest/v1/opportunities/roles.json",), count),
    }
    return await drained(ground, systems, mark, wanted, say)


async def _sold(systems: Systems, contacts: Sequence[str], numbers: Sequence[int]) -> None:
    facts = {"StageName": "Prospecting", "CloseDate": "2027-03-01"}
    deals = [{"object": "Opportunity", "fields": {"Name": f"Deal {each}", "Amount": 1_000 + each, **facts}} for each in numbers]
    made = (await systems.load("salesforce", deals))["ids"]
    parts = [{"OpportunityId": deal, "ContactId": contacts[place % len(contacts)], "Role": "Evaluator"} for place, deal in enumerate(made)]
    await systems.load("salesforce", [{"object": "OpportunityContactRole", "fields": part} for part in parts])


async def _members(ground: Ground, systems: Systems, people: Sequence[Person], say: Say) -> dict[str, Any]:
    """All of these are members of one campaign, which is linked with a program, when the worker comes."""
    await ground.stop()
    campaign = (await systems.verb("salesforce/create", {"object": "Campaign", "fields": {"Name": "Fair"}}))["id"]
    statuses = [{"name": name, "step": 10 * (place + 1), "success": place > 0} for place, name in enumerate(_STATUSES)]
    await systems.verb("marketo/channel", {"name": "Fairs", "type": "program", "statuses": statuses})
    program = (await systems.verb("marketo/program/create", {"name": "Fair", "channel": "Fairs"}))["id"]
    ground.tandem("link", str(campaign), str(program))
    for begin in range(0, len(people), _LOAD):
        rows = [
            {"object": "CampaignMember", "fields": {"CampaignId": campaign, "LeadId": each.salesforce, "Status": _STATUSES[0]}}
            for each in people[begin : begin + _LOAD]
        ]
        await systems.load("salesforce", rows)
    mark = await begins(systems)
    await ground.start()

    def made(line: Line) -> bool:
        return line.object == "ProgramMember" and line.op == "create"

    endpoints = ("POST /rest/v1/programs/{id}/members/status.json",)
    return (await drained(ground, systems, mark, {"members": (made, endpoints, len(people))}, say))["members"]


def rows(told: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """As the table shows them."""
    for name, each in told.items():
        what = f"objects: {each['records']:,} {name.replace('_', ' ')}"
        yield f"{what}: records/s", f"{each['records_per_s']:,} = {each['share_of_limit']:.0%} of the limit", ">= 91 % where calls bind"
        yield f"{what}: calls", f"{each['calls']} = {each['times_least_calls']:.2f} x the least", "<= 1.1 x"
    if told:
        yield "objects: most memory of the worker", f"{max(each['peak_rss_mib'] for each in told.values())} MiB", ""


async def _until_there(systems: Systems, name: str, key: str, wanted: set[str], say: Say) -> None:
    say(f"objects: waiting for {len(wanted)} of {name}")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not wanted <= await _known(systems, name, key):
            await asyncio.sleep(SAMPLE_SECONDS)


async def _known(systems: Systems, name: str, key: str) -> set[str]:
    """None, as long as there is no record of that name at all: the dump doesn't know it then."""
    try:
        return {str(row.get(key)) for row in await systems.dump("marketo", name)}
    except RefusedError:
        return set()
