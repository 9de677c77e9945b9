"""The writers of the simulation: the port on a simulated system, with answers that get lost and calls that arrive late."""

import asyncio
from collections.abc import Mapping, Sequence

from consumers.mapping.fields import SyncRules
from consumers.merge.pair.state import PairState
from consumers.merge.writing.plan import Create, Delete, Merge, Update
from consumers.settle.writers.port import Fate, Item, Outcome, Use
from streams.budget.port import Lane
from streams.wire.errors import Retry, Unknown
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import Object, System
from tests.consumers.simulation.plot import REFUSED
from tests.consumers.simulation.systems import OURS, SimulatedSystem
from tests.consumers.simulation.worker import Life

CALL_SECONDS = 20.0
"""How long a client waits for an answer: less than a call's lease."""


class SimulatedWriter:
    """The writer port on a simulated system: latency, lost answers, calls that arrive although their caller has crashed or given up."""

    batch_max = 10
    merges_max = 10

    def __init__(self, target: SimulatedSystem, rules: SyncRules, life: Life, *, lost: float = 0.0, late: float = 0.0) -> None:
        self.system = target.system
        self._target, self._rules, self._life, self._lost, self._late = target, rules, life, lost, late
        self._effect = life.passes
        self._names = target.all_names

    async def candidates(self, wanted: Mapping[int, PairState], lane: Lane) -> dict[int, list[ChangeEvent]]:
        del lane
        self._effect("before asking who is there")
        self._fails()
        await asyncio.sleep(self._target.rng.uniform(0.02, 0.3))
        self._effect("after asking who is there")
        links = self._rules.links
        found: dict[int, list[ChangeEvent]] = {}
        for pair, state in wanted.items():
            stored = (links.lead_id, links.contact_id) if self.system is System.MARKETO else (links.salesforce_key,)
            other = state.record(self.system.other).id
            email = state.fields[self._rules.email_key].value if self._rules.email_key in state.fields else None
            name = "email" if self.system is System.MARKETO else "Email"
            rows = self._target.records.items()
            hits = [record for record, row in rows if other in [row.get(each) for each in stored]]
            hits = hits or [record for record, row in rows if email is not None and row.get(name) == email]
            if hits:
                found[pair] = [self._reading(record) for record in hits]
        return found

    async def read(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, ChangeEvent | None]:
        del obj, lane
        self._effect("before a reading")
        self._fails()
        await asyncio.sleep(self._target.rng.uniform(0.02, 0.3))
        for record in ids:
            self._target.readings.setdefault(record, []).append(asyncio.get_running_loop().time())
        answer = {
            record: self._reading(record) if record in self._target.records or record in self._target.retired else None for record in ids
        }
        await asyncio.sleep(self._target.rng.uniform(0, 0.1))
        self._effect("after a reading")
        return answer

    async def masters(self, obj: Object, ids: Sequence[str], lane: Lane) -> Mapping[str, str | None]:
        del obj, lane
        return {each: self._target.into.get(each) for each in ids}

    async def surely_deleted(self, obj: Object, ids: Sequence[str], lane: Lane) -> frozenset[str]:
        del obj, lane
        return frozenset(ids)

    async def uses(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, Use | None]:
        read = await self.read(obj, ids, lane)
        return {each: None if reading is None else Use(reading=reading, what=(), asked="all") for each, reading in read.items()}

    def together(self, item: Item) -> str:
        del item
        return ""

    def alike(self, state: PairState) -> str:
        del state
        return ""

    async def write(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        del lane
        self._effect("before the call")
        self._fails()
        loop = asyncio.get_running_loop()
        self._target.calls.update({item.write: loop.time() for item in items})
        answer: asyncio.Future[list[Outcome]] = loop.create_future()
        late = bool(self._late) and self._target.rng.random() < self._late
        on_its_way = self._target.rng.uniform(0.01, 0.25) if not late else self._target.rng.uniform(CALL_SECONDS, 10 * CALL_SECONDS)
        loop.call_later(on_its_way, self._arrives, list(items), answer)
        self._effect("called, not yet applied")
        try:
            async with asyncio.timeout(CALL_SECONDS):
                outcomes = await asyncio.shield(answer)
        except TimeoutError:
            raise Unknown("no answer within the time of a call") from None
        self._effect("applied, not yet answered")
        await asyncio.sleep(self._target.rng.uniform(0.01, 0.1))
        if self._target.rng.random() < self._lost:
            raise Unknown("the answer was lost")
        self._effect("after the answer")
        return outcomes

    def _fails(self) -> None:
        if self._lost and self._target.rng.random() < self._lost / 2:
            raise Retry("refused before anything was done")

    def _arrives(self, items: list[Item], answer: "asyncio.Future[list[Outcome]]") -> None:
        outcomes = [self._apply(item) for item in items]
        if not answer.done():
            answer.set_result(outcomes)

    def _apply(self, item: Item) -> Outcome:
        order, target = item.order, self._target
        if isinstance(order, Merge):
            return self._merge(order)
        if isinstance(order, Delete):
            if order.id in target.records:
                target.delete(OURS[self.system], order.id)
            return Outcome(fate=Fate.DONE, id=order.id, until=target.now_ms() // 1000 * 1000 + 1000)
        values = {out.name: out.value for out in order.fields}
        if target.choosy and REFUSED in str(values.get(target.choosy)):
            blamed = frozenset(out.key for out in order.fields if out.name == target.choosy)
            return Outcome(fate=Fate.REJECTED, reason=f"{target.choosy}: no {REFUSED} please", fields=blamed)
        if self._rules.links.stamp and self.system is System.MARKETO:
            values[self._rules.links.stamp] = str(item.write)
        if isinstance(order, Update):
            if order.id in target.retired:
                return Outcome(fate=Fate.REJECTED, reason="CANNOT_UPDATE_CONVERTED_LEAD")
            if order.id not in target.records:
                return Outcome(fate=Fate.GONE, reason="gone")
            target.update(OURS[self.system], order.id, values, item.write)
            return Outcome(fate=Fate.DONE, id=order.id, until=target.now_ms() // 1000 * 1000 + 1000)
        return self._create(order, values, item)

    def _merge(self, order: Merge) -> Outcome:
        target = self._target
        if order.id not in target.records:
            return Outcome(fate=Fate.GONE, reason="gone")
        losers = [each for each in order.losers if each in target.records]
        if losers:
            target.merge(OURS[self.system], order.id, losers)
        return Outcome(fate=Fate.DONE, id=order.id, until=target.now_ms() // 1000 * 1000 + 1000)

    def _create(self, order: Create, values: dict[str, Value], item: Item) -> Outcome:
        del order
        target = self._target
        if self.system is System.MARKETO:
            if any(row.get("email") == values.get("email") and values.get("email") for row in target.records.values()):
                return Outcome(fate=Fate.EXISTS, reason="1005")
            return Outcome(fate=Fate.DONE, id=target.create(OURS[self.system], values, item.write))
        key = self._rules.links.salesforce_key
        for record, row in target.records.items():
            if row.get(key) == item.key:
                target.update(OURS[self.system], record, values, item.write)
                return Outcome(fate=Fate.DONE, id=record)
        return Outcome(fate=Fate.DONE, id=target.create(OURS[self.system], {**values, key: item.key}, item.write))

    def _reading(self, record: str) -> ChangeEvent:
        return self._target.reading(record, self._names, self._target.object_of(record))
