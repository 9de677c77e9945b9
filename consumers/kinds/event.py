"""Event -> custom activity or custom object: a meeting with a lead or a contact.

As a task. What an invited colleague's calendar shows of the same meeting (a child event) is no second one. Change events carry neither
beginning nor end of an event but what they are made from (`ActivityDateTime`, `DurationInMinutes`; CDC guide).
"""

from consumers.kinds.task import NO_SUBJECT
from consumers.mapping.fields import FieldType, Overlong
from consumers.mapping.kind import Default, Form, Kind, Sort
from streams.marketo.custom_activity import CustomActivity
from streams.marketo.resource import Resource
from streams.salesforce.entity import Entity
from streams.wire.systems import Object

EVENT = Kind(
    name="event",
    doc="Events (meetings), in the history of the people that they are with",
    sorts=(
        Sort(
            entity=Entity(object=Object("event"), name="Event"),
            unless=("IsRecurrence", "IsChild"),
            author="CreatedById",
            fields=(
                Default("WhoId", "leadId", FieldType.REFERENCE, parent="person", required=True),
                Default("CreatedDate", "activityDate", FieldType.DATETIME),
                Default("Subject", "subject", blank=NO_SUBJECT, overlong=Overlong.CUT),
                Default("Description", "description", overlong=Overlong.CUT),
                Default("Location", "location", overlong=Overlong.CUT),
                Default("ActivityDateTime", "startsAt", FieldType.DATETIME),
                Default("ActivityDate", "startsOn", FieldType.DATE),
                Default("DurationInMinutes", "minutes", FieldType.NUMBER),
                Default("IsAllDayEvent", "isAllDay", FieldType.BOOLEAN),
                Default("ShowAs", "showAs", FieldType.PICKLIST),
                Default("OwnerId", "ownerId"),
                Default("WhatId", "relatedToId"),
            ),
        ),
    ),
    forms={
        Form.ACTIVITY: CustomActivity(
            object=Object("event"), api_name="salesforceEvent", name="Salesforce Event", trigger_name="Has Salesforce Event",
            filter_name="Had Salesforce Event", primary="subject",
        ),
        Form.CUSTOM_OBJECT: Resource(
            object=Object("event"), path="customobjects/salesforceEvent_c", key=("salesforceId",), id_field="marketoGUID",
        ),
    },
    delete_in_marketo=True,
    titled=("subject",),
)  # fmt: skip
