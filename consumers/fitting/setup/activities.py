"""The types of activities that Tandem writes: made in Marketo by its schema API from what is mapped, and completed where they lack
attributes. A type is never deleted, and no attribute of one changed: activities of it are in people's histories."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consumers.mapping.fields import FieldType, ObjectMapping, SyncRules
from streams.marketo.api.custom_activities import label_of
from streams.marketo.api.custom_activity import ATTRIBUTES_MAX, DATE, LEAD, Attribute, CustomActivity, TypeState
from streams.marketo.api.rest import MarketoRest
from streams.wire.errors import Fatal, Reject

_DATA_TYPES = {
    FieldType.NUMBER: "float", FieldType.CURRENCY: "float", FieldType.PERCENT: "float", FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "date", FieldType.DATETIME: "datetime", FieldType.EMAIL: "email", FieldType.PHONE: "phone",
}  # fmt: skip
_LONG = frozenset({"description"})
_REMEDY = "The API user's role needs Read-Write Activity Metadata; an instance holds ten types of activities of its own."


@dataclass(frozen=True, slots=True, kw_only=True)
class TypePlan:
    """What is to be done for one type: made anew or not, these attributes added, and approved in the end."""

    activity: CustomActivity
    what: str
    """Of which records it tells: `Tasks, in the history of …`."""
    create: bool
    attributes: tuple[Attribute, ...]

    @property
    def words(self) -> str:
        """In a few words, as a person reads it."""
        names = ", ".join(each.name for each in self.attributes)
        if self.create:
            return f"activity type {self.activity.api_name} ({self.activity.name}), with {names}"
        return f"activity type {self.activity.api_name}: {f'add {names}, then ' if names else ''}approve it"


async def plan_types(rules: SyncRules, marketo: MarketoRest) -> tuple[TypePlan, ...]:
    """What the instance lacks: a call for each type. Raises `Fatal` for more attributes than a type can have."""
    plans = [planned(mapping, await marketo.custom_activities.type_of(activity)) for mapping, activity in _wanted(rules)]
    return tuple(plan for plan in plans if plan is not None)


def planned(mapping: ObjectMapping, there: TypeState | None) -> TypePlan | None:
    """What a type lacks for what is mapped to it; None: nothing. Pure. Raises `Fatal`."""
    activity = mapping.resource
    if not isinstance(activity, CustomActivity):
        return None
    wanted = _attributes(mapping, activity)
    known = there.attributes if there is not None else {}
    missing = tuple(each for each in wanted if each.name not in known)
    if len(known) + len(missing) > ATTRIBUTES_MAX:
        over = f"{len(known) + len(missing)} attributes, and Marketo takes {ATTRIBUTES_MAX}: {', '.join(each.name for each in missing)}"
        raise Fatal(
            f"The activity type {activity.api_name} would have {over}.", remedy=f"Leave some out ({mapping.object}.fields.NAME: false)."
        )
    if there is not None and there.approved and not missing:
        return None
    return TypePlan(activity=activity, what=mapping.api_name, create=there is None, attributes=missing)


async def create_types(marketo: MarketoRest, plans: Sequence[TypePlan]) -> None:
    """Make what is planned: draft, attributes, approval. A step that was made before is not repeated, so it can be run again after a
    failure (plan it anew). Raises `Fatal` with Marketo's own words."""
    calls = marketo.custom_activities
    for plan in plans:
        try:
            if plan.create:
                await calls.create(plan.activity, f"Kept by Tandem: {plan.what} of Salesforce")
            if plan.attributes:
                await calls.add_attributes(plan.activity, plan.attributes)
            await calls.approve(plan.activity)
        except Reject as error:
            name = plan.activity.api_name
            raise Fatal(f"Marketo did not make the activity type {name}: {error.code} {error}.", remedy=_REMEDY) from error


def _wanted(rules: SyncRules) -> Iterator[tuple[ObjectMapping, CustomActivity]]:
    for mapping in rules.objects.values():
        if isinstance(mapping.resource, CustomActivity):
            yield mapping, mapping.resource


def _attributes(mapping: ObjectMapping, activity: CustomActivity) -> list[Attribute]:
    """The id of the record first; what every activity has by itself, and the primary attribute, are none."""
    beside = {LEAD, DATE, activity.primary}
    fields = [item for item in mapping.fields if item.marketo and item.marketo not in beside]
    told = [Attribute(name=item.marketo, label=label_of(item.marketo), data_type=data_type(item.marketo, item.type)) for item in fields]
    return [Attribute(name=activity.stored_id, label=label_of(activity.stored_id), data_type="string"), *told]


def data_type(name: str, kind: FieldType) -> str:
    """What Marketo calls a type of ours."""
    return "text" if name in _LONG else _DATA_TYPES.get(kind, "string")
