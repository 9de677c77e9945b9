"""In which order kinds are copied: whoever is referred to before who refers to them, activities last. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from consumers.kinds.registry import Registry
from consumers.mapping.fields import ObjectMapping
from streams.wire.systems import Object


def order(objects: Mapping[Object, ObjectMapping], registry: Registry) -> list[tuple[Object, ...]]:
    """The objects of Salesforce that are kept in step, kind by kind, parents first; of several that could be next, the first
    declared, and what may be kept as activities after all others."""
    kinds: dict[str, list[Object]] = {}
    for obj, mapping in objects.items():
        kinds.setdefault(mapping.kind, []).append(obj)
    late = {kind for kind in kinds if registry.by_name[kind].forms}
    wanted = sorted(kinds, key=lambda kind: kind in late)
    parents = {kind: _parents(objects[obj] for obj in kinds[kind]) & kinds.keys() - {kind} for kind in wanted}
    return [tuple(kinds[kind]) for kind in _sorted(parents)]


def _parents(mappings: Iterable[ObjectMapping]) -> set[str]:
    return {item.parent for mapping in mappings for item in mapping.references}


def _sorted(parents: Mapping[str, set[str]]) -> Sequence[str]:
    """Raises ValueError where kinds refer to each other in a circle."""
    ordered: list[str] = []
    while len(ordered) < len(parents):
        free = next((kind for kind, needed in parents.items() if kind not in ordered and needed <= set(ordered)), None)
        if free is None:
            raise ValueError(f"kinds that refer to each other in a circle: {', '.join(sorted(parents.keys() - set(ordered)))}")
        ordered.append(free)
    return ordered
