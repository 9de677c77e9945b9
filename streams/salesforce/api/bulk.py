"""Bulk API 2.0 query jobs: the answer of one query as CSV, in pages by locator (Bulk API guide, query jobs)."""

from dataclasses import dataclass

import orjson

from streams.budget.port import Lane
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.api.soql import moment_ms
from streams.wire.errors import Reject, Retry

_NO_MORE = "null"
"""What the locator of the last page reads."""
_GONE = "NOT_FOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryJob:
    """A job as Salesforce tells it. `made_ms`: when it was created, by the server's clock: no row shows an earlier moment."""

    id: str
    state: str
    made_ms: int
    rows: int = 0
    error: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether its results can be fetched."""
        return self.state == "JobComplete"

    @property
    def is_broken(self) -> bool:
        """Whether it ends without results."""
        return self.state in {"Failed", "Aborted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One page of results. `following`: the locator of the next one, empty behind the last."""

    body: bytes
    rows: int
    following: str
    until: int


class BulkQueries:
    """Typed calls. Raises the errors of `streams.wire.errors`; each can be repeated: a job that nobody fetches costs a job."""

    def __init__(self, rest: SalesforceRest) -> None:
        self._rest = rest
        self._root = f"{rest.session.settings.data_path}/jobs/query"

    @property
    def calls(self) -> int:
        """Calls made by the session's client, for reports."""
        return self._rest.calls

    async def make(self, soql: str, lane: Lane, *, everything: bool = False) -> QueryJob:
        """Begins a query. `everything`: also of what is archived or deleted.

        `Reject` where Salesforce refuses it, `Retry` where the day's jobs are used up.
        """
        operation = "queryAll" if everything else "query"
        body = orjson.dumps({"operation": operation, "query": soql, "contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF"})
        return _job((await self._rest.exchange("POST", self._root, lane, body=body)).body)

    async def look(self, job: str, lane: Lane) -> QueryJob | None:
        """How it stands; None: Salesforce doesn't know it any more (jobs are kept for seven days)."""
        try:
            return _job((await self._rest.exchange("GET", f"{self._root}/{job}", lane)).body)
        except Reject as error:
            if error.code == _GONE:
                return None
            raise

    async def sheet(self, job: str, locator: str, most: int, lane: Lane) -> Sheet | None:
        """The page at a locator (empty: the first), of so many rows at the most; None where the results are gone. Can be read again."""
        params = {"maxRecords": str(most), **({"locator": locator} if locator else {})}
        try:
            answer = await self._rest.exchange("GET", f"{self._root}/{job}/results", lane, params=params, headers={"Accept": "text/csv"})
        except Reject as error:
            if error.code == _GONE:
                return None
            raise
        following = answer.headers.get("Sforce-Locator", _NO_MORE)
        rows = int(answer.headers.get("Sforce-NumberOfRecords", 0))
        return Sheet(body=answer.body, rows=rows, following="" if following == _NO_MORE else following, until=answer.until)

    async def abort(self, job: str, lane: Lane) -> None:
        """Ends it, if it hasn't ended yet."""
        try:
            await self._rest.exchange("PATCH", f"{self._root}/{job}", lane, body=orjson.dumps({"state": "Aborted"}))
        except Reject:
            return  # it has ended, or is gone: the same to whoever wants none of it


def _job(body: bytes) -> QueryJob:
    try:
        told = orjson.loads(body)
        return QueryJob(
            id=str(told["id"]),
            state=str(told["state"]),
            made_ms=moment_ms(str(told["createdDate"])),
            rows=int(told.get("numberRecordsProcessed") or 0),
            error=str(told.get("errorMessage") or ""),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise Retry(f"Salesforce query job: the answer can't be read ({type(error).__name__})", after_seconds=2.0) from error
