"""Which records changed or went between two times: `/updated` and `/deleted` (SOAP API guide, polling for changes)."""

from __future__ import annotations

from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.rest.call import Call, Reply, json_reply
from infra.sandbox.salesforce.state.limits import DAY_MS
from infra.sandbox.salesforce.wire.errors import ApiError
from infra.sandbox.salesforce.wire.stamps import ms_of, parse_stamp, stamp_of

UPDATED_DAYS, DELETED_DAYS = 30, 15
IDS_MAX = 600_000
MINUTE_MS = 60_000


def updated(call: Call) -> Reply:
    """Ids of live records whose SystemModstamp is in the window; `latestDateCovered` is where the next window should begin."""
    seen, start, end = _window(call, UPDATED_DAYS)
    walk = call.org.store.tables[seen.kind.name].stamps.walk((start, ""), (end, ""))
    found = [row["Id"] for row in walk if "IsDeleted" not in row and seen.sees(row)]
    if len(found) > IDS_MAX:
        raise ApiError(400, "EXCEEDED_ID_LIMIT", "too many ids in the result; use a shorter time span")
    call.records = len(found)
    return json_reply({"ids": found, "latestDateCovered": _covered(call, end)})


def deleted(call: Call) -> Reply:
    seen, start, end = _window(call, DELETED_DAYS)
    found = call.org.bin.between(seen, start, end)
    call.records = len(found)
    return json_reply({
        "deletedRecords": [{"id": record_id, "deletedDate": stamp} for record_id, stamp in found],
        "earliestDateAvailable": stamp_of(call.org.clock.now_ms() - DELETED_DAYS * DAY_MS),
        "latestDateCovered": _covered(call, end),
    })  # fmt: skip


def _window(call: Call, days: int) -> tuple[VisibleObject, str, str]:
    """The object and the two stamps, seconds cut off."""
    seen = call.object(call.params["object"])
    edges = []
    for name in ("start", "end"):
        raw = call.query.get(name)
        stamp = parse_stamp(raw.replace(" ", "+")) if raw else None
        if stamp is None:
            raise ApiError(400, "INVALID_REPLICATION_DATE", f"{name}Date is missing or no valid date")
        edges.append(stamp[:17] + "00.000+0000")
    start, end = edges
    if start >= end:
        raise ApiError(400, "INVALID_REPLICATION_DATE", "startDate cannot be the same as or later than endDate")
    if ms_of(start) < call.org.clock.now_ms() - days * DAY_MS - MINUTE_MS:
        raise ApiError(400, "INVALID_REPLICATION_DATE", f"startDate cannot be more than {days} days ago")
    return seen, start, end


def _covered(call: Call, end: str) -> str:
    """Not later than now, nor than the beginning of the oldest transaction still open; to the minute."""
    reached = call.org.clock.now_ms() - call.org.options.latest_date_held_back_seconds * 1000
    return stamp_of(min(ms_of(end), reached // MINUTE_MS * MINUTE_MS))
