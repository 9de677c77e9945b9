"""Asking both systems what they know about their fields: for the rules at the start of a worker, and for `tandem check`."""

from collections.abc import Mapping, Sequence
from typing import Any

from consumers.mapping.describes import Describes, described
from consumers.mapping.kind import Sort
from streams.ground.together import together
from streams.marketo.api.custom_activity import CustomActivity
from streams.marketo.api.resource import Interface, Resource
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.wire import Schema
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.errors import Fatal, Reject
from streams.wire.systems import Object

Sorts = Sequence[tuple[Sort, Resource | CustomActivity | None]]
"""Salesforce objects, each with the list of Marketo's records, or the type of activities, that it goes to (None: the leads)."""


async def survey(salesforce: SalesforceRest, marketo: MarketoRest, sorts: Sorts) -> Describes:
    """The describes of every synced object: a call each. An object that Tandem's user may not see is absent.

    Raises what the adapters raise (`Retry`, `Fatal`).
    """
    async with together() as group:
        objects, schema = group.create_task(_objects(salesforce, sorts, "")), group.create_task(marketo.describe2())
        resources = {resource.object: resource for _, resource in sorts if resource is not None}
        records = {obj: group.create_task(_records(marketo, resource)) for obj, resource in resources.items()}
    seen = {obj: answer for obj, answer in objects.result().items() if answer is not None}
    shown = {obj: answer for obj, task in records.items() if (answer := task.result()) is not None}
    return described(seen, schema.result(), shown)


async def stream_fields(salesforce: SalesforceRest, sorts: Sorts) -> Mapping[Object, frozenset[str] | None]:
    """The fields that each object's change events show to Tandem's user; None where its change events can't be seen at all.

    Fields that the user may not read are missing from the describe of `LeadChangeEvent` as they are from the events (CDC guide, field-level
    security).
    """
    answers = await _objects(salesforce, [each for each in sorts if each[0].entity.stream], "ChangeEvent")
    return {
        obj: None if answer is None else frozenset(str(field["name"]) for field in answer.get("fields", ()))
        for obj, answer in answers.items()
    }


async def _objects(salesforce: SalesforceRest, sorts: Sorts, suffix: str) -> dict[Object, dict[str, Any] | None]:
    async with together() as group:
        entities = [sort.entity for sort, _ in sorts]
        asked = {each.object: group.create_task(_object(salesforce, _named(each.name, suffix))) for each in entities}
    return {obj: task.result() for obj, task in asked.items()}


async def _records(marketo: MarketoRest, resource: Resource | CustomActivity) -> Schema | None:
    """None where the API user's role doesn't show such records, or there is no such type of activity."""
    try:
        if isinstance(resource, CustomActivity):
            return await marketo.custom_activities.describe(resource)
        match resource.interface:
            case Interface.RECORDS:
                return await marketo.resources.describe_records(resource)
            case Interface.MEMBERS:
                return await marketo.programs.describe_members()
            case Interface.PROGRAMS:
                return await marketo.programs.describe()
    except (Reject, Fatal):
        return None


def _named(name: str, suffix: str) -> str:
    """`LeadChangeEvent`, `Car__ChangeEvent`."""
    return f"{name.removesuffix('c')}{suffix}" if suffix and name.endswith("__c") else f"{name}{suffix}"


async def _object(salesforce: SalesforceRest, name: str) -> dict[str, Any] | None:
    try:
        return await salesforce.describe(name)
    except Reject:
        return None
