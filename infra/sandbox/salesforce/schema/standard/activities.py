"""Task, Event and who is invited to one (Object Reference)."""

from __future__ import annotations

from infra.sandbox.salesforce.schema.shapes import (
    USER,
    USER_OR_QUEUE,
    area,
    field,
    fixed,
    flag,
    number,
    object_type,
    pick,
    ref,
    text,
    unsent,
)
from infra.sandbox.salesforce.schema.statuses import PRIORITIES, TASK_STATUSES, labels
from infra.sandbox.salesforce.schema.types import Field, Kind, ObjectType

CHILD = "ChildEventId"
"""Which child event an invitation made: the org's own knowledge."""
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def activity(name: str, prefix: str, extra: list[Field], owners: tuple[str, ...]) -> ObjectType:
    return object_type(name, prefix, [
        ref("WhoId", "Contact", "Lead"), ref("WhatId", "Account", "Campaign", "Opportunity"), text("Subject", 255),
        area("Description", 32000), fixed(ref("AccountId", "Account")), flag("IsReminderSet"), field("ReminderDateTime", Kind.DATETIME),
        unsent(fixed(flag("IsArchived"))), *extra, *_recurrence(name),
    ], owners=owners)  # fmt: skip


def _recurrence(name: str) -> list[Field]:
    """The pattern of a series; only the record of the series itself holds one."""
    return [
        flag("IsRecurrence", updateable=False), fixed(ref("RecurrenceActivityId", name)), number("RecurrenceInterval", 9, 0, Kind.INT),
        pick("RecurrenceType", "RecursDaily", "RecursEveryWeekday", "RecursMonthly", "RecursMonthlyNth", "RecursWeekly", "RecursYearly"),
        number("RecurrenceDayOfWeekMask", 9, 0, Kind.INT), number("RecurrenceDayOfMonth", 9, 0, Kind.INT),
        pick("RecurrenceInstance", "First", "Second", "Third", "Fourth", "Last"), pick("RecurrenceMonthOfYear", *_MONTHS),
        field("RecurrenceEndDateOnly", Kind.DATE), text("RecurrenceTimeZoneSidKey", 40),
    ]  # fmt: skip


def task() -> ObjectType:
    return activity("Task", "00T", [
        field("ActivityDate", Kind.DATE), pick("Priority", *labels(PRIORITIES), nillable=False, default="Normal"),
        pick("Status", *labels(TASK_STATUSES), nillable=False, default="Not Started"),
        fixed(flag("IsClosed")), unsent(fixed(flag("IsHighPriority"))), field("CompletedDateTime", Kind.DATETIME, createable=False),
        pick("Type", "Call", "Email", "Meeting", "Other"),
        unsent(pick("TaskSubtype", "Task", "Call", "Email", "ListEmail", default="Task", updateable=False)),
        number("CallDurationInSeconds", 8, 0, Kind.INT), pick("CallType", "Internal", "Inbound", "Outbound"), text("CallDisposition", 255),
        text("CallObject", 255), field("RecurrenceStartDateOnly", Kind.DATE),
        pick("RecurrenceRegeneratedType", "RecurrenceRegenerateAfterDueDate", "RecurrenceRegenerateAfterToday"),
    ], USER_OR_QUEUE)  # fmt: skip


def event() -> ObjectType:
    return activity("Event", "00U", [
        field("ActivityDate", Kind.DATE), field("ActivityDateTime", Kind.DATETIME), number("DurationInMinutes", 8, 0, Kind.INT),
        unsent(field("StartDateTime", Kind.DATETIME)), unsent(field("EndDateTime", Kind.DATETIME)),
        unsent(fixed(field("EndDate", Kind.DATE))),
        text("Location", 255), flag("IsAllDayEvent"), flag("IsPrivate"), pick("ShowAs", "Busy", "OutOfOffice", "Free", default="Busy"),
        fixed(flag("IsChild")), fixed(flag("IsGroupEvent")), fixed(pick("GroupEventType", "0", "1", "2", "3", default="0")),
        unsent(pick("EventSubtype", "Event", default="Event", updateable=False)), field("RecurrenceStartDateTime", Kind.DATETIME),
        unsent(fixed(flag("IsRecurrence2"))), unsent(fixed(flag("IsRecurrence2Exception"))), fixed(flag("IsRecurrence2Exclusion")),
        area("Recurrence2PatternText", 512, updateable=False), fixed(pick("Recurrence2PatternVersion", "1", "2")),
        unsent(text("Recurrence2PatternTimeZone", 255)), unsent(fixed(field("Recurrence2PatternStartDate", Kind.DATETIME))),
    ], USER)  # fmt: skip


def event_relation() -> ObjectType:
    """An invitation, as long as shared activities are not enabled: no other relation of an event is a record then."""
    return object_type("EventRelation", "0RE", [
        ref("EventId", "Event", nillable=False, updateable=False), ref("RelationId", "Contact", "Lead", "User", updateable=False),
        pick("Status", "New", "Declined", "Accepted", "Uninvited", "Maybe", default="New"), field("RespondedDate", Kind.DATETIME),
        text("Response", 255), field(CHILD, Kind.STRING, length=18, internal=True, in_events=False, createable=False, updateable=False),
    ], owners=())  # fmt: skip
