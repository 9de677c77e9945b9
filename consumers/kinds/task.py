"""Task -> custom activity or custom object: what somebody did, or is to do, with a lead or a contact.

Marketo has no tasks (developer guide, custom activities). Who it is with (`WhoId`) is the person; a task with nobody stays in Salesforce.
The record of a series is not a task that anybody does; its occurrences are.
"""

from consumers.kinds.history import WHOSE, WITH_WHOM, forms
from consumers.mapping.fields import FieldType, Overlong
from consumers.mapping.kind import Default, Kind, Sort
from streams.salesforce.api.entity import Entity
from streams.wire.systems import Object

_TASK = Object("task")

TASK = Kind(
    name="task",
    doc="Tasks, in the history of the people that they are with",
    sorts=(
        Sort(
            entity=Entity(object=_TASK, name="Task", archives=True),
            unless=("IsRecurrence",),
            author="CreatedById",
            fields=(
                *WITH_WHOM,
                Default("Status", "status", FieldType.PICKLIST),
                Default("Priority", "priority", FieldType.PICKLIST),
                Default("Type", "type", FieldType.PICKLIST),
                Default("ActivityDate", "dueDate", FieldType.DATE),
                Default("IsClosed", "isClosed", FieldType.BOOLEAN),
                Default("CompletedDateTime", "completedAt", FieldType.DATETIME),
                Default("CallType", "callType", FieldType.PICKLIST),
                Default("CallDurationInSeconds", "callSeconds", FieldType.NUMBER),
                Default("CallDisposition", "callResult", overlong=Overlong.CUT),
                *WHOSE,
            ),
        ),
    ),
    forms=forms(_TASK, "Task"),
    delete_in_marketo=True,
    titled=("subject",),
)
