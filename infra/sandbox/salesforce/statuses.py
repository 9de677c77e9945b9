"""The standard values of Lead.Status, Opportunity.StageName, Task.Status and Task.Priority, with what each of them means to the org:
converted, closed, won, probable. They are rows of LeadStatus, OpportunityStage, TaskStatus and TaskPriority too (Object Reference)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.salesforce import ids
from infra.sandbox.salesforce.schema import Row

if TYPE_CHECKING:
    from infra.sandbox.salesforce.org import Org


class Status(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    label: str
    default: bool = False
    converted: bool = False
    closed: bool = False
    won: bool = False
    high: bool = False
    probability: float = 0.0
    forecast: str = "Pipeline"
    """The forecast category's name."""


def _stage(label: str, probability: float, forecast: str = "Pipeline", *, closed: bool = False) -> Status:
    return Status(label=label, probability=probability, forecast=forecast, closed=closed, won=closed and probability == 100)


LEAD_STATUSES = (
    Status(label="Open - Not Contacted", default=True), Status(label="Working - Contacted"),
    Status(label="Closed - Converted", converted=True), Status(label="Closed - Not Converted"),
)  # fmt: skip
STAGES = (
    _stage("Prospecting", 10), _stage("Qualification", 10), _stage("Needs Analysis", 20), _stage("Value Proposition", 50),
    _stage("Id. Decision Makers", 60), _stage("Perception Analysis", 70), _stage("Proposal/Price Quote", 75),
    _stage("Negotiation/Review", 90), _stage("Closed Won", 100, "Closed", closed=True), _stage("Closed Lost", 0, "Omitted", closed=True),
)  # fmt: skip
TASK_STATUSES = (
    Status(label="Not Started", default=True), Status(label="In Progress"), Status(label="Completed", closed=True),
    Status(label="Waiting on someone else"), Status(label="Deferred"),
)  # fmt: skip
PRIORITIES = (Status(label="High", high=True), Status(label="Normal", default=True), Status(label="Low"))
STANDARD = {"LeadStatus": LEAD_STATUSES, "OpportunityStage": STAGES, "TaskStatus": TASK_STATUSES, "TaskPriority": PRIORITIES}
FIELDS = {
    "LeadStatus": ("Lead", "Status"), "OpportunityStage": ("Opportunity", "StageName"), "TaskStatus": ("Task", "Status"),
    "TaskPriority": ("Task", "Priority"),
}  # fmt: skip
Statuses = Mapping[str, Status]


def labels(statuses: Iterable[Status]) -> tuple[str, ...]:
    return tuple(each.label for each in statuses)


def set_statuses(org: Org, args: Mapping[str, Any]) -> None:
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


def put_statuses(org: Org, name: str, values: tuple[Status, ...], stamp: str) -> None:
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
