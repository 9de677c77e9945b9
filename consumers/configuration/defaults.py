"""The rules of the merge, from the default mappings of the kinds and what the configuration changes of them."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from consumers.configuration.described import described_lines
from consumers.configuration.registered import custom_of, registry_of
from consumers.configuration.rules import FieldEntry, RuleEntry
from consumers.configuration.settings import Echo, LinkSettings, Settings
from consumers.kinds.registry import Registry
from consumers.mapping.describes import MARKETO_TEXT_MAX, Describes, FieldFacts
from consumers.mapping.fields import (
    Clause,
    Direction,
    FieldMapping,
    FieldType,
    LinkFields,
    ObjectMapping,
    Overlong,
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

_NUMBERS = frozenset({FieldType.NUMBER, FieldType.CURRENCY, FieldType.PERCENT})
_ORDERED = _NUMBERS | {FieldType.DATE, FieldType.DATETIME}
_FITTING: Mapping[RuleName, frozenset[FieldType]] = {
    RuleName.MAX: _ORDERED,
    RuleName.MIN: _ORDERED,
    RuleName.SUM_DELTAS: _NUMBERS,
    RuleName.TRUE_WINS: frozenset({FieldType.BOOLEAN}),
    RuleName.UNION: frozenset({FieldType.MULTIPICKLIST}),
    RuleName.NEVER_BACKWARDS: frozenset({FieldType.TEXT, FieldType.PICKLIST}),
}


OPT_OUTS = frozenset(
    {"HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall", "unsubscribed", "doNotCall", "marketingSuspended", "blackListed"}
)
"""What says, on either side, that a person doesn't want to be addressed; such a field follows `true_wins` unless configured otherwise."""


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


def mapping_problems(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong with the mapping as configured: (key of the configuration, message). Empty: `build` works."""
    for obj in registry_of(settings).sorts:
        yield from _object_problems(settings, obj)


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
            made = _field(marketo, known.get(marketo), entry, _winner(settings, obj), kind.flow)
            resource = _resource(settings, kind)
            is_key = resource is not None and marketo in resource.key
            fixed = is_key and isinstance(resource, Resource) and resource.derived
            yield _measured(replace(made, is_key=is_key, fixed=fixed), here.get(made.salesforce), there.get(marketo))


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


def _field(marketo: str, default: Default | None, entry: FieldEntry, winner: System, flow: Direction) -> FieldMapping:
    salesforce = entry.salesforce or (default.salesforce if default else "")
    kind = entry.type or (default.type if default else FieldType.TEXT)
    opt_out = kind is FieldType.BOOLEAN and not OPT_OUTS.isdisjoint({salesforce, marketo})
    direction = _direction(default, entry, flow)
    winner = System.MARKETO if default and default.direction is Direction.TO_SALESFORCE else winner
    return FieldMapping(
        key=marketo,
        salesforce=salesforce,
        marketo=marketo,
        type=kind,
        direction=direction,
        rule=_rule(entry.rule, winner, opt_out=opt_out),
        overlong=entry.overlong or (default.overlong if default else Overlong.REFUSE),
        unwanted=entry.unwanted or Unwanted.PUT_BACK,
        required_default=entry.default or (default.required_default if default else None),
        blank=default.blank if default else "",
        parent=default.parent if default else "",
        parent_required=bool(default and default.required),
        parent_may_lack=bool(default and default.may_lack),
        placeholder=bool(default and default.placeholder),
        parent_number=bool(default and default.by_number),
    )


def _direction(default: Default | None, entry: FieldEntry, flow: Direction) -> Direction:
    """A reference flows as its kind says it does; the rest as configured, else as its line says, else as its kind does."""
    if default and default.parent:
        return default.direction or Direction.TO_MARKETO
    return entry.direction or (default.direction if default and default.direction else flow)


def _rule(entry: RuleEntry | None, winner: System, *, opt_out: bool) -> Rule:
    if entry is None and opt_out:
        return Rule(name=RuleName.TRUE_WINS, default=winner)
    if entry is None:
        return Rule(name=RuleName(str(winner)), default=winner)
    return Rule(
        name=entry.name,
        default=winner,
        tolerance_ms=entry.tolerance_ms,
        order=entry.order,
        function=entry.function,
        version=_digest(f"{entry.order}|{entry.function_name}")[:6] if entry.order or entry.function else "1",
    )


def _measured(made: FieldMapping, salesforce: FieldFacts | None, marketo: FieldFacts | None) -> FieldMapping:
    scales = [facts.scale for facts in (salesforce, marketo) if facts and facts.scale is not None]
    return replace(
        made,
        scale=min(scales) if scales and made.type in _NUMBERS else None,
        salesforce_length=salesforce.length if salesforce else None,
        marketo_length=marketo.length if marketo else None,
        marketo_bytes=marketo is not None and marketo.wire_type == "text" and marketo.length == MARKETO_TEXT_MAX,
    )


def _object_problems(settings: Settings, obj: Object) -> Iterator[tuple[str, str]]:
    known, kind = defaults(settings, obj), registry_of(settings).kind_of[obj]
    names = {item.salesforce: name for name, item in known.items() if entries(settings, obj).get(name, item) is not None}
    for marketo, entry in entries(settings, obj).items():
        key = f"{kind.section or obj}.fields.{marketo}"
        if entry is None:
            if not kind.described:
                yield from _removal_problems(key, marketo, known, settings)
            continue
        if not kind.described:
            yield from _entry_problems(key, marketo, entry, known.get(marketo), settings)
        yield from _flow_problems(key, entry, known.get(marketo), kind)
        salesforce = entry.salesforce
        if salesforce and names.setdefault(salesforce, marketo) != marketo:
            yield (
                f"{key}.salesforce",
                f"{salesforce} is mapped to {names[salesforce]} already; set {names[salesforce]}: false, or map another field",
            )


def _flow_problems(key: str, entry: FieldEntry, default: Default | None, kind: Kind) -> Iterator[tuple[str, str]]:
    if entry.direction is not None and entry.direction is not kind.flow and kind.flow is not Direction.BOTH:
        yield f"{key}.direction", f"{kind.name} records flow only {kind.flow}; remove it"
    elif entry.direction not in (None, Direction.TO_MARKETO) and default is not None and default.parent:
        yield f"{key}.direction", f"it names a record of another kind ({default.parent}), which flows only to Marketo; remove it"
    if default is not None and default.parent and entry.type not in (None, default.type):
        yield f"{key}.type", f"it names a record of another kind ({default.parent}); its type must be {default.type}"


def _removal_problems(key: str, marketo: str, known: Mapping[str, Default], settings: Settings) -> Iterator[tuple[str, str]]:
    if marketo not in known:
        yield key, "this field is not in the default mapping, so there is nothing to leave out; remove the line"
    elif marketo == settings.people.match_by:
        yield key, "people are matched by this field; it can't be left out"


def _entry_problems(key: str, marketo: str, entry: FieldEntry, default: Default | None, settings: Settings) -> Iterator[tuple[str, str]]:
    if default is None and (entry.salesforce is None or entry.type is None):
        missing = " and ".join(name for name, value in (("salesforce", entry.salesforce), ("type", entry.type)) if value is None)
        yield key, f"not in the default mapping, so it needs {missing}"
        return
    kind = entry.type or (default.type if default else FieldType.TEXT)
    if marketo in _own_fields(settings.links):
        yield key, "Tandem keeps this field itself (links); map another one"
    if entry.rule and kind not in _FITTING.get(entry.rule.name, {kind}):
        fitting = ", ".join(sorted(_FITTING[entry.rule.name]))
        yield f"{key}.rule", f"{entry.rule.name} does not work on a {kind} field, only on: {fitting}"
    if entry.default and entry.direction is Direction.TO_MARKETO:
        yield f"{key}.default", "a default is written to Salesforce, and this field only flows to Marketo; remove one of the two"
    if marketo == settings.people.match_by and kind is not FieldType.EMAIL:
        yield f"{key}.type", "people are matched by this field; its type must be email"


def _own_fields(settings: LinkSettings) -> frozenset[str]:
    return frozenset({settings.lead_id, settings.contact_id, settings.type, settings.is_deleted, settings.stamp})


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
    return _digest("\n".join(lines))[:8]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
