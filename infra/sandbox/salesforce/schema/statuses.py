"""The standard values of Lead.Status, Opportunity.StageName, Task.Status and Task.Priority, with what each of them means to the org:
converted, closed, won, probable. They are rows of LeadStatus, OpportunityStage, TaskStatus and TaskPriority too (Object Reference)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec


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
