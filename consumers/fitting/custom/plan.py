"""What Marketo's custom objects lack of what Salesforce's have, and what can't be made there. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from consumers.configuration.groups.custom import CustomObjectSettings
from consumers.configuration.mapping.described import described_lines, why_not
from consumers.kinds.custom import FIELDS_LATER_MAX, FIELDS_MAX, KEY, TYPES_MAX, Declared, related
from consumers.mapping.describes import FieldFacts
from consumers.mapping.fields import FieldType
from consumers.mapping.kind import Default
from streams.marketo.api.object_types import ObjectType, TypeField

_STRING_MAX = 255
_DATA_TYPES = {
    FieldType.EMAIL: "email", FieldType.PHONE: "phone", FieldType.NUMBER: "float", FieldType.CURRENCY: "currency",
    FieldType.PERCENT: "float", FieldType.BOOLEAN: "boolean", FieldType.DATE: "date", FieldType.DATETIME: "datetime",
}  # fmt: skip
"""Marketo's type for each of ours; the rest is text."""
_WHOLE = "int"
_ALIKE = (
    frozenset({"string", "text", "email", "phone", "url", "reference"}), frozenset({"integer", "float", "currency", "percent", "score"}),
    frozenset({"boolean"}), frozenset({"date"}), frozenset({"datetime"}), frozenset({"link"}),
)  # fmt: skip
_OF_MARKETO = frozenset({"marketoGUID", "createdAt", "updatedAt"})
_LABEL = re.compile(r"[^A-Za-z0-9_ ]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A field of Salesforce that is not kept in step, and why."""

    field: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPlan:
    """One custom object. `state` as Marketo tells it, `absent` where it has none of this name.

    `create`, `add`, `approve`: what is to be done. `differs`: what can't be made alike any more; the rest is kept in step all the same.
    `problems`: why nothing is done. `unused`: fields of Marketo's that nothing fills.
    """

    name: str
    marketo: str
    label: str = ""
    plural: str = ""
    state: str = "absent"
    create: bool = False
    add: tuple[TypeField, ...] = ()
    approve: bool = False
    differs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.create or bool(self.add) or self.approve


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What both systems say of one custom object. `facts`: None where Tandem's user can't see it in Salesforce. `links_told`: whether
    Marketo told which fields are links."""

    facts: Mapping[str, FieldFacts] | None
    label: str = ""
    plural: str = ""
    approved: ObjectType | None = None
    draft: ObjectType | None = None
    links_told: bool = True


def planned(
    declared: Sequence[Declared], told: Mapping[str, CustomObjectSettings], known: Mapping[str, Known], types: Iterable[str]
) -> tuple[ObjectPlan, ...]:
    """A plan for each, parents first. `types`: the custom objects that Marketo has already."""
    names = {each.name: each.marketo for each in declared}
    plans: list[ObjectPlan] = []
    there = list(types)
    for each in declared:
        plan = _planned(each, told[each.name], known[each.name], names)
        if plan.create and len(there) >= TYPES_MAX:
            full = f"Marketo allows {TYPES_MAX} custom objects, and has {', '.join(sorted(there))}; leave one out, or delete one there"
            plan = replace(plan, problems=(*plan.problems, full))
        elif plan.create:
            there.append(each.marketo)
        broken = [other.name for other in plans if other.problems and other.name in each.links.values() and not _there(known[other.name])]
        plans.append(replace(plan, problems=(*plan.problems, f"{broken[0]}, to which it is linked, can't be made")) if broken else plan)
    return tuple(plans)


def _there(known: Known) -> bool:
    return known.approved is not None


def _planned(each: Declared, told: CustomObjectSettings, known: Known, names: Mapping[str, str]) -> ObjectPlan:
    plan = ObjectPlan(
        name=each.name, marketo=each.marketo, label=_label(known.label or each.name), plural=_label(known.plural or each.name)
    )
    if known.facts is None:
        unseen = (
            f"{each.name} is not visible to Tandem's user in Salesforce; give the user read access and View All Records, or leave it out"
        )
        return replace(plan, problems=(f"{unseen} (custom_objects.{each.name}.sync: false)",))
    missing = tuple(
        f"{lookup}, a link, is no field that Tandem's user can see in Salesforce" for lookup in each.links if lookup not in known.facts
    )
    wanted = _wanted(each, told, known.facts, names)
    stands = known.draft or known.approved
    have = {} if stands is None else stands.fields
    add = tuple(field for name, field in wanted.items() if name not in have)
    plan = replace(
        plan,
        state="absent" if stands is None else (known.approved or stands).state,
        create=stands is None,
        approve=known.approved is None or known.draft is not None or bool(add),
        left_out=tuple(
            LeftOut(field=name, why=why) for name, facts in known.facts.items() if (why := why_not(facts, told)) and name not in each.links
        ),
        unused=tuple(name for name in have if name not in wanted and name not in _OF_MARKETO),
        problems=missing,
    )
    if known.approved is None:
        return replace(plan, add=add, problems=(*missing, *_too_many(each, len(wanted), [field.name for field in wanted.values()])))
    late = [field for field in add if field.related is not None or field.name == KEY]
    add = tuple(field for field in add if field not in late)
    differs = (*(_late(field) for field in late), *_differences(wanted, known.approved, links_told=known.links_told))
    return replace(
        plan, add=add, approve=known.draft is not None or bool(add), differs=differs, problems=(*missing, *_too_many_later(each, add))
    )  # fmt: skip


def _wanted(each: Declared, told: CustomObjectSettings, facts: Mapping[str, FieldFacts], names: Mapping[str, str]) -> dict[str, TypeField]:
    """By name: all fields of the type, the one that names a record first, then the links."""
    wanted = {KEY: TypeField(name=KEY, label="Salesforce ID", type="string")}
    for lookup, target in each.links.items():
        if lookup in facts:
            wanted[lookup] = TypeField(
                name=lookup, label=_label(facts[lookup].label or lookup), type="link", related=related(target, names)
            )
    for name, line in described_lines(facts, told).items():
        one = facts[line.salesforce]
        wanted[name] = TypeField(name=name, label=_label(one.label or name), type=data_type(line, one))
    return _distinct(wanted)


def data_type(line: Default, facts: FieldFacts) -> str:
    """Marketo's type for a field of Salesforce."""
    if facts.wire_type == _WHOLE:
        return "integer"
    if line.type in _DATA_TYPES:
        return _DATA_TYPES[line.type]
    return "text" if line.type is FieldType.MULTIPICKLIST or (facts.length or 0) > _STRING_MAX else "string"


def _distinct(fields: Mapping[str, TypeField]) -> dict[str, TypeField]:
    """With labels of their own: those that two fields share are followed by the name."""
    counts: dict[str, int] = {}
    for field in fields.values():
        counts[field.label.casefold()] = counts.get(field.label.casefold(), 0) + 1
    return {
        name: replace(field, label=f"{field.label} {name}") if counts[field.label.casefold()] > 1 and name != KEY else field
        for name, field in fields.items()
    }


def _too_many(each: Declared, count: int, names: Sequence[str]) -> tuple[str, ...]:
    if count <= FIELDS_MAX:
        return ()
    beyond = names[FIELDS_MAX:]
    return (f"it has {count} fields, Marketo takes {FIELDS_MAX}: {_choose(each)}. Beyond the limit: {', '.join(beyond)}",)


def _too_many_later(each: Declared, add: Sequence[TypeField]) -> tuple[str, ...]:
    if len(add) <= FIELDS_LATER_MAX:
        return ()
    beyond = [field.name for field in add[FIELDS_LATER_MAX:]]
    told = f"{len(add)} fields are new, Marketo takes {FIELDS_LATER_MAX} more once an object is approved"
    return (f"{told}: {_choose(each)}. Beyond the limit: {', '.join(beyond)}",)


def _choose(each: Declared) -> str:
    path = f"custom_objects.{each.name}"
    return f"leave some out ({path}.fields.NAME: false), or name those that are wanted ({path}.all_fields: false)"


def _late(field: TypeField) -> str:
    what = "names its records" if field.name == KEY else "is a link"
    return f"{field.name} {what} and is missing in Marketo, where such a field can't be added to an approved object any more: {_ANEW}"


_ANEW = "delete the object in Marketo (its records go with it) and apply again, or name another one (marketo)"


def _differences(wanted: Mapping[str, TypeField], there: ObjectType, *, links_told: bool) -> list[str]:
    told = []
    if there.key and there.key != (KEY,):
        told.append(f"Marketo tells its records apart by {', '.join(there.key)}, not by {KEY}, which can't be changed: {_ANEW}")
    for name, field in wanted.items():
        found = there.fields.get(name)
        if found is None:
            continue
        if field.related is not None:
            if links_told and not _same_link(field.related, found.related):
                now = " ".join(found.related) if found.related else "nothing"
                told.append(f"{name} is linked to {now} in Marketo, not to {' '.join(field.related)}, which can't be changed: {_ANEW}")
        elif not any({field.type, found.type} <= alike for alike in _ALIKE):
            told.append(
                f"{name} is of type {found.type} in Marketo and would be {field.type}; Marketo can't change that: "
                "its values are refused where they don't fit. Give it another name there (fields), or leave it out"
            )
    return told


def _same_link(wanted: tuple[str, str], found: tuple[str, str] | None) -> bool:
    return found is not None and [each.casefold() for each in wanted] == [each.casefold() for each in found]


def _label(text: str) -> str:
    return " ".join(_LABEL.sub(" ", text).split()) or "Unnamed"
