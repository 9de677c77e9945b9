"""What is kept in step of each object, field by field, what is not, and why. Pure: describes in, lines out.

A field that Salesforce hides from Tandem's user (field-level security) is absent from describe as one that isn't there is: only a field
that the mapping names can be told to be hidden.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import build, entries, synced
from consumers.configuration.mapping.registered import registry_of
from consumers.fitting.absence import not_in_marketo
from consumers.fitting.left_out import CURRENCIES, several
from consumers.mapping.describes import KEPT_BY_MARKETO, Describes, FieldFacts, akin
from consumers.mapping.fields import Direction, FieldMapping, ObjectMapping, SyncRules, is_amount
from streams.wire.systems import Object, System

_NAMES = {System.SALESFORCE: "Salesforce", System.MARKETO: "Marketo"}
_ALWAYS = frozenset({"Id", "IsDeleted", "SystemModstamp", "LastModifiedDate", "LastModifiedById", "CreatedById"})
"""What Salesforce keeps itself of every record."""


class Sight(StrEnum):
    """How it stands with a field, or with a whole object."""

    SYNCED = "synced"
    HIDDEN = "hidden"
    """It is mapped, and can't be seen: nothing of it is read or written, and nothing is cleared."""
    STOPPED = "stopped"
    """It is mapped and can be seen, and all the same does not flow as the mapping says."""
    UNSYNCED = "not synced"


class Why(StrEnum):
    """The reason."""

    BOTH_WAYS = "both ways"
    ONE_WAY = "one way"
    KEPT = "kept by Tandem"
    WATCHED = "only watched"
    NO_OBJECT = "no object permission"
    NO_FIELD = "no field permission"
    NO_EDIT = "no edit permission"
    OTHER_SIDE = "other side"
    TYPE = "type"
    CURRENCY = "several currencies"
    FORMULA = "formula"
    SYSTEM = "kept by the system"
    NOT_MAPPED = "not mapped"
    LEFT_OUT = "left out"
    OFF = "sync: false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One field on one side; `field` is empty for the object as a whole, which is told where all of it is hidden or left out."""

    object: str
    """As in the configuration: `lead`, `account`."""
    system: str
    record: str
    """What the system calls such records."""
    field: str
    sight: Sight
    why: Why
    other: str = ""
    """The field that it is mapped to."""
    told: str = ""
    """In a sentence, with what to do where something can be done."""


def visibility(settings: Settings, describes: Describes) -> tuple[Seen, ...]:
    """All objects that there are, in order: the mapped fields first, then what else can be seen of them."""
    rules = build(settings, describes, unseen=True)
    kept = frozenset(synced(settings))
    lines: list[Seen] = []
    for obj, sort in registry_of(settings).sorts.items():
        lines += _object(settings, rules, describes, obj) if obj in kept else _off(obj, sort.entity.name)
    return tuple(lines)


def _off(obj: Object, record: str) -> Iterator[Seen]:
    told = f"{record} records are left out of the sync by the configuration"
    yield Seen(object=obj, system=System.SALESFORCE, record=record, field="", sight=Sight.UNSYNCED, why=Why.OFF, told=told)


def _object(settings: Settings, rules: SyncRules, describes: Describes, obj: Object) -> Iterator[Seen]:
    mapping = rules.objects[obj]
    sides = {system: describes.of(system, mapping.named_on(system)) for system in System}
    closed = [system for system in System if not sides[system]]
    for system in closed:
        told = f"Tandem's user can't see {_record(mapping, system)} records in {_NAMES[system]}; give it read access to the object"
        if system is System.MARKETO and mapping.has_forms:
            told = ". ".join(not_in_marketo(mapping)).rstrip(".")
        yield _line(mapping, system, "", Sight.HIDDEN, Why.NO_OBJECT, told=told)
    for system in System:
        if system not in closed:
            yield from _mapped(mapping, rules, system, sides, stopped=bool(closed))
            yield from _others(settings, mapping, rules, system, sides[system])


def _mapped(
    mapping: ObjectMapping, rules: SyncRules, system: System, sides: Mapping[System, Mapping[str, FieldFacts]], *, stopped: bool
) -> Iterator[Seen]:
    for item in mapping.fields:
        name = item.name_on(system)
        if not name:
            continue
        sight, why, told = _standing(item, rules, mapping.object, system, sides, stopped=stopped)
        yield _line(mapping, system, name, sight, why, other=item.name_on(system.other), told=told)


def _standing(
    item: FieldMapping, rules: SyncRules, obj: Object, system: System, sides: Mapping[System, Mapping[str, FieldFacts]], *, stopped: bool
) -> tuple[Sight, Why, str]:
    facts, other = sides[system].get(item.name_on(system)), item.name_on(system.other)
    there = sides[system.other].get(other) if other else None
    if facts is None:
        told = f"it is not there, or hidden from Tandem's user in {_NAMES[system]}; make it visible, or leave it out of the mapping"
        return Sight.HIDDEN, Why.NO_FIELD, told
    if other and (stopped or there is None):
        what = other if not stopped else "the object"
        return Sight.STOPPED, Why.OTHER_SIDE, f"{what} can't be seen in {_NAMES[system.other]}"
    if not item.parent and not akin(item.type, facts.type):
        return Sight.STOPPED, Why.TYPE, f"it is of type {facts.wire_type}, and mapped as {item.type}"
    if there is not None and not item.parent and not akin(item.type, there.type):
        return Sight.STOPPED, Why.OTHER_SIDE, f"{other} is of type {there.wire_type}, and mapped as {item.type}"
    if is_amount(item) and several(rules, obj, sides[System.SALESFORCE]):
        why = Why.CURRENCY if system is System.SALESFORCE else Why.OTHER_SIDE
        return Sight.STOPPED, why, f"{item.salesforce} {CURRENCIES}"
    if not other:
        own = item.marketo in rules.links.names
        asked = "people.qualify asks for it" if item.marketo else "it says whether a record goes to Marketo"
        return Sight.SYNCED, Why.KEPT if own else Why.WATCHED, "Tandem keeps the link in it" if own else asked
    for target, shown in ((system, facts), (system.other, there)):
        if shown is not None and item.direction.reaches(target) and not shown.updateable and not (shown.createable and item.is_key):
            return Sight.STOPPED, Why.NO_EDIT, f"Tandem's user can't write {shown.name} in {_NAMES[target]}"
    return _flowing(item)


def _flowing(item: FieldMapping) -> tuple[Sight, Why, str]:
    if item.direction is Direction.BOTH:
        return Sight.SYNCED, Why.BOTH_WAYS, ""
    target = System.MARKETO if item.direction is Direction.TO_MARKETO else System.SALESFORCE
    return Sight.SYNCED, Why.ONE_WAY, f"{_NAMES[target.other]} to {_NAMES[target]}"


def _others(
    settings: Settings, mapping: ObjectMapping, rules: SyncRules, system: System, facts: Mapping[str, FieldFacts]
) -> Iterator[Seen]:
    """What is not mapped."""
    left_out = {name for name, entry in entries(settings, mapping.object).items() if entry is None}
    left_out |= {line.salesforce for line in registry_of(settings).sorts[mapping.object].fields if line.marketo in left_out}
    known = mapping.by_name(system)
    for name, field in facts.items():
        if name not in known:
            why, told = _unmapped(mapping, rules, system, field, left_out)
            yield _line(mapping, system, name, Sight.UNSYNCED, why, told=told)


def _unmapped(mapping: ObjectMapping, rules: SyncRules, system: System, field: FieldFacts, left_out: set[str]) -> tuple[Why, str]:
    if field.name in left_out:
        return Why.LEFT_OUT, "the configuration leaves it out"
    if is_own(mapping, rules, system, field.name):
        return Why.KEPT, "Tandem keeps the link in it"
    if is_kept(system, field.name):
        return Why.SYSTEM, ""
    if field.type is None:
        return Why.TYPE, f"fields of type {field.wire_type} can't be kept in step"
    if field.calculated:
        return Why.FORMULA, "a formula can be mapped to Marketo only, and moves when its record is stamped (SystemModstamp)"
    return Why.NOT_MAPPED, "`tandem fields` tells the line that would map it"


def is_own(mapping: ObjectMapping, rules: SyncRules, system: System, name: str) -> bool:
    """Whether the field is one by which Tandem, or Marketo for it, knows the record."""
    links = rules.links
    if system is System.SALESFORCE:
        return mapping.is_person and name == links.salesforce_key
    return name in (*links.names, links.stamp) if mapping.resource is None else name in mapping.resource.key


def is_kept(system: System, name: str) -> bool:
    """Whether the system itself keeps it of every record."""
    return name in (_ALWAYS if system is System.SALESFORCE else KEPT_BY_MARKETO)


def _record(mapping: ObjectMapping, system: System) -> str:
    return mapping.api_name if system is System.SALESFORCE else str(mapping.marketo)


def _line(mapping: ObjectMapping, system: System, name: str, sight: Sight, why: Why, *, other: str = "", told: str = "") -> Seen:
    record = _record(mapping, system)
    return Seen(object=mapping.object, system=system, record=record, field=name, sight=sight, why=why, other=other, told=told)
