"""What is wrong with a mapping as it is configured, each with the key that says so and what to do."""

from collections.abc import Iterator, Mapping

from consumers.configuration.groups.records import LinkSettings
from consumers.configuration.groups.rules import FieldEntry
from consumers.configuration.mapping.defaults import defaults, entries
from consumers.configuration.mapping.registered import registry_of
from consumers.configuration.settings import Settings
from consumers.mapping.fields import Direction, FieldType, RuleName
from consumers.mapping.kind import Default, Kind
from streams.wire.systems import Object

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


def mapping_problems(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong with the mapping as configured: (key of the configuration, message). Empty: `build` works."""
    for obj in registry_of(settings).sorts:
        yield from _object_problems(settings, obj)


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
