"""Task -> custom activity or custom object: what somebody did, or is to do, with a lead or a contact.

Marketo has no tasks (developer guide, custom activities). Who it is with (`WhoId`) is the person; a task with nobody stays in Salesforce.
The record of a series is not a task that anybody does; its occurrences are.
"""

from consumers.mapping.fields import FieldType, Overlong
from consumers.mapping.kind import Default, Form, Kind, Sort
from streams.marketo.custom_activity import CustomActivity
from streams.marketo.resource import Resource
from streams.salesforce.entity import Entity
from streams.wire.systems import Object

NO_SUBJECT = "(no subject)"

TASK = Kind(
    name="task",
    doc="Tasks, in the history of the people that they are with",
    sorts=(
        Sort(
            entity=Entity(object=Object("task"), name="Task"),
            unless=("IsRecurrence",),
            author="CreatedById",
            fields=(
                Default("WhoId", "leadId", FieldType.REFERENCE, parent="person", required=True),
                Default("CreatedDate", "activityDate", FieldType.DATETIME),
                Default("Subject", "subject", blank=NO_SUBJECT, overlong=Overlong.CUT),
                Default("Description", "description", overlong=Overlong.CUT),
                Default("Status", "status", FieldType.PICKLIST),
                Default("Priority", "priority", FieldType.PICKLIST),
                Default("Type", "type", FieldType.PICKLIST),
                Default("ActivityDate", "dueDate", FieldType.DATE),
                Default("IsClosed", "isClosed", FieldType.BOOLEAN),
                Default("CompletedDateTime", "completedAt", FieldType.DATETIME),
                Default("CallType", "callType", FieldType.PICKLIST),
                Default("CallDurationInSeconds", "callSeconds", FieldType.NUMBER),
                Default("CallDisposition", "callResult", overlong=Overlong.CUT),
                Default("OwnerId", "ownerId"),
                Default("WhatId", "relatedToId"),
            ),
        ),
    ),
    forms={
        Form.ACTIVITY: CustomActivity(
            object=Object("task"), api_name="salesforceTask", name="Salesforce Task", trigger_name="Has Salesforce Task",
            filter_name="Had Salesforce Task", primary="subject",
        ),
        Form.CUSTOM_OBJECT: Resource(
            object=Object("task"), path="customobjects/salesforceTask_c", key=("salesforceId",), id_field="marketoGUID",
        ),
    },
    delete_in_marketo=True,
    titled=("subject",),
)  # fmt: skip
