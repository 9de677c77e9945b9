"""Marketo's custom objects made to be as Salesforce's are: asked for, planned, and made step by step (draft, fields, approval)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from consumers.configuration.groups.custom import declared
from consumers.configuration.mapping.registered import registry_of
from consumers.configuration.settings import Settings
from consumers.fitting.check import Finding, Level
from consumers.fitting.custom.plan import Known, ObjectPlan, planned
from consumers.kinds.custom import KEY, Declared, object_of
from consumers.mapping.describes import Describes
from streams.marketo.api.object_types import ObjectType, TypeField
from streams.marketo.api.rest import MarketoRest
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.errors import Fatal, SyncError

_APPLY, _AGAIN = "Run tandem custom-objects apply.", "Then start the workers again"
_log = structlog.get_logger(__name__)
_DRAFT, _BOTH = "draft", "approvedWithDraft"
_BY_HAND = "make it under Admin > Marketo Custom Objects with these fields, and approve it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The plans of all custom objects. `by_hand`: why Marketo doesn't let Tandem make them; empty: it does."""

    objects: tuple[ObjectPlan, ...] = ()
    by_hand: str = ""

    @property
    def changes(self) -> int:
        """Objects of which something is to be done."""
        return sum(1 for each in self.objects if each.changes)

    @property
    def problems(self) -> int:
        """Objects that can't be made, or not be made alike."""
        return sum(1 for each in self.objects if each.problems or each.differs)


async def plan_of(settings: Settings, salesforce: SalesforceRest, marketo: MarketoRest, describes: Describes) -> Planned:
    """What is to be done; nothing is changed. Raises what the adapters raise."""
    objects = [each for each in declared(settings.custom_objects) if settings.custom_objects[each.name].sync]
    if not objects:
        return Planned()
    try:
        types = await marketo.object_types.all()
    except Fatal as error:  # no permission, or a subscription without this interface (616)
        why = str(error).rstrip(".")
        known = {each.name: _by_records(each, describes) for each in objects}
        plans = planned(objects, settings.custom_objects, known, ())
        return Planned(objects=tuple(_by_hand(each, why) for each in plans), by_hand=why)
    by_name = {each.name: each for each in types}
    labels = {str(one["name"]): one for one in (await salesforce.describe_global()).get("sobjects", ())}
    found = {}
    for each in objects:
        stands = by_name.get(each.marketo)
        draft = stands if stands is not None and stands.state == _DRAFT else None
        if stands is not None and stands.state == _BOTH:
            draft = await marketo.object_types.one(each.marketo, draft=True)
        approved = stands if stands is not None and stands.state != _DRAFT else None
        called = labels.get(each.name, {})
        found[each.name] = Known(
            facts=describes.salesforce.get(object_of(each.name)),
            label=str(called.get("label") or ""),
            plural=str(called.get("labelPlural") or ""),
            approved=approved,
            draft=draft,
        )
    return Planned(objects=planned(objects, settings.custom_objects, found, by_name))


async def apply(marketo: MarketoRest, plan: Planned) -> None:
    """Make what is planned, parents first; objects with problems are left alone. Raises what the adapters raise: done again, it goes on
    where it was."""
    types = marketo.object_types
    for each in plan.objects:
        if each.problems or not each.changes:
            continue
        if each.create:
            await types.create(each.marketo, each.label, each.plural, f"{each.name} of Salesforce, kept by Tandem")
        if each.add:
            await types.add(each.marketo, each.add, (KEY,) if each.state in ("absent", _DRAFT) else ())
        await types.approve(each.marketo)


async def say_differences(settings: Settings, salesforce: SalesforceRest, marketo: MarketoRest, describes: Describes) -> None:
    """Log what differs, for a worker that starts: it goes on with what there is."""
    if not settings.custom_objects:
        return
    try:
        told = findings(settings, await plan_of(settings, salesforce, marketo, describes))
    except SyncError as error:
        _log.warning("custom objects can't be compared", error=str(error))
        return
    for each in told:
        _log.warning("a custom object differs", object=each.object, what=each.message, remedy=each.remedy)


def findings(settings: Settings, plan: Planned) -> list[Finding]:
    """What `tandem check`, and a worker at its start, has to say of the plans."""
    told: list[Finding] = []
    for each in plan.objects:
        obj = str(object_of(each.name))
        told += [Finding(level=Level.PROBLEM, object=obj, field="", message=why) for why in (*each.problems, *each.differs)]
        if each.problems:
            continue
        if each.create or each.state == _DRAFT:
            message = f"Marketo has no approved custom object {each.marketo} for {each.name}; its records are left out"
            told.append(Finding(level=Level.PROBLEM, object=obj, field="", message=message, remedy=f"{_APPLY} {_AGAIN}."))
        elif each.changes:
            names = ", ".join(field.name for field in each.add)
            message = (
                f"Marketo's {each.marketo} lacks {names}" if names else f"Marketo's {each.marketo} has a draft that nobody has approved"
            )
            remedy = f"{_APPLY} {_AGAIN}; or leave fields out (custom_objects.{each.name}.fields.NAME: false)."
            told.append(Finding(level=Level.WARNING, object=obj, field="", message=message, remedy=remedy))
        alone = not settings.custom_objects[each.name].links and not _is_linked_to(settings, each.name)
        if alone:
            message = f"{each.name} is linked to nothing, so nobody finds its records in Marketo"
            remedy = f"Name its lookups (custom_objects.{each.name}.links)."
            told.append(Finding(level=Level.WARNING, object=obj, field="", message=message, remedy=remedy))
    return told


def absent(settings: Settings, plan: Planned) -> frozenset[str]:
    """The Salesforce objects, as on the topics, that Marketo has nothing for yet."""
    known = registry_of(settings).sorts
    missing = (each for each in plan.objects if each.problems or each.create or each.state == _DRAFT)
    return frozenset(str(obj) for each in missing if (obj := object_of(each.name)) in known)


def _is_linked_to(settings: Settings, name: str) -> bool:
    return any(name in told.links.values() for told in settings.custom_objects.values())


def _by_records(each: Declared, describes: Describes) -> Known:
    """By what the object's own describe tells: it can be compared, though not made."""
    obj = object_of(each.name)
    there = describes.of_marketo(obj)
    fields: Mapping[str, TypeField] = {
        name: TypeField(name=name, label=facts.label, type=facts.wire_type) for name, facts in there.items()
    }  # fmt: skip
    approved = ObjectType(name=each.marketo, label="", state="approved", key=(), fields=fields) if there else None
    return Known(facts=describes.salesforce.get(obj), approved=approved, links_told=False)


def _by_hand(plan: ObjectPlan, why: str) -> ObjectPlan:
    if not plan.changes:
        return plan
    return replace(plan, problems=(*plan.problems, f"{why}; {_BY_HAND}: {', '.join(_spelled(plan.add))}"))


def _spelled(fields: Sequence[TypeField]) -> list[str]:
    return [f"{each.name} ({f'link to {each.related[0]} {each.related[1]}' if each.related else each.type})" for each in fields]
