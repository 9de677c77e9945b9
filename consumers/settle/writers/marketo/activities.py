"""Marketo's custom activities as a place to write to: 300 a call, each once; after a call that was not answered they are found again."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from consumers.mapping.fields import SyncRules
from consumers.merge.pair.state import PairState
from consumers.merge.writing.plan import Create
from consumers.settle.writers.port import Fate, Item, Outcome, answered_by
from consumers.settle.writers.refused import orphaned, passes
from streams.budget.port import Lane
from streams.marketo.api.custom_activity import DATE, CustomActivity
from streams.marketo.api.refusals import judge_item
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.wire import ItemResult
from streams.wire.errors import Fatal
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import MARKETO, Object

_NO_TYPE = "1013"
_CLOSED_SECONDS = 60.0
_BEFORE_MS = 2_000
"""Marketo dates activities by whole seconds, and leaves the second of a token out."""


class MarketoActivities:
    """Writes to one instance what its people's history is to tell."""

    def __init__(self, rest: MarketoRest, rules: SyncRules) -> None:
        self._rest = rest
        self._types = {each.marketo: each.resource for each in rules.objects.values() if isinstance(each.resource, CustomActivity)}
        self._numbers: dict[Object, int] = {}

    def keeps(self, obj: Object) -> bool:
        """Whether such records are activities."""
        return obj in self._types

    async def write(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        """One call for new activities of one type. Nothing else is ever planned.

        Where the type isn't there, or our user may not add activities, that is told of each, and tried again later.
        """
        obj = items[0].order.object
        kind = self._types[obj]
        try:
            number = await self._number(obj, lane)
            if number is None:
                why = f"Marketo has no approved activity type {kind.api_name}: tandem setup --yes makes it"
                return [Outcome(fate=Fate.BUSY, reason=why, after_seconds=_CLOSED_SECONDS)] * len(items)
            answer = await self._rest.custom_activities.add([kind.told(_values(item), item.key, number) for item in items], lane)
        except Fatal as error:
            return [Outcome(fate=Fate.BUSY, reason=str(error), after_seconds=_CLOSED_SECONDS)] * len(items)
        told = (self._outcome(result, item, answer.until) for item, result in zip(items, answer.results, strict=True))
        return answered_by(answer.request_id, told)

    async def find(self, wanted: Mapping[int, PairState], lane: Lane) -> dict[int, list[ChangeEvent]]:
        """For each pair the activities that tell of its record: those of one type in one walk along the log."""
        by_type: dict[Object, dict[str, int]] = {}
        for pair, state in wanted.items():
            by_type.setdefault(state.counterpart, {})[state.salesforce.id] = pair
        found: dict[int, list[ChangeEvent]] = {}
        for obj, pairs in by_type.items():
            since = min(_dated(wanted[pair]) for pair in pairs.values()) - _BEFORE_MS
            for each in await self._rest.custom_activities.find(self._types[obj], pairs.keys(), max(0, since), lane):
                found.setdefault(pairs[each.record], []).append(_reading(obj, each.guid))
        return found

    def read(self, obj: Object, ids: Sequence[str]) -> dict[str, ChangeEvent | None]:
        """No activity can be asked for by its id: it is there, as it was written."""
        return {each: _reading(obj, each) for each in ids}

    async def _number(self, obj: Object, lane: Lane) -> int | None:
        if obj not in self._numbers:
            state = await self._rest.custom_activities.type_of(self._types[obj], lane)
            if state is None or not state.approved:
                return None
            self._numbers[obj] = state.number
        return self._numbers[obj]

    def _outcome(self, result: ItemResult, item: Item, until: int) -> Outcome:
        if result.applied and result.id:
            return Outcome(fate=Fate.DONE, id=result.id, until=until)
        if result.applied or result.status == "unknown":
            return Outcome(fate=Fate.UNKNOWN, reason=result.message or "Marketo's answer doesn't name the activity")
        reason = f"{result.code} {result.message}".strip()
        if result.code == _NO_TYPE:
            self._numbers.pop(item.order.object, None)  # it may have been made anew, under another number
            return Outcome(fate=Fate.BUSY, reason=reason, after_seconds=_CLOSED_SECONDS)
        if (missed := orphaned(item, result.code, result.message)) is not None:
            return missed
        return passes([judge_item(result.code, result.message)], reason) or Outcome(fate=Fate.REJECTED, reason=reason)


def _reading(obj: Object, guid: str) -> ChangeEvent:
    return ChangeEvent(system=MARKETO, object=obj, id=guid, kind=Happened.READ, source="read", at=0, fields={})


def _values(item: Item) -> dict[str, Value]:
    assert isinstance(item.order, Create)  # noqa: S101 - for the type checker: nothing else is planned of what is written once
    return {out.name: out.value for out in item.order.fields}


def _dated(state: PairState) -> int:
    """How the activity under way is dated (ms): as it was sent."""
    field = state.fields.get(DATE)
    sent = next((entry.value for entry in field.marketo.writes if entry.id == state.marketo.creating), None) if field else None
    return round(datetime.fromisoformat(str(sent)).timestamp() * 1_000) if sent else 0
