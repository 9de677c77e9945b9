"""The experiment: people edit both systems, Tandem's real code keeps them in step, it crashes, and an oracle knows who must win.

Real here: observe, judge, fold, introductions, settle, look, plan. In memory: the ledger, the topics, the systems, the clock.
Every text a person types is unique, so the oracle can tell who had seen what; the score is judged by its sum.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import consumers.settle
from consumers.ledger.memory import MemoryLedger, MemoryTransaction
from consumers.ledger.port import Pair
from consumers.look import Looker
from consumers.mapping import Direction, FieldMapping, FieldType, LinkFields, ObjectMapping, Qualification, Rule, RuleName, SyncRules
from consumers.merge.fold import Identity
from consumers.merge.plan import Patience
from consumers.merge.state import Field, PairState, Record, Side
from consumers.merge.terms import Terms
from consumers.observe import Message, Observer
from consumers.settle import Settler
from streams import codec
from streams.errors import Retry
from streams.events import ChangeEvent, Kind, Value
from streams.systems import Object, System
from tests.consumers.simulation.systems import EPOCH_MS, OURS, SimulatedSystem, SimulatedWriter, typed
from tests.consumers.simulation.virtual import run_virtually

TEXTS = {"firstName": "FirstName", "title": "Title"}
LATENCY = {System.SALESFORCE: (0.1, 2.0), System.MARKETO: (0.5, 8.0)}
STAMP = "tandemStamp"


class Crash(BaseException):
    """The worker dies here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What happens in one history."""

    seed: int
    edits: int = 7
    crashes: int = 0
    lost: float = 0.0
    disorder: float = 0.0
    read_first: bool = False
    polls: bool = False
    stamped: bool = False
    born: str = "both"
    """`both`: the pair exists; `salesforce`, `marketo`: created there during the history; `twice`: on both sides at once."""
    shortcut: str | None = None


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of it: `faults` is empty when all is well; `trace` must be the same in each run of a seed."""

    faults: list[str] = field(default_factory=list)
    writes: int = 0
    conflicts: int = 0
    trace: list[str] = field(default_factory=list)


def rules(winner: System, *, stamped: bool) -> SyncRules:
    """Two texts, a score and an e-mail."""
    default = Rule(name=RuleName(winner.value), default=winner)
    items = [
        FieldMapping(key=key, salesforce=name, marketo=key, type=FieldType.TEXT, direction=Direction.BOTH, rule=default)
        for key, name in TEXTS.items()
    ]
    added = Rule(name=RuleName.SUM_DELTAS, default=winner)
    items += [
        FieldMapping(key="email", salesforce="Email", marketo="email", type=FieldType.EMAIL, direction=Direction.BOTH, rule=default),
        FieldMapping(key="leadScore", salesforce="Score__c", marketo="leadScore", type=FieldType.NUMBER, direction=Direction.BOTH, rule=added),
    ]
    links = LinkFields(stamp=STAMP if stamped else None)
    for key, kind in ((links.lead_id, FieldType.TEXT), (links.type, FieldType.TEXT), (links.is_deleted, FieldType.BOOLEAN)):
        items.append(FieldMapping(key=key, salesforce="", marketo=key, type=kind, direction=Direction.TO_MARKETO, rule=default))
    mapping = ObjectMapping(object=Object.LEAD, fields=tuple(items))
    return SyncRules(objects={Object.LEAD: mapping}, links=links, qualification=Qualification(everyone=True))


class CrashingLedger(MemoryLedger):
    """A ledger whose worker may die before or after any commit."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def transaction(self, *, durable: bool = True) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self._crashing(durable=durable)

    @asynccontextmanager
    async def _crashing(self, *, durable: bool) -> AsyncIterator[MemoryTransaction]:
        async with super().transaction(durable=durable) as tx:
            await asyncio.sleep(self._world.rng.uniform(0.001, 0.01))
            before = dict(self.pairs)
            yield tx
            self._world.effect()
        if any(before.get(number) is not state for number, state in self.pairs.items()):
            self._world.wake()
        self._world.effect()


class World:
    """One history from beginning to end."""

    def __init__(self, plot: Plot) -> None:
        self.plot, self.rng = plot, random.Random(plot.seed)
        self.winner = System.SALESFORCE if plot.seed % 2 else System.MARKETO
        self.rules = rules(self.winner, stamped=plot.stamped)
        stamp = STAMP if plot.stamped else None
        identity = Identity(salesforce_user=OURS[System.SALESFORCE], marketo_user=OURS[System.MARKETO], stamp=stamp)
        self.terms = Terms(rules=self.rules, identity=identity, marketo=Patience(silent_ms=60_000, lost_ms=10**9),
                           salesforce=Patience(silent_ms=60_000, lost_ms=10**9), lateness_ms=60_000)  # fmt: skip
        self.ledger = CrashingLedger(self)
        self.topics: dict[System, list[bytes]] = {system: [] for system in System}
        self.systems = {system: self._system(system) for system in System}
        self.people: list[tuple[float, System, str, str, Value]] = []
        self.doomed = 0
        self._waiters: list[asyncio.Event] = []
        self.report = Report()
        self.record: dict[System, str] = {}

    def _system(self, system: System) -> SimulatedSystem:
        mapping = self.rules.objects[Object.LEAD]
        names = tuple(item.name_on(system) for item in mapping.fields if item.name_on(system))
        texts = tuple(TEXTS.values()) if system is System.SALESFORCE else tuple(TEXTS)
        return SimulatedSystem(
            system=system,
            rng=self.rng,
            publish=self._publish,
            normalises=texts,
            names_author=system is System.SALESFORCE or not self.plot.stamped,
            latency=LATENCY[system],
            disorder=self.plot.disorder,
            skew_ms=self.rng.randrange(-3000, 3000),
            all_names=(*names, self.rules.links.salesforce_key) if system is System.SALESFORCE else names,
        )

    def now_ms(self) -> int:
        """Our own clock."""
        return EPOCH_MS + round(asyncio.get_running_loop().time() * 1000)

    def effect(self) -> None:
        """A point between two effects: a worker that is doomed dies here."""
        if self.doomed and self.rng.random() < 0.3:
            self.doomed -= 1
            raise Crash

    def wake(self) -> None:
        """Something has happened: who is idle looks again."""
        for waiter in self._waiters:
            waiter.set()

    async def idle(self, until: float) -> None:
        """Wait for something to happen, at most until a moment of the loop's clock."""
        waiter = asyncio.Event()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout_at(until):
                await waiter.wait()
        except TimeoutError:
            pass
        finally:
            self._waiters.remove(waiter)

    def next_due(self, system: System) -> float:
        """When something is due on a system, by the loop's clock."""
        kinds = (0, 2) if system is System.SALESFORCE else (1, 3)
        moments = [state.due[kind] for state in self.ledger.pairs.values() for kind in kinds if state.due[kind]]
        now = asyncio.get_running_loop().time()
        return max((min(moments) - EPOCH_MS) / 1000 + 0.001, now + 0.01) if moments else now + 1000

    def _publish(self, event: ChangeEvent) -> None:
        self.topics[event.system].append(codec.encode(self._shortened(event)))
        self.wake()

    def _shortened(self, event: ChangeEvent) -> ChangeEvent:
        """What tools do that take a shortcut: a change is ignored because of who touched the record last, or when."""
        if event.author == OURS[event.system] or event.is_read:
            return event
        system = self.systems[event.system]
        last = system.last_modifier.get(event.id) == OURS[event.system]
        recent = any(entry.author == OURS[event.system] and entry.at > asyncio.get_running_loop().time() - 5 for entry in system.log)
        if (self.plot.shortcut == "last_modifier" and last) or (self.plot.shortcut == "time_to_live" and recent):
            return ChangeEvent(system=event.system, object=event.object, id=event.id, kind=Kind.UPDATED, source="cdc", at=event.at)
        return event

    # -- people ----------------------------------------------------------------------------------------------------------
    def begin(self) -> None:
        """The record, or records, that the history starts with."""
        if self.plot.born == "both":
            self._introduce()
            return
        start: dict[str, Value] = {"email": "ada@example.com", "firstName": "v0", "title": "v0", "leadScore": 0}
        if self.plot.born in ("twice", "salesforce"):
            values = {item.salesforce: start[item.key] for item in self.rules.objects[Object.LEAD].fields if item.key in start}
            self.record[System.SALESFORCE] = self.systems[System.SALESFORCE].create("person", values)
        if self.plot.born in ("twice", "marketo"):
            self.record[System.MARKETO] = self.systems[System.MARKETO].create("person", start)

    def _introduce(self) -> None:
        """Both records are known and in step before the history begins."""
        start: dict[str, Value] = {"email": "ada@example.com", "firstName": "v0", "title": "v0", "leadScore": 0}
        links = self.rules.links
        self.record = {system: self.systems[system].new_id() for system in System}
        linked: dict[str, Value] = {links.lead_id: self.record[System.SALESFORCE], links.type: "Lead", links.is_deleted: False}
        by_key = self.rules.objects[Object.LEAD].by_key
        for system in System:
            self.systems[system].made.update({"v0": False})
            row = {by_key[key].name_on(system): value for key, value in {**start, **linked}.items() if by_key[key].name_on(system)}
            self.systems[system].records[self.record[system]] = row
        fields = {key: Field(value=value, version=1, salesforce=Side(seen=value, shows=1), marketo=Side(seen=value, shows=1))
                  for key, value in {**start, **linked}.items()}  # fmt: skip
        state = PairState(
            fields=fields,
            salesforce=Record(id=self.record[System.SALESFORCE], complete=True),
            marketo=Record(id=self.record[System.MARKETO], complete=True),
        )
        self.ledger.pairs[self.ledger.new_pair_id()] = state
        self.ledger.keys[1] = "ada@example.com"

    def edit(self, number: int, side: System) -> None:
        """A person types something, into one field or two."""
        system = self.systems[side]
        record = self.record.get(side)
        if record is None or record not in system.records:
            return
        values: dict[str, Value] = {}
        for item in self.rules.objects[Object.LEAD].fields:
            name = item.name_on(side)
            if item.key in TEXTS and self.rng.random() < 0.6:
                values[name] = f"{side[0]}{number}"
            elif item.key == "leadScore" and self.rng.random() < 0.5:
                current = system.records[record].get(name) or 0
                values[name] = current + 1 + self.rng.randrange(1000)  # type: ignore[operator]
        system.update("person", record, values)
        self.note("person", side, sorted(values))

    def note(self, *words: object) -> None:
        """A line of the trace."""
        self.report.trace.append(f"{asyncio.get_running_loop().time():.3f} {words}")

    # -- Tandem ----------------------------------------------------------------------------------------------------------
    async def observe(self) -> None:
        """The intake, from where the ledger stands."""
        observer = Observer(self.ledger, self.terms, self.now_ms)
        while True:
            idle = True
            for system in System:
                start = await self.ledger.offset(system, 0) or 0
                values = self.topics[system][start : start + 20]
                if values:
                    idle = False
                    messages = [Message(offset=start + place, key=None, value=value) for place, value in enumerate(values)]
                    observed = await observer.observe(system, 0, start, messages)
                    self.note("observed", system, sorted(observed.verdicts.items()))
            if idle:
                await self.idle(asyncio.get_running_loop().time() + 1000)

    async def settle(self, system: System) -> None:
        """Writes and looks on one system."""
        writer = SimulatedWriter(self.systems[system], self.rules, self.effect, self.plot.lost)
        settler = Settler(self.ledger, writer, self.terms, self.now_ms, read_first=self.plot.read_first)
        looker = Looker(self.ledger, writer, self.terms, self.now_ms)
        while True:
            try:
                done = await settler.round()
                looked = await looker.round()
            except Retry as error:
                await asyncio.sleep(error.after_seconds)
                continue
            if done.claimed or looked.pairs:
                self.note("settled", system, done.claimed, sorted(done.fates.items()), looked.pairs)
            else:
                await self.idle(self.next_due(system))

    async def poll(self, system: System) -> None:
        """Readings of what changed, on the topic whenever they get there."""
        while True:
            await asyncio.sleep(self.rng.uniform(5, 15))
            target = self.systems[system]
            obj = Object.LEAD if system is System.SALESFORCE else Object.PERSON
            for record in list(target.records):
                reading = target.reading(record, target.all_names, obj)
                asyncio.get_running_loop().call_later(self.rng.uniform(0.05, 3), self._publish, reading)

    async def worker(self) -> None:
        """Tandem's process: dies and comes back."""
        while True:
            tasks = [asyncio.ensure_future(self.observe()), *(asyncio.ensure_future(self.settle(system)) for system in System)]
            try:
                await asyncio.gather(*tasks)
            except Crash:
                self.note("CRASH")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0.6)

    # -- run and judge ---------------------------------------------------------------------------------------------------
    async def history(self) -> Report:
        """All of it, until nothing can happen any more."""
        loop, seconds = asyncio.get_running_loop(), 20.0
        self.begin()
        moments = (1, 1.6, 2.2, 3, 12, 12.5)
        for number in range(self.plot.edits):
            side = self.rng.choice(list(System))
            crowded = self.rng.random() < 0.6
            at = self.rng.choice(moments) + self.rng.uniform(0, 0.7) if crowded else self.rng.uniform(0, seconds)
            loop.call_at(at, self.edit, number, side)
        for _ in range(self.plot.crashes):
            loop.call_at(self.rng.uniform(0, seconds), self._doom)
        tasks = [asyncio.ensure_future(self.worker())]
        if self.plot.polls:
            tasks += [asyncio.ensure_future(self.poll(system)) for system in System]
        await asyncio.sleep(seconds + 500)
        for task in tasks:
            if task.done():
                task.result()
        self.report.faults = list(self.judge())
        self.report.writes = sum(entry.author == OURS[system] for system in System for entry in self.systems[system].log)
        self.report.conflicts = sum(
            ruling.verdict in ("won", "lost") for decision in self.ledger.decisions for ruling in decision.fields
        )
        return self.report

    def _doom(self) -> None:
        self.doomed += 1

    def judge(self) -> Iterator[str]:
        """What is wrong in the end."""
        for system in System:
            if any(entry.author == OURS[system] and entry.at > 400 for entry in self.systems[system].log):
                yield "not quiet"
            if len(self.systems[system].records) != 1:
                yield f"{len(self.systems[system].records)} records in {system}"
        if any(len(self.systems[system].records) != 1 for system in System):
            return
        rows = {system: next(iter(self.systems[system].records.values())) for system in System}
        for key, name in TEXTS.items():
            ours, theirs = typed(rows[System.SALESFORCE].get(name)), typed(rows[System.MARKETO].get(key))
            if ours != theirs:
                yield f"diverged {key}: {ours} {theirs}"
            elif self.plot.born == "both" and theirs != self._wanted(key, name):
                yield f"wrong winner {key}: {theirs}, wanted {self._wanted(key, name)}"
        if rows[System.SALESFORCE].get("Score__c") != rows[System.MARKETO].get("leadScore"):
            yield f"diverged score: {rows[System.SALESFORCE].get('Score__c')} {rows[System.MARKETO].get('leadScore')}"
        elif self.plot.born == "both" and rows[System.MARKETO].get("leadScore") != self._total():
            yield f"wrong sum {rows[System.MARKETO].get('leadScore')}, wanted {self._total()}"
        if len(self.ledger.pairs) != 1:
            yield f"{len(self.ledger.pairs)} pairs"

    def _wanted(self, key: str, name: str) -> Value:
        """The edit that had seen the other; where neither had, the side that the rule names."""
        last: dict[System, tuple[float, Value]] = {}
        for system, field_name in ((System.SALESFORCE, name), (System.MARKETO, key)):
            for entry in self.systems[system].log:
                if entry.author == "person" and entry.kind is Kind.UPDATED and field_name in entry.after:
                    last[system] = (entry.at, typed(entry.after[field_name]))
        if len(last) < 2:
            return next(iter(last.values()))[1] if last else "v0"
        for system, field_name in ((System.SALESFORCE, name), (System.MARKETO, key)):
            at, value = last[system]
            if last[system.other][1] in self._stood_before(system, field_name, at):
                return value
        return last[self.winner][1]

    def _stood_before(self, system: System, name: str, at: float) -> set[Value]:
        return {typed(entry.after[name]) for entry in self.systems[system].log if entry.at < at and name in entry.after}

    def _total(self) -> Value:
        total = 0
        for system, name in ((System.SALESFORCE, "Score__c"), (System.MARKETO, "leadScore")):
            for entry in self.systems[system].log:
                if entry.author == "person" and entry.kind is Kind.UPDATED and name in entry.after:
                    before, after = entry.before.get(name) or 0, entry.after[name] or 0
                    total += after - before  # type: ignore[operator]
        return total


def play(plot: Plot) -> Report:
    """One history. With a shortcut, the code is changed for its length as such tools have it."""
    if plot.shortcut != "agree_when_answered":
        return run_virtually(World(plot).history())
    honest = consumers.settle.answered

    def hasty(state: PairState, target: System, write: int, at: int) -> PairState:
        state = honest(state, target, write, at)
        changed = {}
        for key, item in state.fields.items():
            for entry in item.side(target).writes:
                if entry.id == write:
                    side = Side(known=True, seen=item.side(target).seen, shows=entry.version, writes=item.side(target).writes)
                    changed[key] = item.with_side(target, side)
        return state.with_fields(changed)

    consumers.settle.answered = hasty
    try:
        return run_virtually(World(plot).history())
    finally:
        consumers.settle.answered = honest


__all__ = ["Pair", "Plot", "Report", "World", "play"]
