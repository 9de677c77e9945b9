"""What a first copy finds: two systems full of people, most of them on both sides, with accounts, owners, a campaign and its members."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.demo.scenario.systems import Systems
from tests.benchmarks.ground import facts

LOAD = 10_000
OWNERS, PER_ACCOUNT = 40, 20
STATUSES = ("Sent", "Responded")
_SALESFORCE = {"firstName": "FirstName", "lastName": "LastName", "email": "Email", "title": "Title", "phone": "Phone", "city": "City"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """How many. A quarter of the people is in Salesforce only, a quarter in Marketo only; a third of Salesforce's are contacts."""

    people: int
    members: int
    """Of one campaign; half of them are on both sides already."""


async def filled(systems: Systems, filling: Filling) -> tuple[str, str]:
    """Both systems have them; the campaign and the program that are to be linked."""
    people = filling.people
    here, there = range(people * 3 // 4), range(people // 4, people)
    owners = [await _owner(systems, number) for number in range(OWNERS)]
    accounts = await _loaded(systems, [_account(number, owners) for number in range(max(1, len(here) // (3 * PER_ACCOUNT)))])
    records = await _loaded(systems, [_record(number, accounts, owners) for number in here])
    persons: list[int] = []
    for begin in range(0, len(there), LOAD):
        told = await systems.load("marketo", [_person(number) for number in there[begin : begin + LOAD]])
        persons += range(told["first_id"], told["last_id"] + 1)
    return await _members(systems, records, persons, filling)


async def _owner(systems: Systems, number: int) -> str:
    told = {"username": f"owner.{number}@example.com", "first_name": "Ada", "last_name": f"Owner {number}"}
    return str((await systems.verb("salesforce/create_user", {**told, "email": told["username"]}))["id"])


async def _loaded(systems: Systems, rows: Sequence[dict[str, Any]]) -> list[str]:
    made: list[str] = []
    for begin in range(0, len(rows), LOAD):
        made += (await systems.load("salesforce", rows[begin : begin + LOAD]))["ids"]
    return made


def _account(number: int, owners: Sequence[str]) -> dict[str, Any]:
    fields = {"Name": f"Acme {number}", "Industry": "Technology", "OwnerId": owners[number % len(owners)]}
    return {"object": "Account", "fields": fields}


def _record(number: int, accounts: Sequence[str], owners: Sequence[str]) -> dict[str, Any]:
    told = facts(number)
    fields: dict[str, Any] = {name: told[key] for key, name in _SALESFORCE.items()} | {"OwnerId": owners[number % len(owners)]}
    if number % 3:
        return {"object": "Lead", "fields": {**fields, "Company": told["company"]}}
    del fields["City"]
    return {"object": "Contact", "fields": {**fields, "AccountId": accounts[number % len(accounts)]}}


def _person(number: int) -> dict[str, Any]:
    told = facts(number)
    return {key: told[key] for key in _SALESFORCE}


async def _members(systems: Systems, records: Sequence[str], persons: Sequence[int], filling: Filling) -> tuple[str, str]:
    """Of those who are on both sides, and of those in Salesforce only, half each."""
    known = filling.people // 4
    """So many of Salesforce's records are not in Marketo; behind them come those that are the first persons of Marketo."""
    both, alone = min(filling.members // 2, filling.people // 2), min(filling.members - filling.members // 2, known)
    campaign = (await systems.verb("salesforce/create", {"object": "Campaign", "fields": {"Name": "Fair"}}))["id"]
    statuses = [{"name": name, "step": 10 * (place + 1), "success": place > 0} for place, name in enumerate(STATUSES)]
    await systems.verb("marketo/channel", {"name": "Fairs", "type": "program", "statuses": statuses})
    program = (await systems.verb("marketo/program/create", {"name": "Fair", "channel": "Fairs"}))["id"]
    rows = [_member(campaign, record) for record in (*records[:alone], *records[known : known + both])]
    await _loaded(systems, rows)
    for begin in range(0, both, LOAD):
        ids = list(persons[begin : min(begin + LOAD, both)])
        await systems.verb("marketo/program/status", {"program": program, "ids": ids, "status": STATUSES[0]})
    return str(campaign), str(program)


def _member(campaign: str, record: str) -> dict[str, Any]:
    key = "LeadId" if record.startswith("00Q") else "ContactId"
    return {"object": "CampaignMember", "fields": {"CampaignId": campaign, key: record, "Status": STATUSES[0]}}
