"""Both systems as their ordinary users reach them over REST, and the sandbox's control API."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from infra.demo.checker.history import Key, Line, line
from infra.demo.checker.table import DELETED_FLAG, IN_MARKETO, LINKS, PERSON, QUALIFIER, TABLE

READ_MAX = 300
WRITE_MAX = 200
_RETRIED = {"601", "602", "606", "615", "604", "608", "611", "713"}
"""Marketo's errors after which the same call is made again (REST API, error codes)."""
_PATIENCE_SECONDS = 60.0


class RefusedError(Exception):
    """A system refused what the demo asked; the message has its own words."""


class Systems:
    """What the demo does to the two systems and reads from them. Open with `opened`."""

    def __init__(self, http: aiohttp.ClientSession, endpoints: Mapping[str, Any]) -> None:
        self._http = http
        self._salesforce, self._marketo = endpoints["salesforce"], endpoints["marketo"]
        self._control = str(endpoints["sandbox"]["url"])
        self._hands = asyncio.Semaphore(8)
        self._salesforce_token = ""
        self._marketo_token = ""

    # -- the control API

    async def verb(self, path: str, body: Mapping[str, Any]) -> Any:
        """What a person or an administrator does at a system's user interface."""
        async with self._hands:
            return await self._asked("POST", f"{self._control}/{path}", data=orjson.dumps(body))

    async def load(self, system: str, records: Iterable[Mapping[str, Any]]) -> Any:
        """People, past the API's limits and without change events."""
        return await self._asked("POST", f"{self._control}/{system}/load", data=b"\n".join(orjson.dumps(each) for each in records))

    async def history(self, after: int) -> list[Line]:
        async with self._http.get(f"{self._control}/history", params={"after": str(after)}) as answer:
            text = await answer.read()
            _insist(answer.status == 200, "history", text)
        return [line(orjson.loads(each)) for each in text.splitlines() if each]

    async def dump(self, system: str, object_name: str) -> list[dict[str, Any]]:
        """Every live record as it is stored."""
        async with self._http.get(f"{self._control}/dump/{system}/{object_name}") as answer:
            text = await answer.read()
            _insist(answer.status == 200, f"dump of {object_name}", text)
        return [orjson.loads(each) for each in text.splitlines() if each]

    async def meters(self) -> Any:
        return await self._asked("GET", f"{self._control}/meters")

    async def add_fault(
        self, system: str, action: Mapping[str, Any], match: Mapping[str, str] | None = None, *, times: int | None = None
    ) -> str:
        """A fault that hits so many calls, or stands until it is lifted (None); returns its id."""
        body = {"system": system, "match": match or {}, "action": action, "times": times}
        told = await self._asked("POST", f"{self._control}/faults", data=orjson.dumps(body))
        return str(told["id"])

    async def lift_fault(self, fault_id: str) -> None:
        await self._asked("DELETE", f"{self._control}/faults/{fault_id}")

    # -- Salesforce over REST

    async def read_salesforce(self) -> dict[Key, dict[str, Any]]:
        """Every live record of each kind with every mapped field, by SOQL."""
        found: dict[Key, dict[str, Any]] = {}
        for entry in TABLE:
            names = ",".join(["Id", *(each.salesforce for each in (*entry.alike, *entry.mapped))])
            query = f"SELECT {names} FROM {entry.salesforce}"  # noqa: S608 - SOQL from our own table
            answer = await self._salesforce_call("GET", "query", params={"q": query})
            while True:
                for row in answer["records"]:
                    found[entry.salesforce, row["Id"]] = {name: value for name, value in row.items() if name != "attributes"}
                if answer["done"]:
                    break
                answer = await self._salesforce_call("GET", answer["nextRecordsUrl"])
        return found

    async def patch_salesforce(self, records: Sequence[tuple[Key, Mapping[str, Any]]]) -> None:
        """Edits by API, up to 200 a call; objects one after the other, since a call takes few changes from one to the next."""
        ordered = sorted(records, key=lambda record: record[0])
        for start in range(0, len(records), WRITE_MAX):
            rows = [
                {"attributes": {"type": key[0]}, "id": key[1], **values} for key, values in ordered[start : start + WRITE_MAX]
            ]  # fmt: skip
            results = await self._salesforce_call("PATCH", "composite/sobjects", json={"allOrNone": False, "records": rows})
            refused = [result for result in results if not result["success"]]
            _insist(not refused, "Salesforce refused an edit", refused)

    async def _salesforce_call(self, method: str, path: str, **options: Any) -> Any:
        root = f"/services/data/v{self._salesforce['api_version']}/"
        url = self._salesforce["url"] + (path if path.startswith("/") else root + path)
        headers = {"Authorization": f"Bearer {self._salesforce_token or await self._sign_in_to_salesforce()}"}
        return await self._asked(method, url, headers=headers, **options)

    async def _sign_in_to_salesforce(self) -> str:
        form = {name: self._salesforce[name] for name in ("client_id", "client_secret", "username", "password")}
        url = f"{self._salesforce['url']}/services/oauth2/token"
        told = await self._asked("POST", url, data={"grant_type": "password", **form})
        self._salesforce_token = str(told["access_token"])
        return self._salesforce_token

    # -- Marketo over REST

    async def read_marketo(self, ids: Sequence[str]) -> dict[Key, dict[str, Any]]:
        """The live people among these ids, with every mapped field and the link fields; all that are no people as they are stored."""
        mapped = {each.marketo for entry in TABLE if entry.marketo == PERSON for each in entry.fields}
        fields = ",".join(["id", *sorted({*mapped, *LINKS.values(), DELETED_FLAG, QUALIFIER})])
        found: dict[Key, dict[str, Any]] = {}
        for some in _parts(ids, READ_MAX):
            form = {"filterType": "id", "filterValues": ",".join(some), "fields": fields}
            answer = await self._marketo_call("leads.json?_method=GET", data=form)
            for row in answer["result"]:
                found[PERSON, str(row["id"])] = row
        for object_name in IN_MARKETO:
            if object_name != PERSON:
                found |= {(object_name, str(row["id"])): row for row in await self.dump("marketo", object_name)}
        return found

    async def sync_marketo(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Edits by API."""
        rows = [{"id": int(person_id), **values} for person_id, values in records]
        body = {"action": "updateOnly", "lookupField": "id", "input": rows}
        answer = await self._marketo_call("leads.json", json=body)
        refused = [result for result in answer["result"] if result["status"] == "skipped"]
        _insist(not refused, "Marketo refused an edit", refused)

    async def _marketo_call(self, path: str, **options: Any) -> Any:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            headers = {"Authorization": f"Bearer {self._marketo_token or await self._sign_in_to_marketo()}"}
            answer = await self._asked("POST", f"{self._marketo['url']}/rest/v1/{path}", headers=headers, **options)
            if answer["success"]:
                return answer
            codes = {error["code"] for error in answer["errors"]}
            _insist(bool(codes & _RETRIED) and time.monotonic() < deadline, f"Marketo refused {path.partition('?')[0]}", answer["errors"])
            if codes & {"601", "602"}:
                self._marketo_token = ""
            await asyncio.sleep(1.0)  # its window of 20 seconds belongs to everyone

    async def _sign_in_to_marketo(self) -> str:
        form = {"grant_type": "client_credentials", **{name: self._marketo[name] for name in ("client_id", "client_secret")}}
        told = await self._asked("POST", f"{self._marketo['url']}/identity/oauth/token", data=form)
        self._marketo_token = str(told["access_token"])
        return self._marketo_token

    async def _asked(self, method: str, url: str, **options: Any) -> Any:
        async with self._http.request(method, url, **options) as answer:
            text = await answer.read()
            _insist(answer.status < 300, f"{method} {answer.url.path}", text)
            return orjson.loads(text or b"null")


@asynccontextmanager
async def opened(endpoints: Mapping[str, Any]) -> AsyncIterator[Systems]:
    """The systems at these endpoints (`endpoints.json`)."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60), trust_env=False) as http:
        yield Systems(http, endpoints)


def _insist(fine: bool, what: str, told: object) -> None:
    if not fine:
        shown = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
        raise RefusedError(f"{what}: {shown[:400]}")


def _parts(items: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]
