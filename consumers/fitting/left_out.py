"""What of the mapping can't be kept in step as both systems describe themselves: fields that are hidden, of another type, not writable, and
objects that can't be seen. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from consumers.mapping.describes import Describes, FieldFacts, akin
from consumers.mapping.fields import FieldMapping, SyncRules, is_amount
from streams.salesforce.api.money import ISO
from streams.wire.systems import Object, System

NAMES = {System.SALESFORCE: "Salesforce", System.MARKETO: "Marketo"}
Place = tuple[System, Object]
"""One side of a sort of records, by the Salesforce object."""


CURRENCIES = (
    "holds amounts in several currencies, Marketo's has one: it is held (say `currencies: {corporate: ..., rates: {...}}` in the "
    "configuration and start the worker again, or leave the field out)"
)


class Cause(StrEnum):
    """Why a field is left out."""

    HIDDEN = "hidden"
    """It is not there, or our user may not see it."""
    CHANGED = "changed"
    """It is of another type than the mapping says: neither read nor written."""
    CURRENCY = "currency"
    """An amount of an org with several currencies, and nobody has said how they become one."""
    UNWRITABLE = "unwritable"
    """It can be read only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A field that is left out. `what` completes "Salesforce: Title of lead ..."."""

    cause: Cause
    what: str

    @property
    def unread(self) -> bool:
        """Whether it is not even read."""
        return self.cause is not Cause.UNWRITABLE


def left_out(rules: SyncRules, describes: Describes, *, writes: bool) -> dict[Place, dict[str, Left]]:
    """By place, the fields that are left out, by API name. `writes`: those, too, that can only be read. Objects that can't be seen as a
    whole have none."""
    return {
        (system, obj): dict(chain(_in_several(rules, obj, system, facts), _of(list(mapping.fields), system, facts, writes=writes)))
        for obj, mapping in rules.objects.items()
        for system in System
        for facts in (describes.of(system, mapping.named_on(system)),)
    }


def closed(rules: SyncRules, describes: Describes) -> frozenset[Place]:
    """The places that our users can't see at all."""
    places = ((system, obj, mapping.named_on(system)) for obj, mapping in rules.objects.items() for system in System)
    return frozenset((system, obj) for system, obj, name in places if not describes.of(system, name))


def picklists(rules: SyncRules, describes: Describes) -> dict[Place, dict[str, frozenset[str]]]:
    """The values that restricted picklists of mapped fields take now."""
    found: dict[Place, dict[str, frozenset[str]]] = {}
    for obj, mapping in rules.objects.items():
        facts = describes.of(System.SALESFORCE, obj)
        restricted = (each for name in mapping.by_salesforce if (each := facts.get(name)) is not None and each.restricted)
        found[System.SALESFORCE, obj] = {each.name: frozenset(each.picklist) for each in restricted}
    return found


def several(rules: SyncRules, obj: Object, facts: Mapping[str, FieldFacts]) -> bool:
    """Whether these records of Salesforce's hold amounts in several currencies that are not converted."""
    return ISO in facts and (rules.money is None or obj not in rules.money.fields)


def _in_several(rules: SyncRules, obj: Object, system: System, facts: Mapping[str, FieldFacts]) -> Iterator[tuple[str, Left]]:
    if system is System.SALESFORCE and several(rules, obj, facts):
        for item in rules.objects[obj].fields:
            if is_amount(item) and item.salesforce in facts:
                yield item.salesforce, Left(cause=Cause.CURRENCY, what=CURRENCIES)


def _of(
    fields: list[FieldMapping], system: System, facts: Mapping[str, FieldFacts], *, writes: bool
) -> Iterator[tuple[str, Left]]:  # fmt: skip
    for item in fields if facts else ():
        name = item.name_on(system)
        if not name:
            continue
        told = facts.get(name)
        if told is None:
            yield name, Left(cause=Cause.HIDDEN, what="can't be seen by Tandem's user and is left out (give the right back, or unmap it)")
        elif not _fits(item, system, told):
            words = f"is of type {told.wire_type} now and mapped as {item.type}: it is held (`tandem fields` tells the line that maps it)"
            yield name, Left(cause=Cause.CHANGED, what=words)
        elif writes and item.direction.reaches(system) and not told.updateable:
            words = "can't be written by Tandem's user and is left out (give the right back, or unmap it)"
            yield name, Left(cause=Cause.UNWRITABLE, what=words)


def _fits(item: FieldMapping, system: System, told: FieldFacts) -> bool:
    """Marketo's types are not all documented: one that nobody knows is taken as the mapping says."""
    if item.parent or (told.type is None and system is System.MARKETO):
        return True
    return akin(item.type, told.type)
