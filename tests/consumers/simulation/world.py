"""The experiment: people edit both systems, Tandem's real code keeps them in step, it crashes, and an oracle knows who must win.

Real here: observe, judge, fold, introductions, settle, look, plan. In memory: the ledger, the topics, the systems, the clock.
Every text a person types is unique, so the oracle can tell who had seen what; the score is judged by its sum.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from consumers.ledger.port import Duty, Fenced
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.terms import Identity, Terms
from consumers.merge.writing.writes import Patience
from consumers.observe.observer import Message, Observer
from consumers.settle.conditions.reading_first import Ahead
from consumers.settle.looks.look import Looked, Looker
from consumers.settle.rounds import outcomes
from consumers.settle.rounds.answers import Settled
from consumers.settle.rounds.settler import Settler
from streams.wire import codec
from streams.wire.errors import Retry
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import CONTACT, LEAD, PERSON, Object, System
from tests.consumers.simulation.oracle import Oracle
from tests.consumers.simulation.plot import (
    BOX,
    CHOOSY,
    CLEARED,
    DOWN,
    EMAIL,
    REFUSED,
    SCORE,
    SET,
    STAMP,
    TEXTS,
    UP,
    Plot,
    Report,
    rules_of,
    start_of,
)
from tests.consumers.simulation.systems import EPOCH_MS, OURS, SimulatedSystem
from tests.consumers.simulation.virtual import run_virtually
from tests.consumers.simulation.worker import Crash, Fate, Life, MortalLedger, SimulatedLedger
from tests.consumers.simulation.writer import CALL_SECONDS, SimulatedWriter

LATENCY = {System.SALESFORCE: (0.1, 2.0), System.MARKETO: (0.5, 8.0)}
SECONDS, QUIET_SECONDS, POLLED_SECONDS, LAST_POLL_SECONDS = 20.0, 900.0, 120.0, 330.0
"""People type for so long; it is judged so long after; polls go on for so long, and come once more so long after that, when the last
call can have landed."""
_DEATHS = 3
"""How often a worker dies at the point that the plot names."""
TOPICS = {LEAD: "crm.salesforce.lead.v1", PERSON: "crm.marketo.person.v1", CONTACT: "crm.salesforce.contact.v1"}
_OBJECTS = b'"system":"SYSTEM","id":"RECORD","source":"cdc",'
POISON = (
    b"\xff\x00 no event",
    b"{" + _OBJECTS + b'"object":"lead","kind":"updated","at":98765432109876543210987,"fields":{"Title":"x","title":"x"}}',
    b"{" + _OBJECTS + b'"object":"lead","kind":"updated","at":1,"seq":98765432109876543210987,"fields":{}}',
    b"{"
    + _OBJECTS
    + b'"object":"lead","kind":"updated","at":1,"fields":{"Score__c":98765432109876543210987,"leadScore":98765432109876543210987}}',
    b"{" + _OBJECTS + b'"object":"lead","kind":"updated","at":1,"fields":{"Score__c":1e999,"leadScore":"98765432109876543210987"}}',
)
_MOMENTS = (1, 1.6, 2.2, 3, 12, 12.5)
"""When many type at once."""


class World:
    """One history from beginning to end."""

    def __init__(self, plot: Plot) -> None:
        self.plot, self.rng = plot, random.Random(plot.seed)
        self.winner = System.SALESFORCE if plot.seed % 2 else System.MARKETO
        self.rules = rules_of(plot, self.winner)
        stamp = STAMP if plot.stamped else None
        patience = Patience(call_ms=30_000, time_out_ms=round(CALL_SECONDS * 1000), silent_ms=60_000, lost_ms=150_000)
        self.terms = Terms(
            rules=self.rules,
            identity=Identity(salesforce_user=OURS[System.SALESFORCE], marketo_user=OURS[System.MARKETO], stamp=stamp),
            marketo=patience,
            salesforce=patience,
            lateness_ms=60_000,
        )
        self.ledger = SimulatedLedger(self.rng, self.wake)
        self.topics: dict[Object, list[tuple[bytes, bytes]]] = {obj: [] for obj in (*self.rules.objects, PERSON)}
        self.systems = {system: self._system(system) for system in System}
        self.fate = Fate(rng=self.rng, certain={plot.dies_at: _DEATHS} if plot.dies_at else {})
        self.lives: dict[Life, list[asyncio.Task[None]]] = {}
        self.over = False
        self._waiters: list[asyncio.Future[None]] = []
        self.report = Report()
        self.record: dict[System, str] = {}

    def _system(self, system: System) -> SimulatedSystem:
        mapping = self.rules.objects[LEAD]
        names = tuple(item.name_on(system) for item in mapping.fields if item.name_on(system))
        salesforce = system is System.SALESFORCE
        return SimulatedSystem(
            system=system,
            rng=self.rng,
            publish=self._publish,
            normalises=tuple(TEXTS.values()) if salesforce else tuple(TEXTS),
            names_author=salesforce or not self.plot.stamped,
            latency=LATENCY[system],
            disorder=self.plot.disorder,
            skew_ms=self.rng.randrange(-3000, 3000),
            all_names=(*names, self.rules.links.salesforce_key) if salesforce else names,
            choosy=CHOOSY[1] if salesforce and self.plot.wide else "",
            unheard=self.plot.unheard,
            muted=salesforce and self.plot.muted,
            gaps=self.plot.gaps,
        )

    def now_ms(self) -> int:
        """Our own clock."""
        return EPOCH_MS + round(asyncio.get_running_loop().time() * 1000)

    def note(self, *words: object) -> None:
        """A line of the trace."""
        self.report.trace.append(f"{asyncio.get_running_loop().time():.3f} {words}")

    def wake(self) -> None:
        """Something has happened: who is idle looks again."""
        for waiter in self._waiters:
            _go_on(waiter)

    async def idle(self, until: float) -> None:
        """Wait for something to happen, at most until a moment of the loop's clock."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        timer = loop.call_at(until, _go_on, waiter)
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiters.remove(waiter)

    def next_due(self, system: System) -> float:
        """When something is due on a system, by the loop's clock."""
        kinds = (0, 2) if system is System.SALESFORCE else (1, 3)
        moments = [state.due[kind] for state in self.ledger.pairs.values() for kind in kinds if state.due[kind]]
        now = asyncio.get_running_loop().time()
        return max((min(moments) - EPOCH_MS) / 1000 + 0.001, now + 0.01) if moments else now + 1000

    def _publish(self, event: ChangeEvent) -> None:
        self.topics[event.object].append((f"{event.object}:{event.id}".encode(), codec.encode(self._shortened(event))))
        self.wake()

    def _shortened(self, event: ChangeEvent) -> ChangeEvent:
        """What tools do that take a shortcut: a change is ignored because of who touched the record last, or when."""
        if self.plot.shortcut is None or event.author == OURS[event.system] or event.is_read:
            return event
        system = self.systems[event.system]
        last = system.last_modifier.get(event.id) == OURS[event.system]
        recent = any(entry.author == OURS[event.system] and entry.at > asyncio.get_running_loop().time() - 5 for entry in system.log)
        if (self.plot.shortcut == "last_modifier" and last) or (self.plot.shortcut == "time_to_live" and recent):
            return ChangeEvent(system=event.system, object=event.object, id=event.id, kind=Happened.UPDATED, source="cdc", at=event.at)
        return event

    # -- people ----------------------------------------------------------------------------------------------------------
    def begin(self) -> None:
        """The record, or records, that the history starts with."""
        if self.plot.born == "both":
            self._introduce()
            return
        start, mapped = start_of(self.plot), self.rules.objects[LEAD].by_key
        for system in System:
            if self.plot.born in ("twice", system):
                values = {mapped[key].name_on(system): value for key, value in start.items()}
                self.record[system] = self.systems[system].create("person", values)

    def _introduce(self) -> None:
        """Both records are known and in step before the history begins."""
        links = self.rules.links
        self.record = {system: self.systems[system].new_id() for system in System}
        linked: dict[str, Value] = {links.lead_id: self.record[System.SALESFORCE], links.type: "Lead", links.is_deleted: False}
        start, mapped = {**start_of(self.plot), **linked}, self.rules.objects[LEAD].by_key
        for system in System:
            self.systems[system].made.update({"v0": False})
            row = {mapped[key].name_on(system): value for key, value in start.items() if mapped[key].name_on(system)}
            self.systems[system].records[self.record[system]] = row
        fields = {
            key: Field(value=value, version=1, salesforce=side, marketo=side)
            for key, value, side in ((key, value, Side(seen=value, seen_at=EPOCH_MS - 3_600_000, shows=1)) for key, value in start.items())
        }
        state = PairState(
            fields=fields,
            salesforce=Record(id=self.record[System.SALESFORCE], complete=True),
            marketo=Record(id=self.record[System.MARKETO], complete=True),
        )
        number = self.ledger.new_pair_id()
        self.ledger.pairs[number], self.ledger.keys[number] = state, "ada@example.com"
        self.ledger.settled_on_disk()

    def edit(self, number: int, side: System) -> None:
        """A person types something, into some fields."""
        system = self.systems[side]
        record = self.record.get(side) or next(iter(system.records), None)
        if record is None or record not in system.records:
            return
        values = self._typed(number, side, system.records[record])
        if self.plot.puts_back:
            values |= self._put_back(system, record)
        system.update("person", record, values)
        self.note("person", side, sorted(values))

    def _typed(self, number: int, side: System, row: dict[str, Value]) -> dict[str, Value]:
        place = 1 if side is System.SALESFORCE else 0
        text = f"{side[0]}{number}"
        values: dict[str, Value] = {}
        for names in TEXTS.items():
            if self.rng.random() < 0.6:
                values[names[place]] = text
        if self.rng.random() < 0.5:
            current = row.get(SCORE[place]) or 0
            values[SCORE[place]] = current + 1 + self.rng.randrange(1000)  # type: ignore[operator]
        if self.plot.wide:
            more = {
                EMAIL: f"{text}@example.com" if self.plot.born != "twice" else row.get(EMAIL[place]),
                CLEARED: text if self.rng.random() < 0.6 else None,
                BOX: not row.get(BOX[place]),
                SET: self._chosen(text, str(row.get(SET[place]) or "")),
                DOWN: text,
                UP: text,
                CHOOSY: text + (REFUSED if place == 0 and self.plot.born == "both" and self.rng.random() < 0.4 else ""),
            }
            values.update({names[place]: value for names, value in more.items() if self.rng.random() < 0.35})
        return values

    def _put_back(self, system: SimulatedSystem, record: str) -> dict[str, Value]:
        """What our last write replaced, in some of the texts."""
        values: dict[str, Value] = {}
        for names in TEXTS.items():
            name = names[1 if system.system is System.SALESFORCE else 0]
            last = next((entry for entry in reversed(system.log) if entry.record == record and name in entry.after), None)
            if last is not None and last.author == OURS[system.system] and self.rng.random() < self.plot.puts_back:
                values[name] = last.before[name]
        return values

    def _chosen(self, text: str, before: str) -> Value:
        chosen = [choice for choice in before.split(";") if choice]
        if chosen and self.rng.random() < 0.4:
            chosen.remove(self.rng.choice(chosen))
        if self.rng.random() < 0.7:
            chosen.append(text)
        return ";".join(chosen) or None

    def delete(self, side: System) -> None:
        """A person deletes the record."""
        if self.record.get(side) in self.systems[side].records:
            self.systems[side].delete("person", self.record[side])
            self.note("deleted", side)

    # -- Tandem ----------------------------------------------------------------------------------------------------------
    async def observe(self, life: Life) -> None:
        """The intake, from where the ledger stands."""
        ledger = MortalLedger(self.ledger, life, "observe")
        observer = Observer(ledger, self.terms, self.now_ms)
        while True:
            idle = True
            for obj, told in self.topics.items():
                topic = TOPICS[obj]
                start = await ledger.offset(topic, 0) or 0
                values = told[start : start + 20]
                if not values:
                    continue
                idle = False
                messages = [Message(offset=start + place, key=key, value=value) for place, (key, value) in enumerate(values)]
                try:
                    observed = await observer.observe(topic, 0, start, messages)
                except Fenced:
                    continue
                self.note("observed", obj, sorted(observed.verdicts.items()))
            if idle:
                await self.idle(asyncio.get_running_loop().time() + 1000)

    async def settle(self, system: System, life: Life) -> None:
        """Writes and looks on one system."""
        writer = SimulatedWriter(self.systems[system], self.rules, life, lost=self.plot.lost, late=self.plot.late)
        settling = MortalLedger(self.ledger, life, "settle")
        settler = Settler(settling, writer, self.terms, self.now_ms, read_first=self._ahead(system))
        looking = MortalLedger(self.ledger, life, "look")
        looker = Looker(looking, writer, self.terms, self.now_ms)
        while True:
            try:
                await looker.reunited()
                done = await settler.round() if await settling.waiting(Duty.write_on(system), self.now_ms()) is not None else Settled()
                looked = await looker.round() if await looking.waiting(looker.duty, self.now_ms()) is not None else Looked()
            except Retry as error:
                await asyncio.sleep(error.after_seconds)
                continue
            if done.claimed or looked.pairs:
                self.note("settled", system, done.claimed, sorted(done.fates.items()), looked.pairs)
            else:
                await self.idle(self.next_due(system))

    def _ahead(self, system: System) -> Ahead:
        """What is read before it is written to: Salesforce in every lane, since its feed doesn't tell what stood there before."""
        if not self.plot.read_first:
            return Ahead.NOTHING
        return Ahead.ALL if system is System.SALESFORCE else Ahead.LIVE

    async def poll(self, system: System) -> None:
        """Readings of what changed, on the topic whenever they get there."""
        loop, target = asyncio.get_running_loop(), self.systems[system]
        polled = POLLED_SECONDS + self.plot.seconds - SECONDS
        while loop.time() < polled + LAST_POLL_SECONDS:
            await asyncio.sleep(self.rng.uniform(5, 15) if loop.time() < polled else LAST_POLL_SECONDS)
            for record in [*target.records, *target.retired]:
                loop.call_later(
                    self.rng.uniform(0.05, 3), self._publish, target.reading(record, target.all_names, target.object_of(record))
                )

    async def worker(self) -> None:
        """Tandem's process: dies and comes back."""
        while True:
            life = Life(self.fate)
            tasks = [asyncio.ensure_future(self.observe(life)), *(asyncio.ensure_future(self.settle(system, life)) for system in System)]
            self.lives[life] = tasks
            try:
                await asyncio.gather(*tasks)
            except Crash as crash:
                self.note("CRASH", crash)
            except asyncio.CancelledError:
                if self.over:
                    raise
            await _ended(tasks)
            del self.lives[life]
            await asyncio.sleep(0.6)

    def stop(self) -> None:
        """Every worker is asked to end: what is under way is told to the ledger as far as there is time."""
        self.note("STOP")
        for tasks in self.lives.values():
            for task in tasks:
                task.cancel()

    def cut_power(self) -> None:
        """The database and all workers end at once."""
        self.note("POWER CUT")
        running = [task for tasks in self.lives.values() for task in tasks]
        for life in self.lives:
            life.dead = True
        for task in running:
            task.cancel()
        restored = asyncio.ensure_future(_ended(running))
        restored.add_done_callback(lambda _: self.ledger.power_cut())

    # -- run and judge ---------------------------------------------------------------------------------------------------
    async def history(self) -> Report:
        """All of it, until nothing can happen any more."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_only_crashes)
        self.begin()
        self._schedule(loop)
        tasks = [asyncio.ensure_future(self.worker()) for _ in range(self.plot.workers)]
        if self.plot.polls:
            tasks += [asyncio.ensure_future(self.poll(system)) for system in System]
        await asyncio.sleep(self.plot.seconds + QUIET_SECONDS)
        self.over = True
        for task in tasks:
            if task.done():
                task.result()
        return self._told()

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        for number in range(self.plot.edits):
            side = self.rng.choice(list(System))
            crowded = self.rng.random() < 0.6
            at = self.rng.choice(_MOMENTS) + self.rng.uniform(0, 0.7) if crowded else self.rng.uniform(0, self.plot.seconds)
            loop.call_at(at, self.edit, number, side)
        for happens, times in self._happenings():
            for _ in range(times):
                loop.call_at(self.rng.uniform(0, self.rng.choice((SECONDS, 6 * SECONDS))), happens)
        if self.plot.deleted is not None:
            loop.call_at(self.rng.uniform(1, SECONDS), self.delete, self.plot.deleted)

    def _happenings(self) -> Iterator[tuple[Callable[[], None], int]]:
        """What befalls the workers and the topics, and how often."""
        yield self._doom, self.plot.crashes
        yield self.stop, self.plot.stops
        yield self.cut_power, self.plot.power_cuts
        yield self._freeze, self.plot.freezes
        yield self._poison, self.plot.poison

    def _doom(self) -> None:
        self.fate.doomed += 1

    def _freeze(self) -> None:
        self.fate.freezes += 1

    def _poison(self) -> None:
        """A message that nobody can use, or of which one number can't be."""
        system = self.rng.choice(list(System))
        record = self.record.get(system) or next(iter(self.systems[system].records), "1")
        value = self.rng.choice(POISON).replace(b"RECORD", record.encode()).replace(b"SYSTEM", system.encode())
        self.topics[LEAD if system is System.SALESFORCE else PERSON].append(
            (f"{LEAD if system is System.SALESFORCE else PERSON}:{record}".encode(), value)
        )
        self.wake()

    def _told(self) -> Report:
        oracle = Oracle(plot=self.plot, winner=self.winner, systems=self.systems, pairs=self.ledger.pairs, decisions=self.ledger.decisions)
        report = self.report
        report.faults = list(oracle.faults())
        report.writes = sum(entry.author == OURS[system] for system in System for entry in self.systems[system].log)
        rulings = [ruling for decision in self.ledger.decisions for ruling in decision.fields]
        report.conflicts = sum(ruling.verdict in ("won", "lost") for ruling in rulings)
        report.verdicts = {str(ruling.verdict) for ruling in rulings}
        report.died_at = self.fate.died_at
        return report


def _go_on(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _only_crashes(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The last words of the dead are nobody's business; anything else is."""
    if not isinstance(context.get("exception"), Crash):
        loop.default_exception_handler(context)


def play(plot: Plot) -> Report:
    """One history. With a shortcut, the code is changed for its length as such tools have it."""
    with _hasty() if plot.shortcut == "agree_when_answered" else _honest():
        return run_virtually(World(plot).history())


@contextmanager
def _honest() -> Iterator[None]:
    yield


@contextmanager
def _hasty() -> Iterator[None]:
    """The answer of the call is taken, not the feed, for the moment when a side shows our value."""
    honest = outcomes.answered  # type: ignore[attr-defined]  # changed as a tool would have it

    def hasty(state: PairState, target: System, write: int, *rest: int) -> PairState:
        state = honest(state, target, write, *rest)
        changed = {}
        for key, item in state.fields.items():
            for entry in item.side(target).writes:
                if entry.id == write:
                    side = Side(known=True, seen=item.side(target).seen, shows=entry.version, writes=item.side(target).writes)
                    changed[key] = item.with_side(target, side)
        return state.with_fields(changed)

    outcomes.answered = hasty  # type: ignore[attr-defined, assignment]
    try:
        yield
    finally:
        outcomes.answered = honest  # type: ignore[attr-defined]
