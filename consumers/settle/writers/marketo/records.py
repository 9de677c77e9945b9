"""Marketo's records that are no people, as a place to write to: companies, sales people and what else has their interface, 300 a call.

They are written under a key of ours (the Salesforce id), so a creation that is made twice is the same record, and nobody is looked up.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from consumers.mapping.fields import ObjectMapping, SyncRules
from consumers.merge.edits.values import NOBODY
from consumers.merge.pair.state import PairState
from consumers.merge.writing.plan import Create, Delete, Merge
from consumers.settle.writers.marketo.members import MarketoMembers
from consumers.settle.writers.marketo.numbers import Numbers
from consumers.settle.writers.port import Fate, Item, Outcome, Visible, answered_by
from consumers.settle.writers.refused import NO_OWNER, blamed, orphaned, passes
from streams.budget.port import Lane
from streams.marketo.api.programs import MarketoPrograms
from streams.marketo.api.refusals import judge_item
from streams.marketo.api.resource import Interface, Key, Resource
from streams.marketo.api.resources import MarketoResources
from streams.marketo.api.wire import ItemResult, Lead
from streams.wire.errors import Fatal, Reject
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import MARKETO, Object

_MISSING = frozenset({"1004", "1013"})
"""There is no such record, or none that a field of it names (Marketo, record-level error codes)."""

_NATIVE_SYNC = "1018"
"""Marketo's own Salesforce sync is on, and keeps such records to itself (Marketo, record lists)."""
_CLOSED_SECONDS = 60.0


class MarketoRecords:
    """Writes records of every kind but people to one instance."""

    def __init__(
        self, resources: MarketoResources, programs: MarketoPrograms, rules: SyncRules, visible: Visible, goes_back: Callable[[str], bool]
    ) -> None:
        """`goes_back`: whether members of a program may be taken out of it and put in again, so that they get an earlier status."""
        self._resources, self._visible, self._programs = resources, visible, programs
        self._sorts = {mapping.marketo: mapping for mapping in rules.objects.values() if isinstance(mapping.resource, Resource)}
        self._placeholders = {
            item.marketo: mapping
            for people in rules.people.values()
            for item in people.references
            for mapping in self._sorts.values()
            if item.placeholder and mapping.kind == item.parent
        }
        """By the field of a person that names it: the sort of which a record stands for none."""
        self._members = {
            obj: MarketoMembers(programs, mapping, visible, goes_back) for obj, mapping in self._sorts.items() if mapping.is_derived
        }
        self._made: set[Object] = set()
        self._numbers = Numbers(resources, rules)

    async def candidates(self, obj: Object, wanted: Mapping[int, PairState], lane: Lane) -> dict[int, list[ChangeEvent]]:
        """By pair: what stands under its name, or under the key that its creation was sent with."""
        if obj in self._members:
            return await self._members[obj].candidates(wanted, lane)
        mapping, resource = self._sorts[obj], _resource(self._sorts[obj])
        sent = {pair: key for pair, state in wanted.items() if (key := _key_sent(resource, mapping, state)) is not None}
        found = await self._resources.read_records(resource, list(sent.values()), (), lane)
        keyed = _is_keyed(resource)
        return {
            pair: [_reading(obj, str(key) if keyed else found[key].id, found[key], {})] for pair, key in sent.items() if key in found
        }  # fmt: skip

    def together(self, item: Item) -> str:
        """What goes in one call has the same."""
        members = self._members.get(item.order.object)
        return members.together(item) if members is not None else ""

    def alike(self, state: PairState) -> str:
        """What goes in one call has the same, as far as a state tells."""
        members = self._members.get(state.counterpart)
        return members.alike(state) if members is not None else ""

    async def read(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, ChangeEvent | None]:
        """A reading of each record; None for one that is not there (any more)."""
        if obj in self._members:
            return await self._members[obj].read(ids, lane)
        if _resource(self._sorts[obj]).interface is Interface.PROGRAMS:
            return {each: await self._programs.reading(obj, each, lane) for each in ids}
        resource, names = _resource(self._sorts[obj]), self._visible(MARKETO, obj, sorted(self._sorts[obj].by_marketo))
        if _is_keyed(resource):
            found: Mapping[Any, Lead] = await self._resources.read_records(resource, ids, names, lane)
        else:
            found = await self._resources.read_records_by_id(resource, ids, names, lane)
        there = [each for each in ids if each in found]
        rows = dict(zip(there, await self._numbers.keys(obj, [found[each].fields for each in there], lane), strict=True))
        return {each: _reading(obj, each, found[each], rows[each]) if each in found else None for each in ids}

    async def write(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        """One call for items of one kind and one object; outcomes in order.

        That our user may not write such records at all is told of each, and tried again later: people don't wait for it.
        """
        try:
            if (members := self._members.get(items[0].order.object)) is not None:
                return await members.write(items, lane)
            told, lost = await self._numbers.put(items, lane)
            left = [each for place, each in enumerate(told) if place not in lost]
            written = iter(await owned(left, lambda: self._write(left, lane)) if left else ())
            outcomes = [lost[place] if place in lost else next(written) for place in range(len(items))]
            return [self._doubted(item, outcome) for item, outcome in zip(items, outcomes, strict=True)]
        except Fatal as error:
            return [Outcome(fate=Fate.BUSY, reason=str(error), after_seconds=_CLOSED_SECONDS)] * len(items)
        except Reject as error:
            if error.code != _NATIVE_SYNC:
                raise
            return [Outcome(fate=Fate.BUSY, reason=str(error), after_seconds=_CLOSED_SECONDS)] * len(items)

    async def _write(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        first = items[0].order
        resource = _resource(self._sorts[first.object])
        if isinstance(first, Delete):
            by_id = not _is_keyed(resource)
            answer = await self._resources.delete_records(resource, [_key(item) for item in items], lane, by_id=by_id)
        else:
            action = "createOrUpdate" if isinstance(first, Create) else "updateOnly"
            by_id = not _is_keyed(resource) and not isinstance(first, Create)
            records = [{**_name(resource, item), **_fields(item)} for item in items]
            answer = await self._resources.sync_records(resource, records, action, lane, by_id=by_id)
        keyed = _is_keyed(resource)
        told = (_outcome(result, item, answer.until, keyed=keyed) for item, result in zip(items, answer.results, strict=True))
        return answered_by(answer.request_id, told)

    def _doubted(self, item: Item, outcome: Outcome) -> Outcome:
        return outcome if outcome.fate is Fate.DONE else self._numbers.missed(item, outcome.reason) or outcome

    async def stand_in(self, items: Sequence[Item], lane: Lane) -> None:
        """Make the records that stand for none, where one of these is about to be named for the first time."""
        named = {
            out.name for item in items if not isinstance(item.order, (Delete, Merge)) for out in item.order.fields if out.value == NOBODY
        }
        for name in sorted(named & self._placeholders.keys()):
            sort = self._placeholders[name]
            if sort.marketo not in self._made:
                resource = _resource(sort)
                await self._resources.sync_records(resource, [{**resource.named(NOBODY), **sort.placeholder}], "createOrUpdate", lane)
                self._made.add(sort.marketo)

    def missed(self, outcomes: Sequence[Outcome]) -> None:
        """Where one that stands for none is missing, somebody has deleted it: it is made again."""
        if any(NOBODY in outcome.missing for outcome in outcomes):
            self._made.clear()


async def owned(items: Sequence[Item], write: Callable[[], Awaitable[list[Outcome]]]) -> list[Outcome]:
    """The call; where it is refused for the owner of its only record, that is the outcome of the record."""
    try:
        return await write()
    except Reject as error:
        missed = orphaned(items[0], error.code, str(error)) if error.code == NO_OWNER and len(items) == 1 else None
        if missed is None:
            raise
        return [missed]


def _resource(mapping: ObjectMapping) -> Resource:
    assert isinstance(mapping.resource, Resource)  # noqa: S101 - for the type checker: only such sorts are kept here
    return mapping.resource


def _is_keyed(resource: Resource) -> bool:
    """Whether the Salesforce id alone names the record; else its fields do when it is made, and Marketo's own id afterwards."""
    return len(resource.key) == 1


def _key_sent(resource: Resource, mapping: ObjectMapping, state: PairState) -> Key | None:
    """What names the record that a creation in doubt may have made; None: nothing that anybody could look for."""
    if _is_keyed(resource):
        return state.salesforce.id or None
    sent: dict[str, str | int] = {}
    for name in resource.key:
        field = state.fields.get(mapping.by_marketo[name].key) if name in mapping.by_marketo else None
        values = [entry.value for entry in field.marketo.writes if entry.id == state.marketo.creating] if field is not None else []
        if not values or not isinstance(values[0], str | int):
            return None
        sent[name] = values[0]
    return tuple(sent.values())


def _name(resource: Resource, item: Item) -> dict[str, Value]:
    if _is_keyed(resource):
        return resource.named(_key(item))
    return {} if isinstance(item.order, Create) else {resource.id_field: _key(item)}


def _key(item: Item) -> str:
    return item.key if isinstance(item.order, Create) else item.order.id


def _fields(item: Item) -> dict[str, Value]:
    return {} if isinstance(item.order, (Delete, Merge)) else {out.name: out.value for out in item.order.fields}


def _reading(obj: Object, record: str, told: Lead, row: dict[str, Value]) -> ChangeEvent:
    return ChangeEvent(
        system=MARKETO, object=obj, id=record, kind=Happened.READ, source="read", at=told.at, until=told.until, fields=row
    )  # fmt: skip


def _outcome(result: ItemResult, item: Item, until: int, *, keyed: bool) -> Outcome:
    if result.applied:
        return Outcome(fate=Fate.DONE, id=_key(item) if keyed else result.id or _key(item), until=until)
    if result.status == "unknown":
        return Outcome(fate=Fate.UNKNOWN, reason=result.message)
    reason = f"{result.code} {result.message}".strip()
    if (missed := orphaned(item, result.code, result.message)) is not None:
        return missed
    if result.code in _MISSING and not isinstance(item.order, Create):
        return Outcome(fate=Fate.GONE, reason=reason, until=until)
    passing = passes([judge_item(result.code, result.message)], reason)
    return passing or Outcome(fate=Fate.REJECTED, reason=reason, fields=blamed(item, result.message))
