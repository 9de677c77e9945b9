"""The rules of the merge, from the default mappings of the kinds and what the configuration changes of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from consumers.configuration.groups.records import LinkSettings
from consumers.configuration.groups.rules import FieldEntry
from consumers.configuration.mapping.described import described_lines
from consumers.configuration.mapping.lines import digest, field_of, measured
from consumers.configuration.mapping.registered import custom_of, registry_of
from consumers.configuration.settings import Echo, Settings
from consumers.kinds.registry import Registry
from consumers.mapping.describes import Describes
from consumers.mapping.fields import (
    Clause,
    Direction,
    FieldMapping,
    FieldType,
    LinkFields,
    ObjectMapping,
    Rule,
    RuleName,
    SyncRules,
    Unwanted,
    is_amount,
)
from consumers.mapping.kind import Default, Kind, Sort, Witness
from streams.marketo.api.custom_activity import CustomActivity
from streams.marketo.api.resource import Resource
from streams.salesforce.api.money import ISO, Money
from streams.wire.systems import CONTACT, LEAD, Object, System

Lines = Mapping[Object, Mapping[str, Default]]
"""By Salesforce object, then by Marketo's name: lines of a mapping."""
_NO_LINES: Lines = {}


def build(
    settings: Settings, describes: Describes | None = None, *, stamp: bool | None = None, unseen: bool = False, known: Lines = _NO_LINES
) -> SyncRules:  # fmt: skip
    """The rules of the merge: the default mapping with the configuration's changes, lengths and scales from the describes.

    `unseen`: with what Tandem's users can't see, which is left out otherwise. `known`: what a worker has mapped of kinds whose fields
    Salesforce describes, for whoever doesn't ask it.
    `stamp` says what the canary found (`echo: auto`); without it only `echo: stamp` keeps a stamp field.
    """
    facts, registry = describes or Describes(), registry_of(settings)
    seen: list[Object] = []
    for obj in synced(settings):
        if (unseen or describes is None or is_visible(describes, obj, registry)) and demanded(registry, obj) <= {
            registry.kind_of[each].name for each in seen
        }:
            seen.append(obj)
    kept = frozenset(registry.kind_of[obj].name for obj in seen)
    objects = {obj: _object(settings, obj, facts, kept, known.get(obj, {})) for obj in seen}
    people = settings.people
    rules = SyncRules(
        objects=objects,
        links=links(settings.links, stamp=settings.echo is Echo.STAMP or bool(settings.echo is Echo.AUTO and stamp)),
        qualification=people.qualify,
        new_people=people.new,
        email_key=str(people.match_by),
        delete_in_salesforce=people.delete_in_salesforce,
        money=_money(settings, objects, facts),
    )
    return replace(rules, version=_version(rules))


def _money(settings: Settings, objects: Mapping[Object, ObjectMapping], describes: Describes) -> Money | None:
    """How amounts are converted, where the org has several currencies and the configuration says which of them Marketo has."""
    currencies = settings.currencies
    if currencies.corporate is None:
        return None
    several = {obj: mapping for obj, mapping in objects.items() if ISO in describes.salesforce.get(obj, {})}
    fields = {obj: frozenset(item.salesforce for item in mapping.fields if is_amount(item)) for obj, mapping in several.items()}
    return Money(corporate=currencies.corporate, rates=currencies.rates, fields={obj: names for obj, names in fields.items() if names})


def links(settings: LinkSettings, *, stamp: bool) -> LinkFields:
    """The link fields; the stamp only where it is in use."""
    return LinkFields(
        lead_id=settings.lead_id,
        contact_id=settings.contact_id,
        type=settings.type,
        is_deleted=settings.is_deleted,
        stamp=settings.stamp if stamp else None,
        salesforce_key=settings.salesforce_key,
    )


def entries(settings: Settings, obj: Object) -> Mapping[str, FieldEntry | None]:
    """What the configuration says about the fields of an object."""
    if obj in (LEAD, CONTACT):
        return settings.lead.fields if obj == LEAD else settings.contact.fields
    kind = registry_of(settings).kind_of[obj]
    custom = custom_of(settings, kind)
    return custom.fields if custom is not None else settings.kinds[kind.name].fields


def synced(settings: Settings) -> tuple[Object, ...]:
    """The objects of Salesforce that are kept in step, parents before their children."""
    return tuple(obj for obj, kind in registry_of(settings).kind_of.items() if _is_synced(settings, kind))


def sorts(settings: Settings) -> tuple[tuple[Sort, Resource | CustomActivity | None], ...]:
    """What is kept in step, as both systems call it."""
    registry = registry_of(settings)
    return tuple((registry.sorts[obj], _resource(settings, registry.kind_of[obj])) for obj in synced(settings))


def is_visible(describes: Describes, obj: Object, registry: Registry) -> bool:
    """Whether both systems show records of this sort to Tandem's users. Without people there is no Tandem, so they are never left out."""
    kind = registry.kind_of[obj]
    return kind.is_person or (obj in describes.salesforce and bool(describes.of_marketo(kind.marketo)))


def _resource(settings: Settings, kind: Kind) -> Resource | CustomActivity | None:
    """Where Marketo keeps it, as the configuration chooses where it may."""
    return kind.forms.get(settings.kinds[kind.name].form, kind.resource) if kind.forms else kind.resource


def demanded(registry: Registry, obj: Object) -> frozenset[str]:
    """The kinds without whose records one of this sort is nothing, where it is no record of its own (`Resource.derived`)."""
    resource = registry.kind_of[obj].resource
    derived = isinstance(resource, Resource) and resource.derived
    return frozenset(line.parent for line in registry.sorts[obj].fields if line.required and derived)


def _goes(kind: Kind, resource: Resource | CustomActivity | None) -> bool:
    """Whether Marketo's record goes with Salesforce's: where it is one that can go."""
    return kind.delete_in_marketo and not isinstance(resource, CustomActivity)


def _is_kept(settings: Settings, name: str) -> bool:
    """Whether there is a kind of this name, and it is kept in step."""
    kind = registry_of(settings).by_name.get(name)
    return kind is not None and _is_synced(settings, kind)


def _is_synced(settings: Settings, kind: Kind) -> bool:
    custom = custom_of(settings, kind)
    return kind.is_person or (custom.sync if custom is not None else settings.kinds[kind.name].sync)


def _object(
    settings: Settings, obj: Object, describes: Describes, kept: frozenset[str], known: Mapping[str, Default]
) -> ObjectMapping:  # fmt: skip
    registry = registry_of(settings)
    kind = registry.kind_of[obj]
    resource = _resource(settings, kind)
    return ObjectMapping(
        object=obj,
        fields=_all_fields(settings, obj, describes, kept, known),
        kind=kind.name,
        api_name=registry.sorts[obj].entity.name,
        marketo=kind.marketo,
        section=kind.section,
        described=kind.described,
        prefix=registry.sorts[obj].prefix,
        flow=kind.flow,
        resource=resource,
        has_forms=bool(kind.forms),
        unless=registry.sorts[obj].unless,
        author=registry.sorts[obj].author,
        placeholder=kind.placeholder,
        streamed=registry.sorts[obj].entity.stream,
        answer_is_witness=kind.witness is Witness.ANSWER,
        delete_in_marketo=settings.people.delete_in_marketo if kind.is_person else _goes(kind, resource),
        delete_in_salesforce=kind.delete_in_salesforce,
        linked=kind.linked,
    )


def _all_fields(
    settings: Settings, obj: Object, describes: Describes, kept: frozenset[str], known: Mapping[str, Default]
) -> tuple[FieldMapping, ...]:
    """`kept`: the kinds that are kept in step, so that records may refer to them."""
    registry = registry_of(settings)
    mapped = tuple(item for item in _mapped(settings, obj, describes, known) if not item.parent or item.parent in kept)
    sort = registry.sorts[obj]
    mapped = (*mapped, *(_asked(name, FieldType.BOOLEAN) for name in sort.unless))
    mapped = (*mapped, *(_asked(name, FieldType.REFERENCE) for name in (sort.author,) if name))
    if not registry.kind_of[obj].is_person:
        return mapped
    keys = {item.key for item in mapped}
    clauses = {clause.field: clause for group in settings.people.qualify.groups for clause in group}
    watched = (_watched(clause, describes) for name, clause in clauses.items() if name not in keys)
    return (*mapped, *watched, *_kept(settings.links, describes))


def _kept(names: LinkSettings, describes: Describes) -> Iterator[FieldMapping]:
    """The Marketo fields in which Tandem keeps the link; their values are made from the pair itself."""
    rule = Rule(name=RuleName.SALESFORCE, default=System.SALESFORCE)
    kinds = {
        names.lead_id: FieldType.TEXT,
        names.contact_id: FieldType.TEXT,
        names.type: FieldType.TEXT,
        names.is_deleted: FieldType.BOOLEAN,
    }
    for name, kind in kinds.items():
        facts = describes.marketo.get(name)
        length = facts.length if facts else None
        yield FieldMapping(
            key=name, salesforce="", marketo=name, type=kind, direction=Direction.TO_MARKETO, rule=rule, marketo_length=length
        )  # fmt: skip


def _asked(name: str, kind: FieldType) -> FieldMapping:
    """A field of Salesforce that says whether a record goes to Marketo, where it isn't written."""
    rule = Rule(name=RuleName.SALESFORCE, default=System.SALESFORCE)
    return FieldMapping(key=name, salesforce=name, marketo="", type=kind, direction=Direction.TO_MARKETO, rule=rule)


def _watched(clause: Clause, describes: Describes) -> FieldMapping:
    """A Marketo field that only the qualification asks for: it is followed, and never written anywhere."""
    facts = describes.marketo.get(clause.field)
    kind = facts.type if facts else None
    if kind is None:
        yes_or_no = bool(clause.any_of) and all(isinstance(value, bool) for value in clause.any_of)
        kind = FieldType.BOOLEAN if yes_or_no else FieldType.TEXT if clause.at_least is None else FieldType.NUMBER
    rule = Rule(name=RuleName.MARKETO, default=System.MARKETO)
    return FieldMapping(
        key=clause.field,
        salesforce="",
        marketo=clause.field,
        type=kind,
        direction=Direction.TO_SALESFORCE,
        rule=rule,
        unwanted=Unwanted.LEAVE,
    )


def _mapped(settings: Settings, obj: Object, describes: Describes, told: Mapping[str, Default]) -> Iterator[FieldMapping]:
    changes, kind = entries(settings, obj), registry_of(settings).kind_of[obj]
    here, there = describes.salesforce.get(obj, {}), describes.of_marketo(kind.marketo)
    known = dict(defaults(settings, obj))
    if (custom := custom_of(settings, kind)) is not None:
        lines = described_lines(here, custom) if here else told
        known |= {name: line for name, line in lines.items() if not there or name in there}
        changes = {name: _named(name, entry) for name, entry in changes.items() if entry is None or not there or name in there}
    for marketo in (*known, *(name for name in changes if name not in known)):
        entry = changes.get(marketo, FieldEntry())
        if entry is not None:
            made = field_of(marketo, known.get(marketo), entry, _winner(settings, obj), kind.flow)
            resource = _resource(settings, kind)
            is_key = resource is not None and marketo in resource.key
            fixed = is_key and isinstance(resource, Resource) and resource.derived
            yield measured(replace(made, is_key=is_key, fixed=fixed), here.get(made.salesforce), there.get(marketo))


def defaults(settings: Settings, obj: Object) -> Mapping[str, Default]:
    """The default mapping of an object, by Marketo's names: without what refers to kinds that are not kept in step."""
    lines = registry_of(settings).sorts[obj].fields
    return {line.marketo: line for line in lines if not line.parent or _is_kept(settings, line.parent)}


def _winner(settings: Settings, obj: Object) -> System:
    if obj in (LEAD, CONTACT):
        return settings.lead.winner if obj == LEAD else settings.contact.winner
    return registry_of(settings).sorts[obj].winner


def _named(name: str, entry: FieldEntry | None) -> FieldEntry | None:
    """An entry of a kind whose fields are described: called in Marketo as in Salesforce, unless it says otherwise."""
    return entry and replace(entry, salesforce=entry.salesforce or name)


def _version(rules: SyncRules) -> str:
    lines = [
        f"{obj}|{item.key}|{item.salesforce}|{item.type}|{item.direction}|{item.rule.name}|{item.rule.default}|{item.rule.tolerance_ms}"
        f"|{item.rule.version}|{item.overlong}|{item.unwanted}|{item.required_default}"
        for obj, mapping in rules.objects.items()
        for item in mapping.fields
    ]
    lines += [repr(rules.links), repr(rules.qualification), rules.new_people, str(rules.delete_in_salesforce)]
    lines += [repr(rules.money)] if rules.money else []
    lines += [f"{obj} deleted" for obj, mapping in rules.objects.items() if mapping.is_person and mapping.delete_in_marketo]
    return digest("\n".join(lines))[:8]
