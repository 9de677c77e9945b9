"""A whole stack on the sandbox as its people see it: both systems, edited by hand, and what is waited for in them."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp

from infra.stack.part import program_environment
from infra.stack.stack import CONFIG, Lent, Stack
from infra.stack.tandem import Worker

DEADLINE_SECONDS = 180
STREAMS: tuple[str, ...] = ()
POLLS: tuple[str, ...] = ("observe", "settle", "reconcile")
"""The roles of a worker that has every source, and of one that has nothing but the polls."""
Row = dict[str, Any]


class Both:
    """Both systems, as their people see them."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        self.stack, self._http = stack, http
        self._url = stack.sandbox.endpoints()["sandbox"]["url"]

    async def does(self, verb: str, **body: Any) -> Row:
        """Somebody does this by hand."""
        async with self._http.post(f"{self._url}/{verb}", json=body) as answer:
            told: Row = await answer.json(content_type=None)
            assert answer.ok, f"{verb} {body}: {told}"
            return told

    async def rows(self, where: str, key: str = "") -> dict[str, Row]:
        """Every live record, by its id or by another field."""
        async with self._http.get(f"{self._url}/dump/{where}") as answer:
            lines = [json.loads(line) for line in (await answer.text()).splitlines()]
        return {str(row.get(key) if key else row.get("Id", row.get("id"))): row for row in lines}

    async def history(self) -> list[Row]:
        """Whatever either system accepted, whoever made it."""
        async with self._http.get(f"{self._url}/history") as answer:
            return [json.loads(line) for line in (await answer.text()).splitlines()]

    async def errors(self, system: str) -> Counter[str]:
        """How often a system has answered each error, of calls and of records."""
        async with self._http.get(f"{self._url}/meters") as answer:
            rows = (await answer.json())[system]["rows"]
        return sum((Counter[str](row["errors"]) for row in rows), Counter())

    async def calls(self, system: str) -> Counter[str]:
        """How often each endpoint of a system was called."""
        async with self._http.get(f"{self._url}/meters") as answer:
            rows = (await answer.json())[system]["rows"]
        return sum((Counter({row["endpoint"]: row["calls"]}) for row in rows), Counter[str]())

    async def metrics(self) -> str:
        """The page of the first worker."""
        async with self._http.get(f"{self.stack.tandem.url}/metrics") as answer:
            return await answer.text()

    async def silenced(self) -> str:
        """Salesforce's stream tells nothing any more; the name of that fault."""
        told = await self.does("faults", system="salesforce", match={}, action={"type": "mute", "mode": "lost"})
        return str(told["id"])

    async def lifted(self, fault: str) -> None:
        """A fault ends."""
        async with self._http.delete(f"{self._url}/faults/{fault}") as answer:
            assert answer.ok, await answer.text()

    async def create(self, obj: str, **fields: Any) -> str:
        """A new record in Salesforce; its id."""
        return str((await self.does("salesforce/create", object=obj, fields=fields))["id"])

    async def edit(self, obj: str, record: str, **fields: Any) -> None:
        """An edit in Salesforce."""
        await self.does("salesforce/edit", object=obj, id=record, fields=fields)

    async def lead(self, name: str, **fields: Any) -> str:
        """A new lead in Salesforce."""
        return await self.create("Lead", **{"LastName": name, "Company": "Acme", "Email": f"{name.lower()}@example.com", **fields})

    async def contact(self, name: str, **fields: Any) -> str:
        """A new contact in Salesforce."""
        return await self.create("Contact", **{"LastName": name, "Email": f"{name.lower()}@example.com", **fields})

    async def user(self, name: str) -> str:
        """A new user of Salesforce."""
        mail = f"{name.lower()}@users.example"
        return str((await self.does("salesforce/create_user", username=mail, first_name="Ada", last_name=name, email=mail))["id"])

    async def touch(self, person: Row, **fields: Any) -> None:
        """An edit in Marketo."""
        await self.does("marketo/person/edit", id=person["id"], fields=fields)

    async def everybody(self) -> list[Row]:
        """Marketo's people. Whoever belongs to a company shows what that tells of itself."""
        companies = await self.rows("marketo/Company", "externalCompanyId")
        people = (await self.rows("marketo/Lead")).values()
        own = ("id", "externalCompanyId", "externalSalesPersonId", "createdAt", "updatedAt")
        shown = (
            {name: value for name, value in companies.get(str(row.get("externalCompanyId")), {}).items() if name not in own}
            for row in people
        )
        return [{**row, **company} for row, company in zip(people, shown, strict=True)]

    async def people(self) -> dict[str, Row]:
        """Marketo's, by last name."""
        return {str(row.get("lastName")): row for row in await self.everybody()}

    async def named(self, name: str) -> list[Row]:
        """Marketo's people of this last name."""
        return [row for row in await self.everybody() if row.get("lastName") == name]

    async def person(self, name: str, **wanted: Any) -> Row:
        """Marketo's one person of this last name, once there is one that shows what is wanted."""
        found: list[Row] = []

        async def one() -> bool:
            found[:] = await self.named(name)
            return len(found) == 1 and shows(found[0], wanted)

        await until(one, f"one person {name} with {wanted}", lambda: [{key: row.get(key) for key in ("id", *wanted)} for row in found])
        return found[0]

    async def record(self, where: str, record: str, key: str = "", **wanted: Any) -> Row:
        """This record, once it is there and shows what is wanted."""
        found: Row = {}

        async def there() -> bool:
            found.clear()
            found.update((await self.rows(where, key)).get(record, {}))
            return bool(found) and shows(found, wanted)

        await until(there, f"{where} {record} with {wanted}", lambda: {key: found.get(key) for key in ("id", *wanted)})
        return dict(found)

    async def gone(self, where: str, record: str, key: str = "") -> None:
        """Once this record isn't there any more."""

        async def absent() -> bool:
            return record not in await self.rows(where, key)

        await until(absent, f"{where} {record} is gone")


def shows(row: Row, wanted: Row) -> bool:
    """Whether a row has these values; None: none. A flag that was never set is false."""
    return all(row.get(name) == value or (value is False and row.get(name) is None) for name, value in wanted.items())


async def until(
    what: Callable[[], Awaitable[object]], said: str, seen: Callable[[], object] = lambda: "", *, seconds: float = DEADLINE_SECONDS
) -> None:
    """Waits for it."""
    try:
        async with asyncio.timeout(seconds):
            while not await what():
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{said}: not within {seconds} s ({seen()})") from None


async def tandem(both: Both, *arguments: str, environ: Mapping[str, str] = MappingProxyType({})) -> tuple[int, str]:
    """A command of Tandem's: its exit code, and what it says. `environ`: what it is told besides."""
    told = {**both.stack.told(), "TANDEM_CONFIG": str(both.stack.tandem.config), "TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "consumers.cli", *arguments, env=program_environment({**os.environ, **told, **environ}),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


Scene = Callable[[Both], Awaitable[None]]


@asynccontextmanager
async def a_stack(home: Path, roles: tuple[str, ...], people: str = "", *, lent: Lent | None = None) -> AsyncIterator[Both]:
    """A whole stack whose worker has these roles, and polls often. `people`: lines more in that section of its configuration.

    `lent`: servers that it uses; without them it has its own, to be stopped and killed.
    """
    config = home / "tandem.yaml"
    config.write_text(CONFIG.read_text().replace("poll: 20s", "poll: 2s").replace("people:\n", f"people:\n{people}"))
    worker = Worker(arguments=tuple(part for role in roles for part in ("--role", role)))
    async with Stack(home / "run", workers=(worker,), config=config, lent=lent) as stack, aiohttp.ClientSession() as http:
        yield Both(stack, http)
    await stack.clean()


async def plays(both: Both, *scenes: Scene) -> None:
    """All at once, since none of them touches what another one does; every one that fails is told of."""
    ends = await asyncio.gather(*(scene(both) for scene in scenes), return_exceptions=True)
    failed = [f"{scene.__name__}: {end!r}" for scene, end in zip(scenes, ends, strict=True) if end is not None]
    assert not failed, "\n".join(failed)
