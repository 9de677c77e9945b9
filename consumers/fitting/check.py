"""Whether the configuration fits what both systems say about themselves. Pure: describes in, findings out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from consumers.fitting.absence import left_out_by, not_in_marketo
from consumers.mapping.describes import NUMBERS, TEXTS, Describes, FieldFacts, akin
from consumers.mapping.fields import Direction, FieldMapping, FieldType, ObjectMapping, Overlong, RuleName, SyncRules, is_amount
from streams.salesforce.api.money import ISO
from streams.wire.systems import Object, System

_NAMES = {System.SALESFORCE: "Salesforce", System.MARKETO: "Marketo"}
_VALUES_SHOWN = 5


class Level(StrEnum):
    """How much a finding matters. Problems make the exit code 1."""

    PROBLEM = "problem"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that doesn't fit: about which field of which object, and what to do."""

    level: Level
    object: str
    field: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkField:
    """A field that Tandem keeps itself, as it should be."""

    name: str
    label: str
    data_type: str
    what: str


def link_fields(rules: SyncRules, *, stamp: str | None = None) -> tuple[LinkField, ...]:
    """The Marketo fields that Tandem needs; the stamp where it is in use, or may come into use (`stamp` names it)."""
    links = rules.links
    fields = [
        LinkField(name=links.lead_id, label="SF Lead Id", data_type="string", what="id of the Salesforce lead"),
        LinkField(name=links.contact_id, label="SF Contact Id", data_type="string", what="id of the Salesforce contact"),
        LinkField(name=links.type, label="SF Type", data_type="string", what="Lead, Contact or blank"),
        LinkField(name=links.is_deleted, label="SF Is Deleted", data_type="boolean", what="whether the Salesforce record was deleted"),
    ]
    if links.stamp or stamp:
        fields.append(
            LinkField(name=links.stamp or stamp or "", label="Tandem Stamp", data_type="string", what="id of Tandem's last write")
        )
    return tuple(fields)


def missing_links(rules: SyncRules, describes: Describes, *, stamp: str | None = None) -> tuple[LinkField, ...]:
    """Those that are not there (or not visible to Tandem's user)."""
    return tuple(field for field in link_fields(rules, stamp=stamp) if field.name not in describes.marketo)


def compare(rules: SyncRules, describes: Describes, streamed: Mapping[Object, frozenset[str] | None] | None = None) -> tuple[Finding, ...]:
    """Everything that doesn't fit, problems first. `streamed`: the fields that each object's change events show, where that was asked."""
    findings = [finding for obj, mapping in rules.objects.items() for finding in _object(obj, mapping, rules, describes)]
    findings += _marketo_links(rules, describes)
    for obj, mapping in rules.objects.items():
        if mapping.is_person:
            findings += _salesforce_key(obj, rules, describes)
        if streamed is not None and obj in describes.salesforce and obj in streamed:
            findings += _stream(obj, mapping, describes, streamed.get(obj))
    order = list(Level)
    return tuple(sorted(dict.fromkeys(findings), key=lambda each: order.index(each.level)))


def _object(obj: Object, mapping: ObjectMapping, rules: SyncRules, describes: Describes) -> Iterator[Finding]:
    facts = describes.salesforce.get(obj)
    if facts is None:
        access = "read and edit access" if mapping.flow.reaches(System.SALESFORCE) else "read access"
        remedy = f"Give the user {access} to {mapping.api_name}, and View All Records."
        if not mapping.is_person:
            remedy += f" Or leave these records out ({left_out_by(mapping)})."
        message = f"{mapping.api_name} is not visible to Tandem's user"
        yield Finding(level=Level.PROBLEM, object=obj, field="", message=message, remedy=remedy)
        return
    there = describes.of_marketo(mapping.marketo)
    if not there and not mapping.is_person:
        message, remedy = not_in_marketo(mapping)
        yield Finding(level=Level.PROBLEM, object=obj, field="", message=message, remedy=remedy)
        return
    for item in mapping.fields:
        if item.salesforce or item.direction.reaches(System.SALESFORCE):  # the rest are links, compared once for all objects
            yield from _field(mapping, item, facts, there)
    yield from _demanded(obj, mapping, rules, facts)
    yield from _currencies(obj, mapping, rules, facts)


def _currencies(obj: Object, mapping: ObjectMapping, rules: SyncRules, facts: Mapping[str, FieldFacts]) -> Iterator[Finding]:
    """Amounts in several currencies, which Marketo can't tell apart."""
    amounts = [item for item in mapping.fields if is_amount(item)] if ISO in facts else []
    if rules.money is None:
        for item in amounts:
            message = f"Salesforce: {item.salesforce} holds amounts in several currencies, Marketo's has one: it is not kept in step"
            how = "Say how they become one (currencies: {corporate: ..., rates: {...}})"
            remedy = f"{how}, or leave it out ({obj}.fields.{item.key}: false)."
            yield Finding(level=Level.PROBLEM, object=obj, field=item.key, message=message, remedy=remedy)
        return
    missing = [code for code in facts[ISO].picklist if code != rules.money.corporate and code not in rules.money.rates] if amounts else []
    if missing:
        message = f"amounts in {', '.join(missing)} can't be converted and are held: there is no rate for them"
        yield Finding(level=Level.WARNING, object=obj, field=ISO, message=message, remedy=f"Add currencies.rates.{missing[0]}.")


def _field(
    mapping: ObjectMapping, item: FieldMapping, salesforce: Mapping[str, FieldFacts], marketo: Mapping[str, FieldFacts]
) -> Iterator[Finding]:
    sides = {System.SALESFORCE: salesforce.get(item.salesforce), System.MARKETO: marketo.get(item.marketo)}
    for system, facts in sides.items():
        name = item.name_on(system)
        if not name:
            continue
        if facts is None:
            yield _absent(mapping, item, system)
            continue
        yield from _type(mapping, item, system, facts)
        if item.direction.reaches(system):
            yield from _writable(mapping, item, system, facts)
    there, here = sides[System.SALESFORCE], sides[System.MARKETO]
    if there and here:
        yield from _lengths(mapping, item, there, here)
        yield from _scales(mapping, item, there, here)
        yield from _choices(mapping, item, there)


def _absent(mapping: ObjectMapping, item: FieldMapping, system: System) -> Finding:
    name = item.name_on(system)
    if system is System.SALESFORCE:
        message = f"{name} is not there, or hidden from Tandem's user by field-level security"
        remedy = f"Make it visible to the user, correct its name, or leave it out ({mapping.section}.fields.{item.key}: false)."
    else:
        message = f"{name} is not there, or not visible to Tandem's API user"
        made = "Create it in Marketo (Admin > Field Management), correct its name"
        remedy = f"{made}, or leave it out ({mapping.section}.fields.{item.key}: false)."
    return Finding(level=Level.PROBLEM, object=mapping.object, field=item.key, message=f"{_NAMES[system]}: {message}", remedy=remedy)


def _type(mapping: ObjectMapping, item: FieldMapping, system: System, facts: FieldFacts) -> Iterator[Finding]:
    if item.parent:
        return  # it is written as whatever names its parent there
    if not akin(item.type, facts.type):
        fitting = f" (type: {facts.type})" if facts.type else ""
        yield Finding(
            level=Level.PROBLEM,
            object=mapping.object,
            field=item.key,
            message=f"{_NAMES[system]}: {facts.name} is of type {facts.wire_type}, mapped as {item.type}",
            remedy=f"Map it as what it is{fitting}, or map another field.",
        )


def _writable(mapping: ObjectMapping, item: FieldMapping, system: System, facts: FieldFacts) -> Iterator[Finding]:
    one_way = Direction.TO_MARKETO if system is System.SALESFORCE else Direction.TO_SALESFORCE
    if item.fixed:
        return  # it is told when a record is made, by whatever names its parent there
    if not facts.updateable:
        yield Finding(
            level=Level.PROBLEM,
            object=mapping.object,
            field=item.key,
            message=f"{_NAMES[system]}: {facts.name} can't be written by Tandem's user",
            remedy=f"Give the user edit access, or let it flow one way ({mapping.section}.fields.{item.key}.direction: {one_way}).",
        )
    elif not facts.createable:
        message = f"{_NAMES[system]}: {facts.name} can't be set when a record is created, only later"
        yield Finding(level=Level.WARNING, object=mapping.object, field=item.key, message=message)


def _lengths(mapping: ObjectMapping, item: FieldMapping, salesforce: FieldFacts, marketo: FieldFacts) -> Iterator[Finding]:
    if item.type not in TEXTS or not salesforce.length or not marketo.length or salesforce.length == marketo.length:
        return
    narrow = System.SALESFORCE if salesforce.length < marketo.length else System.MARKETO
    if not item.direction.reaches(narrow):
        return
    least, most = sorted((salesforce.length, marketo.length))
    fate = "cut" if item.overlong is Overlong.CUT else "refused, and the field held"
    message = f"{_NAMES[narrow]} takes {least:,} characters, {_NAMES[narrow.other]} holds {most:,}: longer text is {fate}"
    remedy = "" if item.overlong is Overlong.CUT else f"If cutting is better: {mapping.section}.fields.{item.key}.overlong: cut."
    yield Finding(level=Level.NOTE, object=mapping.object, field=item.key, message=message, remedy=remedy)


def _scales(mapping: ObjectMapping, item: FieldMapping, salesforce: FieldFacts, marketo: FieldFacts) -> Iterator[Finding]:
    scales = {System.SALESFORCE: salesforce.scale, System.MARKETO: marketo.scale}
    for narrow in System:
        least, other = scales[narrow], scales[narrow.other]
        if item.type not in NUMBERS or least is None or not item.direction.reaches(narrow):
            continue
        if (other is None and least == 0) or (other is not None and other > least):
            message = f"{_NAMES[narrow]} keeps {least} decimals, {_NAMES[narrow.other]} keeps more: numbers are rounded to {least}"
            yield Finding(level=Level.NOTE, object=mapping.object, field=item.key, message=message)


def _choices(mapping: ObjectMapping, item: FieldMapping, salesforce: FieldFacts) -> Iterator[Finding]:
    if salesforce.restricted and item.direction.reaches(System.SALESFORCE):
        shown = ", ".join(salesforce.picklist[:_VALUES_SHOWN])
        more = f" and {len(salesforce.picklist) - _VALUES_SHOWN} more" if len(salesforce.picklist) > _VALUES_SHOWN else ""
        message = f"Salesforce takes only the values of its picklist ({shown}{more}); Marketo may hold others, which are refused and held"
        yield Finding(level=Level.WARNING, object=mapping.object, field=item.key, message=message)
    known = {value.casefold() for value in salesforce.picklist}
    if item.rule.name is RuleName.NEVER_BACKWARDS and known:
        strange = [value for value in item.rule.order if value.casefold() not in known]
        if strange:
            message = f"never_backwards names values that Salesforce's picklist does not have: {', '.join(strange)}"
            yield Finding(
                level=Level.WARNING,
                object=mapping.object,
                field=item.key,
                message=message,
                remedy="Write them as in Salesforce, or add them there.",
            )
        missing = [value for value in salesforce.picklist if value.casefold() not in {each.casefold() for each in item.rule.order}]
        if missing:
            message = f"never_backwards does not place these values of Salesforce's picklist: {', '.join(missing)}"
            yield Finding(level=Level.NOTE, object=mapping.object, field=item.key, message=message)


def _demanded(obj: Object, mapping: ObjectMapping, rules: SyncRules, facts: Mapping[str, FieldFacts]) -> Iterator[Finding]:
    """What Salesforce demands at creation and nobody gives."""
    creates = obj is rules.new_people and (rules.qualification.everyone or rules.qualification.groups)
    for name, field in facts.items():
        item = mapping.by_salesforce.get(name)
        if not creates or not field.required or (item and item.direction.reaches(System.SALESFORCE)):
            continue
        message = f"Salesforce demands {name} when a {obj} is created, and nothing is mapped to it: creations will be refused"
        yield Finding(
            level=Level.WARNING, object=obj, field=name, message=message, remedy=f"Map a field to it, with a default ({obj}.fields)."
        )


def _marketo_links(rules: SyncRules, describes: Describes) -> Iterator[Finding]:
    lookups = {rules.links.lead_id, rules.links.contact_id}
    for link in link_fields(rules):
        facts = describes.marketo.get(link.name)
        problem, remedy = "", "Run tandem setup --yes, which creates it."
        if facts is None:
            problem = f"Marketo: {link.name} ({link.what}) is not there"
        elif not facts.updateable:
            problem, remedy = (
                f"Marketo: {link.name} can't be written by Tandem's API user",
                "Name another field under links, or unblock it.",
            )
        elif facts.wire_type != link.data_type:
            problem = f"Marketo: {link.name} is of type {facts.wire_type}, it must be {link.data_type}"
            remedy = "Name another field under links; types can't be changed."
        if problem:
            yield Finding(level=Level.PROBLEM, object="person", field=link.name, message=problem, remedy=remedy)
        elif link.name in lookups and describes.searchable and link.name not in describes.searchable:
            message = f"Marketo: people can't be looked up by {link.name}; existing links are not found again after a loss of the ledger"
            yield Finding(level=Level.WARNING, object="person", field=link.name, message=message)


def _salesforce_key(obj: Object, rules: SyncRules, describes: Describes) -> Iterator[Finding]:
    facts = describes.salesforce.get(obj)
    if facts is None:
        return
    name = rules.links.salesforce_key
    key, problem = facts.get(name), ""
    if key is None:
        problem = f"Salesforce: {name} is not there, or hidden from Tandem's user"
    elif not (key.external_id and key.unique):
        problem = f"Salesforce: {name} must be a unique external id, so that a repeated creation can't make a second person"
    elif not (key.createable and key.updateable):
        problem = f"Salesforce: {name} can't be written by Tandem's user"
    elif key.type is not FieldType.TEXT:
        problem = f"Salesforce: {name} is of type {key.wire_type}, it must be text"
    if problem:
        remedy = (
            f"An admin creates it on {obj.capitalize()}: text, length 18 or more, external id, unique; visible to and editable by the user."
        )
        yield Finding(level=Level.PROBLEM, object=obj, field=name, message=problem, remedy=remedy)


def _stream(obj: Object, mapping: ObjectMapping, describes: Describes, streamed: frozenset[str] | None) -> Iterator[Finding]:
    if streamed is None:
        message = f"Salesforce: {mapping.api_name}'s change events are not visible: changes are found by the poll only, minutes later"
        remedy = f"Select {mapping.api_name} under Change Data Capture; the user needs View All Records for it."
        yield Finding(level=Level.WARNING, object=obj, field="", message=message, remedy=remedy)
        return
    for name in sorted(set(mapping.by_salesforce) & set(describes.salesforce[obj]) - streamed - _compound(streamed, mapping)):
        message = f"Salesforce: {name} is not part of the change events: its changes are found by the poll only"
        yield Finding(level=Level.NOTE, object=obj, field=mapping.by_salesforce[name].key, message=message)


def _compound(streamed: frozenset[str], mapping: ObjectMapping) -> frozenset[str]:
    """Parts of compound fields (Name, Address, MailingAddress) travel inside the compound (CDC guide, change event body)."""
    parts = ("Street", "City", "State", "PostalCode", "Country")
    prefixes = [prefix for prefix in ("", "Mailing", "Other", "Billing", "Shipping") if f"{prefix}Address" in streamed]
    inside = {f"{prefix}{part}" for prefix in prefixes for part in parts}
    names = {"Salutation", "FirstName", "LastName"} if "Name" in streamed else set()
    return frozenset(name for name in mapping.by_salesforce if name in inside | names)
