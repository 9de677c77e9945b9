"""Parents whom Marketo wants named by the number that it gave them, not by the key under which we keep them: companies, to custom objects.

The numbers are asked for once, a call for three hundred, and remembered: a company keeps its own for as long as it lives.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from consumers.mapping.fields import ObjectMapping, SyncRules
from consumers.merge.writing.plan import Create, Delete, Merge, Update
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.budget.port import Lane
from streams.marketo.api.resource import Resource
from streams.marketo.api.resources import MarketoResources
from streams.wire.events import Value
from streams.wire.systems import Object

_REMEMBERED_MAX = 200_000
Named = Mapping[str, Resource]
"""Fields, by their names in Marketo, whose parents are named by number; and where those are kept."""


class Numbers:
    """Numbers of one instance's records."""

    def __init__(self, resources: MarketoResources, rules: SyncRules) -> None:
        self._resources = resources
        kept = {mapping.kind: mapping.resource for mapping in rules.objects.values() if isinstance(mapping.resource, Resource)}
        self._named: dict[Object, Named] = {
            mapping.marketo: named for mapping in rules.objects.values() if (named := _named(mapping, kept))
        }  # fmt: skip
        self._of: dict[tuple[Object, str], int] = {}

    async def put(self, items: Sequence[Item], lane: Lane) -> tuple[list[Item], dict[int, Outcome]]:
        """The items with numbers in place of keys; by their places, the outcomes of those whose parent is not there (any more)."""
        named = self._named.get(items[0].order.object, {})
        if not named:
            return list(items), {}
        for name, resource in named.items():
            await self._learn(resource, [key for item in items if (key := _key(item, name))], lane)
        told: list[Item] = []
        lost: dict[int, Outcome] = {}
        for place, item in enumerate(items):
            absent = [key for name, kept in named.items() if (key := _key(item, name)) and (kept.object, key) not in self._of]
            if absent:
                lost[place] = Outcome(fate=Fate.BUSY, reason=f"Marketo has no {absent[0]} to link it to", missing=tuple(absent))
            told.append(item if absent else self._numbered(item, named))
        return told, lost

    async def keys(self, obj: Object, rows: Iterable[Mapping[str, Value]], lane: Lane) -> list[dict[str, Value]]:
        """Rows as they were read, with our keys in place of the numbers."""
        told = [dict(row) for row in rows]
        for name, resource in self._named.get(obj, {}).items():
            wanted = sorted({str(row[name]) for row in told if row.get(name) is not None})
            found = await self._resources.read_records_by_id(resource, wanted, resource.key, lane) if wanted else {}
            for row in told:
                record = found.get(str(row.get(name)))
                if record is not None:
                    row[name] = record.fields.get(resource.key[0])
        return told

    def missed(self, item: Item, message: str) -> Outcome | None:
        """The outcome of a row that was refused for a parent whose number is nobody's (any more); it is asked for anew."""
        for name, resource in self._named.get(item.order.object, {}).items():
            key = _key(item, name)
            number = self._of.get((resource.object, key)) if key else None
            if key and number is not None and str(number) in message:
                del self._of[resource.object, key]
                return Outcome(fate=Fate.BUSY, reason=message, missing=(key,))
        return None

    async def _learn(self, resource: Resource, keys: Sequence[str], lane: Lane) -> None:
        unknown = sorted({key for key in keys if (resource.object, key) not in self._of})
        if not unknown:
            return
        if len(self._of) + len(unknown) > _REMEMBERED_MAX:
            self._of.clear()
        found = await self._resources.read_records(resource, unknown, [resource.id_field], lane)
        self._of |= {(resource.object, str(key)): int(record.id) for key, record in found.items()}

    def _numbered(self, item: Item, named: Named) -> Item:
        order = item.order
        if not isinstance(order, (Create, Update)):
            return item
        fields = tuple(
            replace(out, value=self._of[named[out.name].object, str(out.value)]) if out.name in named and out.names else out
            for out in order.fields
        )
        return replace(item, order=replace(order, fields=fields))


def _named(mapping: ObjectMapping, kept: Mapping[str, Resource]) -> Named:
    return {item.marketo: kept[item.parent] for item in mapping.references if item.parent_number and item.parent in kept}


def _key(item: Item, name: str) -> str:
    if isinstance(item.order, (Delete, Merge)):
        return ""
    return next((out.names for out in item.order.fields if out.name == name), "")
