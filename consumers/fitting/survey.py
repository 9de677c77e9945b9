"""Asking both systems what they know about their fields: for the rules at the start of a worker, and for `tandem check`."""

from collections.abc import Mapping
from typing import Any

from consumers.configuration.defaults import OBJECTS
from consumers.mapping.describes import Describes, described
from streams.ground.together import together
from streams.marketo.rest import MarketoRest
from streams.salesforce.rest import SalesforceRest
from streams.wire.errors import Reject
from streams.wire.systems import Object


async def survey(salesforce: SalesforceRest, marketo: MarketoRest) -> Describes:
    """The describes of every synced object: three calls. An object that Tandem's user may not see is absent.

    Raises what the adapters raise (`Retry`, `Fatal`).
    """
    async with together() as group:
        objects, schema = group.create_task(_objects(salesforce, "")), group.create_task(marketo.describe2())
    return described({obj: answer for obj, answer in objects.result().items() if answer is not None}, schema.result())


async def stream_fields(salesforce: SalesforceRest) -> Mapping[Object, frozenset[str] | None]:
    """The fields that each object's change events show to Tandem's user; None where its change events can't be seen at all.

    Fields that the user may not read are missing from the describe of `LeadChangeEvent` as they are from the events (CDC guide, field-level
    security).
    """
    answers = await _objects(salesforce, "ChangeEvent")
    return {
        obj: None if answer is None else frozenset(str(field["name"]) for field in answer.get("fields", ()))
        for obj, answer in answers.items()
    }


async def _objects(salesforce: SalesforceRest, suffix: str) -> dict[Object, dict[str, Any] | None]:
    async with together() as group:
        asked = {obj: group.create_task(_object(salesforce, f"{obj.capitalize()}{suffix}")) for obj in OBJECTS}
    return {obj: task.result() for obj, task in asked.items()}


async def _object(salesforce: SalesforceRest, name: str) -> dict[str, Any] | None:
    try:
        return await salesforce.describe(name)
    except Reject:
        return None
