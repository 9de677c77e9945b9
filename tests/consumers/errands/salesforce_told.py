"""A Salesforce whose answers are written beforehand, for the tests of what is done there."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from consumers.errands.actions.calling import Calling
from consumers.errands.errand import Errand, Ready, Request
from streams.budget.port import Lane, Ticket
from streams.salesforce.api.access.refusals import Refusal
from streams.salesforce.api.records import ItemResult
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.systems import LEAD, Object

NOW = 1_700_000_000_000


def refused(code: str, message: str = "no") -> ItemResult:
    return ItemResult(id=None, success=False, errors=(Refusal(code=code, message=message),))


def made(record: str) -> ItemResult:
    return ItemResult(id=record, success=True, created=True)


def ready(number: int, request: Request, *, obj: Object = LEAD, record: str = "", tried_at: int = 0) -> Ready:
    errand = Errand(id=number, name=f"n/{number}", person=str(1000 + number), request=request, asked_at=NOW, tried_at=tried_at)
    return Ready(errand=errand, object=obj, record=record or f"00Q{number:012d}AAA")


class Salesforce:
    """Answers queries by object, and writes by what is next in `answers`. Remembers the order of what happened."""

    def __init__(self, **rows: Sequence[dict[str, Any]]) -> None:
        self.rows = rows
        self.records: dict[str, dict[str, Any] | None] = {}
        self.answers: list[Sequence[ItemResult] | BaseException] = []
        self.happened: list[str] = []
        self.written: list[Any] = []
        self.queries: list[str] = []
        self.marks = True

    async def query(self, soql: str, lane: Lane) -> AsyncIterator[list[dict[str, Any]]]:
        del lane
        self.queries.append(soql)
        yield list(self.rows.get(soql.split(" FROM ")[1].split(maxsplit=1)[0], []))

    async def read(self, obj: str, ids: Sequence[str], fields: Sequence[str], lane: Lane) -> list[dict[str, Any] | None]:
        del obj, fields, lane
        return [self.records.get(each) for each in ids]

    async def describe(self, obj: str, lane: Lane = Lane.LIVE) -> dict[str, Any]:
        del obj, lane
        return {"fields": [{"name": "CallObject", "createable": True, "filterable": True}] if self.marks else []}

    async def create(self, obj: str, records: Sequence[Any], lane: Lane) -> Sequence[ItemResult]:
        del lane
        return self._written("create", obj, records)

    async def update(self, obj: str, records: Sequence[Any], lane: Lane) -> Sequence[ItemResult]:
        del lane
        return self._written("update", obj, records)

    async def convert(self, conversions: Sequence[Any], lane: Lane) -> Sequence[ItemResult]:
        del lane
        return self._written("convert", "Lead", conversions)

    def _written(self, how: str, obj: str, records: Sequence[Any]) -> Sequence[ItemResult]:
        self.happened.append(f"{how} {len(records)} {obj}")
        self.written += records
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def calling(self, now: Callable[[], int] = lambda: NOW) -> Calling:
        rest = cast("SalesforceRest", self)

        async def trying(ids: Sequence[int], at: int) -> None:
            self.happened.append(f"trying {list(ids)} at {at - NOW}")

        async def untried(ids: Sequence[int]) -> None:
            self.happened.append(f"untried {list(ids)}")

        return Calling(rest=rest, writing=rest, leave=_Leave(), pay=lambda _: None, trying=trying, untried=untried, clock=now)


class _Leave:
    @asynccontextmanager
    async def call(self, lane: Lane) -> AsyncIterator[Ticket | None]:
        del lane
        yield None

    async def used_up(self, seconds: float) -> None:
        del seconds

    async def seen(self, used: int, limit: int) -> None:
        del used, limit
