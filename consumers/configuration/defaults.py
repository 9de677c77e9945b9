"""The native sync's default mapping of leads and contacts, and the rules that come of it and the configuration.

Names and pairs from Marketo's documentation (Default Salesforce Field Mapping), Marketo's REST names from its lead describe.
What only Salesforce's system writes (CreatedDate, IsDeleted, IsConverted, the ids) has no field of its own in an instance without
the native sync: the links of `LinkSettings` carry the ids, the type and the deletion, the rest can be mapped to custom fields.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from consumers.configuration.rules import FieldEntry, RuleEntry
from consumers.configuration.settings import Echo, LinkSettings, Settings
from consumers.mapping.describes import Describes, FieldFacts
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
)
from streams.wire.systems import CONTACT, LEAD, Object, System

NOT_PROVIDED = "[not provided]"
"""What a blank LastName or Company becomes when a person is created in Salesforce, unless configured otherwise."""
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


@dataclass(frozen=True, slots=True)
class Default:
    """One line of the default mapping; every one flows both ways."""

    salesforce: str
    marketo: str
    type: FieldType = FieldType.TEXT
    required_default: str | None = None


_PERSON = (
    Default("Salutation", "salutation", FieldType.PICKLIST),
    Default("FirstName", "firstName"),
    Default("LastName", "lastName", required_default=NOT_PROVIDED),
    Default("Title", "title"),
    Default("Email", "email", FieldType.EMAIL),
    Default("HasOptedOutOfEmail", "unsubscribed", FieldType.BOOLEAN),
    Default("Phone", "phone", FieldType.PHONE),
    Default("MobilePhone", "mobilePhone", FieldType.PHONE),
    Default("Fax", "fax", FieldType.PHONE),
    Default("LeadSource", "leadSource", FieldType.PICKLIST),
    Default("Description", "mktoPersonNotes"),
)
LEAD_FIELDS = (
    *_PERSON,
    Default("Street", "address"),
    Default("City", "city"),
    Default("State", "state"),
    Default("PostalCode", "postalCode"),
    Default("Country", "country"),
    Default("Status", "leadStatus", FieldType.PICKLIST),
    Default("Rating", "rating", FieldType.PICKLIST),
    Default("Company", "company", required_default=NOT_PROVIDED),
    Default("Industry", "industry", FieldType.PICKLIST),
    Default("AnnualRevenue", "annualRevenue", FieldType.CURRENCY),
    Default("NumberOfEmployees", "numberOfEmployees", FieldType.NUMBER),
    Default("Website", "website", FieldType.URL),
)
CONTACT_FIELDS = (
    *_PERSON,
    Default("MailingStreet", "address"),
    Default("MailingCity", "city"),
    Default("MailingState", "state"),
    Default("MailingPostalCode", "postalCode"),
    Default("MailingCountry", "country"),
    Default("Birthdate", "dateOfBirth", FieldType.DATE),
)
DEFAULTS: Mapping[Object, tuple[Default, ...]] = {LEAD: LEAD_FIELDS, CONTACT: CONTACT_FIELDS}
OBJECTS = tuple(DEFAULTS)
"""The objects of Salesforce that are kept in step."""


def build(settings: Settings, describes: Describes | None = None, *, stamp: bool | None = None) -> SyncRules:
    """The rules of the merge: the default mapping with the configuration's changes, lengths and scales from the describes.

    `stamp` says what the canary found (`echo: auto`); without it only `echo: stamp` keeps a stamp field.
    """
    facts = describes or Describes()
    objects = {obj: ObjectMapping(object=obj, fields=_all_fields(settings, obj, facts)) for obj in OBJECTS}
    people = settings.people
    rules = SyncRules(
        objects=objects,
        links=links(settings.links, stamp=settings.echo is Echo.STAMP or bool(settings.echo is Echo.AUTO and stamp)),
        qualification=people.qualify,
        new_people=people.new,
        email_key=str(people.match_by),
        delete_in_salesforce=people.delete_in_salesforce,
    )
    return replace(rules, version=_version(rules))


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
    for obj in OBJECTS:
        yield from _object_problems(settings, obj)


def entries(settings: Settings, obj: Object) -> Mapping[str, FieldEntry | None]:
    """What the configuration says about the fields of an object."""
    return settings.lead.fields if obj == LEAD else settings.contact.fields


def _all_fields(settings: Settings, obj: Object, describes: Describes) -> tuple[FieldMapping, ...]:
    mapped = tuple(_mapped(settings, obj, describes))
    known = {item.key for item in mapped}
    clauses = {clause.field: clause for group in settings.people.qualify.groups for clause in group}
    watched = (_watched(clause, describes) for name, clause in clauses.items() if name not in known)
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


def _mapped(settings: Settings, obj: Object, describes: Describes) -> Iterator[FieldMapping]:
    changes = entries(settings, obj)
    winner = settings.lead.winner if obj == LEAD else settings.contact.winner
    known = {item.marketo: item for item in DEFAULTS[obj]}
    here = describes.salesforce.get(obj, {})
    for marketo in (*known, *(name for name in changes if name not in known)):
        entry = changes.get(marketo, FieldEntry())
        if entry is not None:
            made = _field(marketo, known.get(marketo), entry, winner)
            yield _measured(made, here.get(made.salesforce), describes.marketo.get(marketo))


def _field(marketo: str, default: Default | None, entry: FieldEntry, winner: System) -> FieldMapping:
    salesforce = entry.salesforce or (default.salesforce if default else "")
    kind = entry.type or (default.type if default else FieldType.TEXT)
    opt_out = kind is FieldType.BOOLEAN and not OPT_OUTS.isdisjoint({salesforce, marketo})
    return FieldMapping(
        key=marketo,
        salesforce=salesforce,
        marketo=marketo,
        type=kind,
        direction=entry.direction or Direction.BOTH,
        rule=_rule(entry.rule, winner, opt_out=opt_out),
        overlong=entry.overlong or Overlong.REFUSE,
        unwanted=entry.unwanted or Unwanted.PUT_BACK,
        required_default=entry.default or (default.required_default if default else None),
    )


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
        marketo_bytes=marketo is not None and marketo.wire_type == "text",
    )


def _object_problems(settings: Settings, obj: Object) -> Iterator[tuple[str, str]]:
    known = {item.marketo: item for item in DEFAULTS[obj]}
    names = {item.salesforce: item.marketo for item in DEFAULTS[obj] if entries(settings, obj).get(item.marketo, item) is not None}
    for marketo, entry in entries(settings, obj).items():
        key = f"{obj}.fields.{marketo}"
        if entry is None:
            yield from _removal_problems(key, marketo, known, settings)
            continue
        yield from _entry_problems(key, marketo, entry, known.get(marketo), settings)
        salesforce = entry.salesforce
        if salesforce and names.setdefault(salesforce, marketo) != marketo:
            yield (
                f"{key}.salesforce",
                f"{salesforce} is mapped to {names[salesforce]} already; set {names[salesforce]}: false, or map another field",
            )


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
    return _digest("\n".join([*lines, repr(rules.links), repr(rules.qualification), rules.new_people, str(rules.delete_in_salesforce)]))[:8]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
