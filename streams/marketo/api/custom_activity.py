"""What is said of a custom activity type: a declaration of whoever writes such activities. Each is written once, and stays as it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streams.wire.events import Value
from streams.wire.systems import Object

LEAD, DATE = "leadId", "activityDate"
"""What every activity has beside its attributes: whose it is, and when it was (Marketo, Add Custom Activities)."""
ATTRIBUTES_MAX = 20
"""Of one type, beside its primary attribute (1028)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomActivity:
    """A type of activity of our own. Marketo adds them to a person's history, and neither changes nor deletes one."""

    object: Object
    """As on the topics: `task`."""
    api_name: str
    """`salesforceTask`."""
    name: str
    """As people read it in the history: `Salesforce Task`."""
    trigger_name: str
    """As smart campaigns listen for it: `Has Salesforce Task`."""
    filter_name: str
    """As smart lists ask for it: `Had Salesforce Task`."""
    primary: str
    """The attribute that a person reads first, and that must not be blank: `subject`."""
    stored_id: str = "salesforceId"
    """The attribute with the id of the record that an activity tells of: by it one is found again whose call was not answered."""
    id_field: str = "marketoGUID"

    @property
    def key(self) -> tuple[str, ...]:
        """What names the record that an activity tells of."""
        return (self.stored_id,)

    def told(self, values: Mapping[str, Value], record: str, number: int) -> dict[str, Any]:
        """An activity as it is sent: `values` by field, `number` of its type. What is blank is left out."""
        beside = {LEAD, DATE, self.primary}
        attributes: list[dict[str, Value]] = [{"apiName": self.stored_id, "value": record}]
        attributes += [{"apiName": name, "value": value} for name, value in values.items() if name not in beside and value is not None]
        sent: dict[str, Any] = {name: values[name] for name in (LEAD, DATE) if name in values}
        return sent | {"activityTypeId": number, "primaryAttributeValue": values.get(self.primary), "attributes": attributes}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of a type that is to be made."""

    name: str
    label: str
    data_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeState:
    """A type as the instance has it. `number`: its id; `approved`: activities of it can be added; `attributes`: of the version that
    counts, the draft where it was never approved: data types by API name."""

    number: int
    approved: bool
    draft: bool
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An activity that was found again: the GUID that Marketo gave it, whose it is, and of which record of ours it tells."""

    guid: str
    lead: str
    record: str
