"""Which fields both systems have, against those that the mapping names: mapped, offered, vanished, changed. Pure.

Each one that isn't mapped comes with the line of the configuration that would map it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from consumers.fitting.visibility import is_kept, is_own
from consumers.mapping.describes import Describes, FieldFacts, akin
from consumers.mapping.fields import Direction, FieldMapping, ObjectMapping, SyncRules
from streams.wire.systems import System

_NAMES = {System.SALESFORCE: "Salesforce", System.MARKETO: "Marketo"}


class Standing(StrEnum):
    """How a field stands to the mapping."""

    MAPPED = "mapped"
    OFFERED = "offered"
    """Nothing is mapped to it, and something could be."""
    VANISHED = "vanished"
    """The mapping names it, and it is not there any more (or hidden): what the ledger knows of it is kept, nothing is cleared."""
    CHANGED = "changed"
    """The mapping takes it for another type: it is held, the rest of its record goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One field of one side."""

    object: str
    system: str
    field: str
    label: str
    type: str
    """As the system calls it."""
    standing: Standing
    other: str = ""
    """What it is mapped to, or would be."""
    told: str = ""
    line: str = ""
    """Of the configuration: what maps it, maps it as what it is now, or leaves it out."""
    news: str = ""
    """What a worker has found to be new about it: that it has appeared, another type, other values of its picklist."""
    news_ms: int = 0
    """Since when (ms, ours)."""


def offers(rules: SyncRules, describes: Describes) -> tuple[Offer, ...]:
    """By object and system, in the systems' order. Objects that can't be seen are `visibility`'s to tell of."""
    found: list[Offer] = []
    for mapping in rules.objects.values():
        sides = {system: describes.of(system, mapping.named_on(system)) for system in System}
        for system in System:
            if sides[system]:
                found += _mapped(mapping, system, sides)
                found += _offered(mapping, rules, system, sides)
    return tuple(found)


def _mapped(mapping: ObjectMapping, system: System, sides: Mapping[System, Mapping[str, FieldFacts]]) -> Iterator[Offer]:
    for item in mapping.fields:
        name = item.name_on(system)
        facts = sides[system].get(name)
        if name and facts is None:
            yield _vanished(mapping, item, system)
        elif facts is not None and not item.parent and not akin(item.type, facts.type):
            yield _changed(mapping, item, system, facts)
        elif facts is not None:
            yield _offer(mapping, system, facts, Standing.MAPPED, other=item.name_on(system.other))


def _vanished(mapping: ObjectMapping, item: FieldMapping, system: System) -> Offer:
    told = f"it is not in {_NAMES[system]} any more, or hidden from Tandem's user: nothing of it is read, written or cleared"
    return Offer(
        object=mapping.object,
        system=system,
        field=item.name_on(system),
        label="",
        type=item.type,
        standing=Standing.VANISHED,
        other=item.name_on(system.other),
        told=told,
        line=_line(mapping, f"{item.key}: false") if item.salesforce else "",
    )


def _changed(mapping: ObjectMapping, item: FieldMapping, system: System, facts: FieldFacts) -> Offer:
    told = f"it is of type {facts.wire_type} now and mapped as {item.type}: it is held until both sides and the mapping agree"
    line = _line(mapping, f"{item.key}: {{type: {facts.type}}}") if facts.type is not None else _line(mapping, f"{item.key}: false")
    return _offer(mapping, system, facts, Standing.CHANGED, other=item.name_on(system.other), told=told, line=line)


def _offered(mapping: ObjectMapping, rules: SyncRules, system: System, sides: Mapping[System, Mapping[str, FieldFacts]]) -> Iterator[Offer]:
    taken = {each: _taken(mapping, rules, each) for each in System}
    free = {_plain(name): facts for name, facts in sides[system.other].items() if _is_free(mapping, rules, system.other, facts, taken)}
    for name, facts in sides[system].items():
        if not _is_free(mapping, rules, system, facts, taken):
            continue
        there = free.get(_plain(name))
        there = there if there is not None and akin(facts.type, there.type) else None
        if system is System.MARKETO and (there is not None or mapping.flow is Direction.TO_MARKETO):
            continue  # told with its like in Salesforce; or nothing of Salesforce's could fill it that isn't offered already
        yield _one(mapping, system, facts, there)


def _taken(mapping: ObjectMapping, rules: SyncRules, system: System) -> frozenset[str]:
    """Fields that are spoken for: mapped, or in Marketo told of the same record by another sort (a contact) or its parent (an account)."""
    names = set(mapping.by_name(system))
    if system is System.MARKETO:
        parents = {item.parent for item in mapping.references}
        alike = (each for each in rules.objects.values() if each.marketo == mapping.marketo or each.kind in parents)
        names.update(name for each in alike for name in each.by_marketo)
    return frozenset(names)


def _one(mapping: ObjectMapping, system: System, facts: FieldFacts, there: FieldFacts | None) -> Offer:
    if mapping.described:
        told = "tandem custom-objects apply makes it in Marketo, once the configuration doesn't leave it out"
        line = _line(mapping, f"{facts.name}: {{}}")
        return _offer(mapping, system, facts, Standing.OFFERED, other=facts.name, told=told, line=line)
    other = there.name if there is not None else _name_for(facts.name, system.other)
    told = "" if there is not None else f"make {other} in {_NAMES[system.other]} first, or name another field there"
    salesforce, marketo = (facts.name, other) if system is System.SALESFORCE else (other, facts.name)
    words = [f"salesforce: {salesforce}", f"type: {facts.type}"]
    direction = _direction(mapping, system, facts, there)
    if direction is not None:
        words.append(f"direction: {direction}")
    line = _line(mapping, f"{marketo}: {{{', '.join(words)}}}")
    return _offer(mapping, system, facts, Standing.OFFERED, other=other, told=told, line=line)


def _is_free(mapping: ObjectMapping, rules: SyncRules, system: System, facts: FieldFacts, taken: Mapping[System, frozenset[str]]) -> bool:
    """Whether it could be mapped, and isn't."""
    name = facts.name
    kept = is_own(mapping, rules, system, name) or is_kept(system, name)
    return facts.type is not None and not kept and name not in taken[system]


def _direction(mapping: ObjectMapping, system: System, facts: FieldFacts, there: FieldFacts | None) -> Direction | None:
    """The one way that is left, where one side can't be written; None: as the object flows."""
    if mapping.flow is not Direction.BOTH:
        return None
    if not facts.updateable:
        return Direction.TO_MARKETO if system is System.SALESFORCE else Direction.TO_SALESFORCE
    if there is not None and not there.updateable:
        return Direction.TO_SALESFORCE if system is System.SALESFORCE else Direction.TO_MARKETO
    return None


def _line(mapping: ObjectMapping, entry: str) -> str:
    line = f"{{fields: {{{entry}}}}}"
    for name in reversed(mapping.section.split(".")[1:]):
        line = f"{{{name}: {line}}}"
    return f"{mapping.section.split('.')[0]}: {line}"


def _name_for(name: str, system: System) -> str:
    """What a field of this name would be called on the other system."""
    if system is System.SALESFORCE:
        parts = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
        return f"{'_'.join(each[:1].upper() + each[1:] for each in parts)}__c"
    bare = name.removesuffix("__c").replace("__", "_")
    first, *rest = [each for each in bare.split("_") if each]
    return first[:1].lower() + first[1:] + "".join(each[:1].upper() + each[1:] for each in rest)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().removesuffix("__c"))


def _offer(
    mapping: ObjectMapping, system: System, facts: FieldFacts, standing: Standing, *, other: str = "", told: str = "", line: str = ""
) -> Offer:
    return Offer(
        object=mapping.object,
        system=system,
        field=facts.name,
        label=facts.label,
        type=facts.wire_type,
        standing=standing,
        other=other,
        told=told,
        line=line,
    )
