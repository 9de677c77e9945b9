"""Custom objects of Tandem's own for records that Marketo knows no such thing for (tasks, events): draft, fields, approval.

Those of Salesforce's own custom objects are planned and made by `custom_objects`: they have what Salesforce describes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.fitting.setup.activities import data_type
from consumers.mapping.fields import ObjectMapping, SyncRules
from streams.marketo.api.custom_activities import label_of
from streams.marketo.api.object_types import ObjectType, TypeField
from streams.marketo.api.resource import Resource
from streams.marketo.api.rest import MarketoRest
from streams.wire.errors import Fatal, Reject

_PERSON = ("lead", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnObjectPlan:
    """What is to be done for one custom object: made anew or not, these fields added, and approved in the end."""

    resource: Resource
    label: str
    create: bool
    fields: tuple[TypeField, ...]

    @property
    def words(self) -> str:
        """In a few words, as a person reads it."""
        names = ", ".join(each.name for each in self.fields)
        if self.create:
            return f"custom object {self.resource.name} ({self.label}), with {names}"
        return f"custom object {self.resource.name}: {f'add {names}, then ' if names else ''}approve it"


async def plan_objects(rules: SyncRules, marketo: MarketoRest) -> tuple[OwnObjectPlan, ...]:
    """What the instance lacks: a call for each, two where one has a draft. Raises `Fatal` where Marketo can't be asked."""
    plans = []
    for mapping in rules.objects.values():
        resource = mapping.resource
        if not mapping.has_forms or not isinstance(resource, Resource):
            continue
        try:
            there = await marketo.object_types.one(resource.name)
            draft = await marketo.object_types.one(resource.name, draft=True) if there is not None and there.state != "approved" else None
        except Fatal as error:  # no permission, or a subscription without this interface (616)
            fields = ", ".join(f"{each.name} ({each.type})" for each in _wanted(mapping, resource))
            remedy = f"Or make the custom object {resource.name} by hand, with {fields}; or choose {mapping.section}.as: activity."
            raise Fatal(str(error), remedy=remedy) from error
        if (plan := planned(mapping, draft or there)) is not None:
            plans.append(plan)
    return tuple(plans)


def planned(mapping: ObjectMapping, there: ObjectType | None) -> OwnObjectPlan | None:
    """What a custom object lacks for what is mapped to it; None: nothing. Pure. `there`: its draft, where it has one."""
    resource = mapping.resource
    if not mapping.has_forms or not isinstance(resource, Resource):
        return None
    known = there.fields if there is not None else {}
    missing = tuple(each for each in _wanted(mapping, resource) if each.name not in known)
    if there is not None and there.state == "approved" and not missing:
        return None
    return OwnObjectPlan(resource=resource, label=f"Salesforce {mapping.api_name}", create=there is None, fields=missing)


async def create_objects(marketo: MarketoRest, plans: Sequence[OwnObjectPlan]) -> None:
    """Make what is planned: draft, fields, approval. After a failure it can be planned anew, and goes on where it was. Raises `Fatal` with
    Marketo's own words."""
    types = marketo.object_types
    for plan in plans:
        name = plan.resource.name
        try:
            if plan.create:
                await types.create(name, plan.label, f"{plan.label}s", f"Kept by Tandem: {plan.label}s")
            if plan.fields:
                await types.add(name, plan.fields, plan.resource.key)
            await types.approve(name)
        except Reject as error:
            remedy = "The API user's role needs Read-Write Custom Object Type; Marketo allows ten custom objects made by its API."
            raise Fatal(f"Marketo did not make the custom object {name}: {error.code} {error}.", remedy=remedy) from error


def _wanted(mapping: ObjectMapping, resource: Resource) -> list[TypeField]:
    """What names a record, the link to its person, and the rest of what is mapped."""
    key = [TypeField(name=name, label=label_of(name), type="string") for name in resource.key]
    links = {item.key for item in mapping.references if item.parent == "person"}
    fields = [item for item in mapping.fields if item.marketo]
    return key + [
        TypeField(name=item.marketo, label=label_of(item.marketo), type="link", related=_PERSON)
        if item.key in links
        else TypeField(name=item.marketo, label=label_of(item.marketo), type=data_type(item.marketo, item.type))
        for item in fields
    ]
