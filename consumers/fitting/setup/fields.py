"""The fields that Tandem keeps itself: made in Marketo by its schema API, asked of an admin in Salesforce."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.fitting.check import LinkField, missing_links
from consumers.mapping.describes import Describes, FieldFacts
from consumers.mapping.fields import SyncRules
from streams.marketo.api.rest import MarketoRest
from streams.wire.errors import Fatal
from streams.wire.events import Value
from streams.wire.systems import Object

KEY_LENGTH = 18
_EXISTS = "1017"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPlan:
    """What is missing. `for_admin`: sentences for whoever administers Salesforce."""

    marketo: tuple[LinkField, ...]
    for_admin: tuple[str, ...]


def plan_setup(rules: SyncRules, describes: Describes, *, stamp: str | None) -> SetupPlan:
    """What has to be made before Tandem can run. Pure."""
    missing = missing_links(rules, describes, stamp=stamp)
    sentences = [
        sentence for obj in rules.people if (sentence := _key_sentence(obj, rules.links.salesforce_key, describes.salesforce.get(obj)))
    ]
    return SetupPlan(marketo=missing, for_admin=tuple(sentences))


async def create_fields(marketo: MarketoRest, fields: Sequence[LinkField]) -> None:
    """Create the fields; one that somebody else has made meanwhile is fine. Raises `Fatal` with Marketo's own words."""
    if not fields:
        return
    answer = await marketo.create_fields([_wire(field) for field in fields])
    refused = [
        f"{field.name}: {result.code} {result.message}"
        for field, result in zip(fields, answer.results, strict=True)
        if not result.applied and result.code != _EXISTS
    ]
    if refused:
        raise Fatal(
            f"Marketo did not create {'; '.join(refused)}.",
            remedy="The API user's role needs Read-Write Schema Custom Field; or create the fields in Admin > Field Management.",
        )


def _wire(field: LinkField) -> Mapping[str, Value]:
    return {"name": field.name, "displayName": field.label, "dataType": field.data_type, "description": f"Kept by Tandem: {field.what}"}


def _key_sentence(obj: Object, name: str, facts: Mapping[str, FieldFacts] | None) -> str:
    wanted = f"custom field {name} on {obj.capitalize()}: text, length {KEY_LENGTH}, external id, unique (case-insensitive)"
    if facts is None:
        return f"Give Tandem's user access to {obj.capitalize()} (read, create, edit, delete, View All Records)."
    key = facts.get(name)
    if key is None:
        return f"Create the {wanted}; make it visible to and editable by Tandem's user."
    if not (key.external_id and key.unique):
        return f"Change the {wanted}."
    return ""
