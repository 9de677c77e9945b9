"""Bodies and answers of sObject Collections: up to 200 records a call, one result each, in order. Pure.

(REST API guide, "sObject Collections": always HTTP 200 with a list; an item has `success` and `errors` with `statusCode`.)
"""

from collections.abc import Mapping, Sequence

import msgspec
import orjson

from streams.salesforce.api.access.refusals import Refusal
from streams.salesforce.api.soql import name
from streams.wire.errors import Reject, Unknown
from streams.wire.events import Value

RECORDS_MAX = 200

Row = Mapping[str, Value]


class ItemResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one item. `created` is told by upserts and true for creates that succeeded."""

    id: str | None
    success: bool
    created: bool = False
    errors: tuple[Refusal, ...] = ()
    """Why it was refused, in Salesforce's words. `judge_item` says what each of them means."""
    until: int = 0
    """The latest moment at which it may have been done (ms, the server's clock); 0 if the answer didn't tell."""


def body_of(obj: str, records: Sequence[Row]) -> bytes:
    """`{"allOrNone": false, "records": [...]}`. Raises ValueError over 200 records, or none."""
    check_count(len(records))
    typed = {"type": name(obj)}
    return orjson.dumps({"allOrNone": False, "records": [{"attributes": typed, **_lower_id(record)} for record in records]})


def check_count(count: int) -> None:
    """Raises ValueError unless the number of records fits one call."""
    if not 1 <= count <= RECORDS_MAX:
        raise ValueError(f"a call takes 1 to {RECORDS_MAX} records, not {count}")


def results_in(body: bytes, count: int, *, what: str, creates: bool = False, until: int = 0) -> list[ItemResult]:
    """The results in input order. An answer that doesn't match what was sent is `Unknown`: something was done."""
    try:
        results = [_result(item, creates=creates, until=until) for item in orjson.loads(body)]
    except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
        raise Unknown(f"{what}: the answer can't be read ({type(error).__name__})") from None
    if len(results) != count:
        raise Unknown(f"{what}: {count} records sent, {len(results)} results came back")
    return results


def rows_in(body: bytes, ids: Sequence[str], *, what: str) -> list[dict[str, Value] | None]:
    """The records read, in the order of `ids`; None where there is none that we can see."""
    rows = orjson.loads(body)
    if not isinstance(rows, list) or len(rows) != len(ids):
        raise Reject(f"{what}: {len(ids)} records asked for, the answer has another shape")
    return [plain_row(row) if isinstance(row, dict) else None for row in rows]


def plain_row(row: Mapping[str, object]) -> dict[str, Value]:
    """A record without `attributes` and without nested records."""
    return {key: value for key, value in row.items() if value is None or isinstance(value, str | int | float | bool)}


def _lower_id(record: Row) -> dict[str, Value]:
    # the collection's key for the record's own id is `id`
    return {("id" if key == "Id" else key): value for key, value in record.items()}


def _result(item: dict[str, object], *, creates: bool, until: int) -> ItemResult:
    success = item["success"] is True
    raw = item.get("errors") or []
    errors = tuple(_error(each) for each in raw if isinstance(each, dict)) if isinstance(raw, list) else ()
    found = item.get("id")
    created = success and bool(item.get("created", creates))
    return ItemResult(id=str(found) if found else None, success=success, created=created, errors=errors, until=until)


def _error(raw: dict[str, object]) -> Refusal:
    fields = raw.get("fields")
    named = tuple(str(each) for each in fields) if isinstance(fields, list) else ()
    return Refusal(
        code=str(raw.get("statusCode") or raw.get("errorCode") or "UNKNOWN_EXCEPTION"), message=str(raw.get("message") or ""), fields=named
    )


def id_in_path(text: str) -> str:
    """The id as it is, if it can be one. Raises ValueError."""
    if not text.isalnum() or len(text) not in (15, 18):
        raise ValueError(f"not a Salesforce id: {text!r}")
    return text
