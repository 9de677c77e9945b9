"""What tasks and events have in common: both stand in the history of the person that they are with (`WhoId`).

Marketo has neither. They are custom activities (developer guide, custom activities) or custom objects there, as the configuration chooses.
"""

from collections.abc import Mapping

from consumers.mapping.fields import FieldType, Overlong
from consumers.mapping.kind import Default, Form
from streams.marketo.api.custom_activity import CustomActivity
from streams.marketo.api.resource import Resource
from streams.wire.systems import Object

_NO_SUBJECT = "(no subject)"

WITH_WHOM = (
    Default("WhoId", "leadId", FieldType.REFERENCE, parent="person", required=True),
    Default("CreatedDate", "activityDate", FieldType.DATETIME),
    Default("Subject", "subject", blank=_NO_SUBJECT, overlong=Overlong.CUT),
    Default("Description", "description", overlong=Overlong.CUT),
)
WHOSE = (Default("OwnerId", "ownerId"), Default("WhatId", "relatedToId"))


def forms(obj: Object, entity: str) -> Mapping[Form, CustomActivity | Resource]:
    """As what such a record can be kept in Marketo. `entity`: what Salesforce calls it, `Task`."""
    return {
        Form.ACTIVITY: CustomActivity(
            object=obj, api_name=f"salesforce{entity}", name=f"Salesforce {entity}", trigger_name=f"Has Salesforce {entity}",
            filter_name=f"Had Salesforce {entity}", primary="subject",
        ),
        Form.CUSTOM_OBJECT: Resource(
            object=obj, path=f"customobjects/salesforce{entity}_c", key=("salesforceId",), id_field="marketoGUID",
        ),
    }  # fmt: skip
