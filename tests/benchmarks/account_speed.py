"""One account with very many contacts: they come, it is renamed, it is merged into another, and it is deleted with all of them."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from infra.demo.checker.history import Line
from infra.demo.scenario.systems import Systems
from tests.benchmarks.draining import Say, Wanted, begins, drained
from tests.benchmarks.ground import Ground

_LOAD = 10_000
_PEOPLE, _COMPANIES = ("POST /rest/v1/leads.json",), ("POST /rest/v1/companies.json",)


async def account(ground: Ground, systems: Systems, contacts: int, say: Say) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """The figures, as they are found. The worker runs before and after."""
    await ground.stop()
    first, winner = [str(each) for each in await _made(systems, "Account", [{"Name": "Works"}, {"Name": "Holding"}])]
    for begin in range(0, contacts, _LOAD):
        numbers = range(begin, min(begin + _LOAD, contacts))
        people = [{"LastName": f"Worker-{each}", "Email": f"worker.{each}@example.com", "AccountId": first} for each in numbers]
        await _made(systems, "Contact", people)
    mark = await begins(systems)
    await ground.start()
    wanted: Wanted = {"contacts of one account": (_created, _PEOPLE, contacts)}
    yield "contacts of one account", (await drained(ground, systems, mark, wanted, say))["contacts of one account"]

    mark = await begins(systems)
    await systems.verb("salesforce/edit", {"object": "Account", "id": first, "fields": {"Name": "Better works"}})
    wanted = {"account renamed": (_renamed, _COMPANIES, 1)}
    yield "account renamed", (await drained(ground, systems, mark, wanted, say))["account renamed"]

    mark = await begins(systems)
    await systems.verb("salesforce/merge", {"object": "Account", "master": winner, "victims": [first]})
    wanted = {"account merged": (_moved_to(winner), _PEOPLE, contacts)}
    yield "account merged", (await drained(ground, systems, mark, wanted, say))["account merged"]

    mark = await begins(systems)
    await systems.verb("salesforce/delete", {"id": winner})
    wanted = {"account deleted": (_flagged, _PEOPLE, contacts)}
    yield "account deleted", (await drained(ground, systems, mark, wanted, say))["account deleted"]


async def _made(systems: Systems, name: str, facts: list[dict[str, Any]]) -> list[Any]:
    told: list[Any] = (await systems.load("salesforce", [{"object": name, "fields": each} for each in facts]))["ids"]
    return told


def _created(line: Line) -> bool:
    return line.object == "Lead" and line.op == "create"


def _moved_to(company: str) -> Callable[[Line], bool]:
    return lambda line: line.object == "Lead" and line.op == "update" and (line.after or {}).get("externalCompanyId") == company


def _renamed(line: Line) -> bool:
    return line.object == "Company" and (line.after or {}).get("company") == "Better works"


def _flagged(line: Line) -> bool:
    return line.object == "Lead" and line.op == "update" and bool((line.after or {}).get("sfIsDeleted"))
