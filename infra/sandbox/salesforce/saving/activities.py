"""What the org works out of tasks and events: their account, their times (Object Reference, Task and Event)."""

from __future__ import annotations

from infra.sandbox.salesforce.records.store import put
from infra.sandbox.salesforce.schema.types import Row, Value
from infra.sandbox.salesforce.state.state import State
from infra.sandbox.salesforce.wire.errors import RecordError
from infra.sandbox.salesforce.wire.stamps import ms_of, stamp_of

MINUTE_MS, DAY_MINUTES = 60_000, 24 * 60
SHARED_WITH_CHILDREN = (
    "Subject", "Description", "Location", "WhoId", "WhatId", "AccountId", "ActivityDate", "ActivityDateTime", "DurationInMinutes",
    "StartDateTime", "EndDateTime", "EndDate", "IsAllDayEvent", "IsPrivate",
)  # fmt: skip
"""What the child event of an invitee takes from the event, and follows."""
_TIMES = frozenset({"StartDateTime", "ActivityDateTime", "ActivityDate", "EndDateTime", "DurationInMinutes", "IsAllDayEvent"})


def derive_task(org: State, proposed: Row, changed: set[str], _: set[str]) -> set[str]:
    values = _account(org, proposed, changed)
    if "Status" in changed:
        status = org.statuses["TaskStatus"].get(str(proposed.get("Status")))
        closed = status is not None and status.closed
        values["IsClosed"] = closed
        if closed and "CompletedDateTime" not in proposed:
            values["CompletedDateTime"] = stamp_of(org.clock.now_ms())
        elif not closed and "CompletedDateTime" in proposed:
            values["CompletedDateTime"] = None
    if "Priority" in changed:
        priority = org.statuses["TaskPriority"].get(str(proposed.get("Priority")))
        values["IsHighPriority"] = priority is not None and priority.high
    put(proposed, values)
    return set(values)


def derive_event(org: State, proposed: Row, changed: set[str], given: set[str]) -> set[str]:
    """The times from each other. Raises REQUIRED_FIELD_MISSING without a beginning or a length, and FIELD_INTEGRITY_EXCEPTION where those
    given say different things."""
    values = _account(org, proposed, changed)
    if "Id" not in proposed or changed & _TIMES:
        values |= _all_day(proposed, given) if "IsAllDayEvent" in proposed else _timed(proposed, given)
    put(proposed, values)
    return set(values)


def _timed(row: Row, given: set[str]) -> Row:
    start = _start(row, given)
    if start is None:
        raise RecordError("REQUIRED_FIELD_MISSING", "Required fields are missing: [ActivityDateTime]", ["ActivityDateTime"])
    start_ms = ms_of(start)
    minutes = _minutes(row, given, start_ms)
    if minutes is None:
        raise RecordError("REQUIRED_FIELD_MISSING", "Required fields are missing: [DurationInMinutes]", ["DurationInMinutes"])
    end = stamp_of(start_ms + minutes * MINUTE_MS)
    return {
        "StartDateTime": start, "ActivityDateTime": start, "ActivityDate": start[:10], "DurationInMinutes": minutes, "EndDateTime": end,
        "EndDate": end[:10],
    }  # fmt: skip


def _all_day(row: Row, given: set[str]) -> Row:
    """An all-day event begins at midnight and ends at that of its last day; it has a date but no time of activity."""
    dated = [str(row[name])[:10] for name in ("ActivityDate", "StartDateTime", "ActivityDateTime") if name in given and name in row]
    day = dated[0] if dated else str(row.get("ActivityDate", ""))
    if not day:
        raise RecordError("REQUIRED_FIELD_MISSING", "Required fields are missing: [ActivityDate]", ["ActivityDate"])
    if len(set(dated)) > 1:
        raise _contradiction("ActivityDate", "StartDateTime")
    start = f"{day}T00:00:00.000+0000"
    minutes = row.get("DurationInMinutes")
    if "EndDateTime" in given and "EndDateTime" in row:
        minutes = (ms_of(f"{str(row['EndDateTime'])[:10]}T00:00:00.000+0000") - ms_of(start)) // MINUTE_MS + DAY_MINUTES
    whole = max(int(minutes), DAY_MINUTES) if isinstance(minutes, int | float) else DAY_MINUTES
    end = stamp_of(ms_of(start) + (whole - DAY_MINUTES) * MINUTE_MS)
    return {
        "StartDateTime": start, "ActivityDateTime": None, "ActivityDate": day, "DurationInMinutes": whole, "EndDateTime": end,
        "EndDate": end[:10],
    }  # fmt: skip


def _start(row: Row, given: set[str]) -> str | None:
    named = [str(row[name]) for name in ("StartDateTime", "ActivityDateTime") if name in given and name in row]
    if len(set(named)) > 1:
        raise _contradiction("StartDateTime", "ActivityDateTime")
    if named:
        return named[0]
    found = row.get("StartDateTime") or row.get("ActivityDateTime")
    return None if found is None else str(found)


def _minutes(row: Row, given: set[str], start_ms: int) -> int | None:
    """The length: as given, or up to the end that is given, or as it was."""
    said: Value = row.get("DurationInMinutes")
    length = int(said) if isinstance(said, int | float) else None
    if "EndDateTime" not in given or "EndDateTime" not in row:
        return length
    until_end = (ms_of(str(row["EndDateTime"])) - start_ms) // MINUTE_MS
    if until_end < 0:
        raise RecordError("FIELD_INTEGRITY_EXCEPTION", "Event duration cannot be negative", ["EndDateTime"])
    if "DurationInMinutes" in given and length is not None and length != until_end:
        raise _contradiction("DurationInMinutes", "EndDateTime")
    return until_end


def _contradiction(one: str, other: str) -> RecordError:
    return RecordError("FIELD_INTEGRITY_EXCEPTION", f"{one} and {other} must say the same", [one, other])


def _account(org: State, row: Row, changed: set[str]) -> Row:
    """The account of what the activity is about, or else of who it is with."""
    if not changed & {"WhoId", "WhatId"}:
        return {}
    found: Value = None
    for name in ("WhatId", "WhoId"):
        target = org.store.row(str(row[name])) if name in row else None
        if target is not None and found is None:
            kind = org.schema.of_id(str(target["Id"]))
            found = target["Id"] if kind is not None and kind.name == "Account" else target.get("AccountId")
    return {"AccountId": found}
