"""The kinds that there are under a configuration, those that it declares itself among them; and what contradicts itself in these."""

from collections.abc import Iterator

from consumers.configuration.groups.custom import CustomObjectSettings, declared, registry_with
from consumers.configuration.reading.places import hint
from consumers.configuration.settings import Settings
from consumers.kinds.custom import KEY, STANDARD_TARGETS, TYPES_MAX, Declared, object_of
from consumers.kinds.registry import Registry
from consumers.mapping.kind import Kind


def registry_of(settings: Settings) -> Registry:
    """All kinds that there are under this configuration, kept in step or not."""
    return registry_with(settings.custom_objects)


def custom_of(settings: Settings, kind: Kind) -> CustomObjectSettings | None:
    """What the configuration says of a kind that it declares itself; None: it is another one."""
    return settings.custom_objects.get(kind.name) if kind.described else None


def custom_problems(settings: Settings) -> Iterator[tuple[str, str]]:
    """What contradicts itself: key, and what to do."""
    objects = settings.custom_objects
    kept = [name for name, told in objects.items() if told.sync]
    for name in kept[TYPES_MAX:]:
        yield (
            f"custom_objects.{name}",
            f"Marketo allows {TYPES_MAX} custom objects made by its API, and {len(kept)} are declared; leave {len(kept) - TYPES_MAX} out",
        )
    names: dict[str, str] = {}
    for each in declared(objects):
        for what, told in ((f"{each.marketo} in Marketo", each.marketo.lower()), ("this in Salesforce", f"__{object_of(each.name)}")):
            if names.setdefault(told, each.name) != each.name:
                yield f"custom_objects.{each.name}", f"{names[told]} is called {what}, too; give it another name (marketo)"
        for lookup, target in each.links.items():
            yield from _link_problems(settings, each, lookup, target)


def _link_problems(settings: Settings, each: Declared, lookup: str, target: str) -> Iterator[tuple[str, str]]:
    objects, key = settings.custom_objects, f"custom_objects.{each.name}.links.{lookup}"
    account = settings.kinds.get("account")
    if lookup == KEY or lookup in objects[each.name].fields:
        yield key, f"{lookup} is a link; it can't stand under fields as well"
    if target in STANDARD_TARGETS:
        if target == "account" and account is not None and not account.sync:
            yield key, "accounts are not kept in step (account.sync: false), so nothing can be linked to them; remove the link"
    elif target not in objects:
        yield key, f"{target} is no custom object of this section; {hint(target, (*STANDARD_TARGETS, *objects))}"
    elif target == each.name:
        yield key, "Marketo links no custom object to itself; remove the link, and the field carries the Salesforce id"
    elif objects[target].links:
        deep = f"Marketo links no custom object to one that has links itself, and {target} has ({', '.join(objects[target].links)})"
        yield (
            key,
            f"{deep}; remove it (the field then carries the Salesforce id), and link {each.name} by a lookup to the person or account",
        )
    elif not objects[target].sync:
        yield key, f"{target} is not kept in step (sync: false), so nothing can be linked to it; remove the link"
