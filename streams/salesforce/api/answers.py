"""What Salesforce's REST API answers to reads, as values."""

import msgspec
import orjson

from streams.salesforce.api.access.session import Answer
from streams.salesforce.api.records import plain_row
from streams.salesforce.api.soql import moment_ms
from streams.wire.errors import Retry, SyncError
from streams.wire.events import Value

Record = dict[str, Value]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a query. `at`..`until`: between which moments of the server's clock it was read (ms)."""

    rows: list[Record]
    total: int
    next_url: str | None
    at: int
    until: int


class DeletedRows(msgspec.Struct, frozen=True, kw_only=True):
    """What `/deleted` told: id -> when it was deleted (ms), and up to when the list is complete."""

    ids: dict[str, int]
    covered_ms: int


def page_of(answer: Answer) -> Page:
    """A page in an answer. Raises `Retry` where there is none."""
    try:
        body = orjson.loads(answer.body)
        rows = [plain_row(row) for row in body.get("records", [])]
        following = None if body["done"] else str(body["nextRecordsUrl"])
        return Page(rows=rows, total=int(body["totalSize"]), next_url=following, at=answer.at, until=answer.until)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(error) from error


def deletions_of(answer: Answer) -> DeletedRows:
    """What the delete log answers."""
    body = orjson.loads(answer.body)
    ids = {str(row["id"]): moment_ms(str(row["deletedDate"])) for row in body["deletedRecords"]}
    return DeletedRows(ids=ids, covered_ms=moment_ms(str(body["latestDateCovered"])))


def _unreadable(error: Exception) -> SyncError:
    return Retry(f"Salesforce query: the answer can't be read ({type(error).__name__})", after_seconds=2.0)
