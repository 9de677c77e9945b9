"""The values of a status field, as an administrator sets them: picklist and rows (Object Reference, LeadStatus and the like)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.salesforce.schema.statuses import FIELDS, STANDARD, Status, labels
from infra.sandbox.salesforce.schema.types import Row
from infra.sandbox.salesforce.state.state import State
from infra.sandbox.salesforce.wire import ids


def set_statuses(org: State, args: Mapping[str, Any]) -> None:
    """{object, values: [{label, default?, converted?, closed?, won?, probability?, forecast?}, ...]}: the values of LeadStatus,
    OpportunityStage, TaskStatus or TaskPriority, in order, in place of those that were. Raises ValueError."""
    name = str(args.get("object"))
    if name not in STANDARD:
        raise ValueError(f"{name!r} is none of {', '.join(STANDARD)}")
    values = msgspec.convert(args.get("values", []), tuple[Status, ...])
    if not values or len(set(labels(values))) < len(values):
        raise ValueError("values are at least one, each with a label of its own")
    if name == "LeadStatus" and not any(each.converted for each in values):
        raise ValueError("one lead status at least is that of a converted lead")
    put_statuses(org, name, values, org.setup_stamp)


def put_statuses(org: State, name: str, values: tuple[Status, ...], stamp: str) -> None:
    """Rows and picklist; a label that stays keeps its id."""
    table, (owner, field) = org.store.tables[name], FIELDS[name]
    known = {str(row["MasterLabel"]): row for row in table.rows.values()}
    for label, row in known.items():
        if label not in labels(values):
            org.store.apply(Entry(0, "sandbox", "delete", name, str(row["Id"]), None, None, None, {"gone": stamp}))
    for place, each in enumerate(values, start=1):
        wanted = _row(name, each, place)
        there = known.get(each.label)
        if there is None:
            born: Row = {"CreatedDate": stamp, "CreatedById": ids.make("005", 1), "LastModifiedById": ids.make("005", 1)}
            number = max(table.made, table.kind.first_number - 1) + 1
            row_id = ids.make(table.kind.prefix, number)
            row = {"Id": row_id, **born, **wanted, "LastModifiedDate": stamp, "SystemModstamp": stamp}
            org.store.apply(Entry(0, "sandbox", "create", name, row_id, None, row))
        elif any((there.get(key) or None) != (value or None) for key, value in wanted.items()):
            stamps: Row = {"LastModifiedDate": stamp, "SystemModstamp": stamp}
            org.store.apply(Entry(0, "sandbox", "update", name, str(there["Id"]), None, {**wanted, **stamps}))
    kind = org.schema.objects[owner]
    first = next((each.label for each in values if each.default), None)
    kind.put_field(msgspec.structs.replace(kind.fields[field], picklist=labels(values), default=first))
    org.statuses[name] = {each.label: each for each in values}


def _row(name: str, status: Status, place: int) -> Row:
    row: Row = {"MasterLabel": status.label, "ApiName": status.label, "SortOrder": place}
    match name:
        case "LeadStatus":
            return {**row, "IsDefault": status.default, "IsConverted": status.converted}
        case "TaskStatus":
            return {**row, "IsDefault": status.default, "IsClosed": status.closed}
        case "TaskPriority":
            return {**row, "IsDefault": status.default, "IsHighPriority": status.high}
        case _:
            return {
                **row, "IsActive": True, "IsClosed": status.closed, "IsWon": status.won, "DefaultProbability": status.probability,
                "ForecastCategoryName": status.forecast, "ForecastCategory": status.forecast.replace(" ", ""),
            }  # fmt: skip
