"""Event -> custom activity or custom object: a meeting with a lead or a contact.

As a task. What an invited colleague's calendar shows of the same meeting (a child event) is no second one. Change events carry neither
beginning nor end of an event but what they are made from (`ActivityDateTime`, `DurationInMinutes`; CDC guide).
"""

from consumers.kinds.history import WHOSE, WITH_WHOM, forms
from consumers.mapping.fields import FieldType, Overlong
from consumers.mapping.kind import Default, Kind, Sort
from streams.salesforce.api.entity import Entity
from streams.wire.systems import Object

_EVENT = Object("event")

EVENT = Kind(
    name="event",
    doc="Events (meetings), in the history of the people that they are with",
    sorts=(
        Sort(
            entity=Entity(object=_EVENT, name="Event", archives=True),
            unless=("IsRecurrence", "IsChild"),
            author="CreatedById",
            fields=(
                *WITH_WHOM,
                Default("Location", "location", overlong=Overlong.CUT),
                Default("ActivityDateTime", "startsAt", FieldType.DATETIME),
                Default("ActivityDate", "startsOn", FieldType.DATE),
                Default("DurationInMinutes", "minutes", FieldType.NUMBER),
                Default("IsAllDayEvent", "isAllDay", FieldType.BOOLEAN),
                Default("ShowAs", "showAs", FieldType.PICKLIST),
                *WHOSE,
            ),
        ),
    ),
    forms=forms(_EVENT, "Event"),
    delete_in_marketo=True,
    titled=("subject",),
)
