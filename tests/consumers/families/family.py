"""Accounts, users and contacts of one org, and Tandem's loops between it and Marketo, all in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from consumers.configuration.groups.connections import KafkaSettings, MarketoSettings, PostgresSettings, SalesforceSettings
from consumers.configuration.groups.records import FormSettings, KindSettings
from consumers.configuration.mapping.defaults import build
from consumers.configuration.reading.types import Secret
from consumers.configuration.settings import Settings
from consumers.judging import apart
from consumers.judging.observed import Observed
from consumers.kinds.registry import SORTS
from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Duty, Ledger
from consumers.mapping.fields import SyncRules
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Identity, Terms
from consumers.merge.writing.writes import Patience
from consumers.settle.looks.look import Looker
from consumers.settle.rounds.settler import Settler
from consumers.settle.writers.marketo.writer import MarketoWriter
from consumers.settle.writers.port import Writer
from consumers.settle.writers.salesforce.writer import SalesforceWriter
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import CONTACT, LEAD, MARKETO, SALESFORCE, Object, System, salesforce_id
from tests.consumers.families.marketo_model import OURS, MarketoModel
from tests.consumers.pairs_in_memory import Clock

ACCOUNT, USER, OPPORTUNITY, ROLE = Object("account"), Object("user"), Object("opportunity"), Object("role")
TASK, EVENT = Object("task"), Object("event")
Kinds = Mapping[str, KindSettings | FormSettings]
PREFIX = {ACCOUNT: "001", USER: "005", CONTACT: "003", LEAD: "00Q", OPPORTUNITY: "006", ROLE: "00K", TASK: "00T", EVENT: "00U"}
SETTINGS = Settings(
    salesforce=SalesforceSettings(url="https://a.b", client_id="a", client_secret=Secret("s", "env: S")),
    marketo=MarketoSettings(url="https://a.b", client_id="a", client_secret=Secret("s", "env: S")),
    kafka=KafkaSettings(bootstrap_servers="a:1"),
    postgres=PostgresSettings(dsn=Secret("s", "env: S")),
)


def rules(*off: str) -> SyncRules:
    """The default mapping; `off`: kinds that are switched off."""
    return build(replace(SETTINGS, kinds=switched_off(SETTINGS.kinds, *off)))


def switched_off(kinds: Kinds, *off: str) -> Kinds:
    """The settings of the kinds, with these not kept in step."""
    return {**kinds, **{name: KindSettings(sync=False) for name in off}}


def terms(told: SyncRules | None = None) -> Terms:
    """With short waits."""
    patience = Patience(call_ms=30_000, silent_ms=60_000, lost_ms=600_000)
    identity = Identity(salesforce_user="005000000000999AAA", marketo_user=OURS)
    ruled = replace(told or rules(), own_user=identity.salesforce_user)
    return Terms(rules=ruled, identity=identity, salesforce=patience, marketo=patience, lateness_ms=30_000)


class Org:
    """Salesforce: what people do there. Its events are kept for whoever delivers them; it can be read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.records: dict[str, tuple[Object, dict[str, Value]]] = {}
        self.merged: dict[str, str] = {}
        self.events: list[ChangeEvent] = []
        self.invisible: set[str] = set()
        self.author = "person"
        """Who does what is done now."""
        self.seq = self._last = 0

    def add(self, obj: Object, **fields: Value) -> str:
        """A new record; its id."""
        self._last += 1
        record = salesforce_id(f"{PREFIX[obj]}{self._last:012d}")
        self.records[record] = (obj, dict(fields))
        self._tell(record, obj, Happened.CREATED, dict(fields))
        return record

    def edit(self, record: str, **fields: Value) -> None:
        """What is equal already is no change."""
        obj, row = self.records[record]
        changed = {name: value for name, value in fields.items() if row.get(name) != value}
        row.update(changed)
        if changed:
            self._tell(record, obj, Happened.UPDATED, changed)

    def delete(self, record: str, into: str = "") -> tuple[Object, dict[str, Value]]:
        """Into the recycle bin, or into another record."""
        obj, row = self.records.pop(record)
        if into:
            self.merged[record] = into
        self._tell(record, obj, Happened.DELETED, {})
        return obj, row

    def restore(self, record: str, obj: Object, row: Mapping[str, Value]) -> None:
        """Out of the recycle bin."""
        self.records[record] = (obj, dict(row))
        self._tell(record, obj, Happened.UNDELETED, dict(row))

    def _tell(self, record: str, obj: Object, kind: Happened, fields: dict[str, Value]) -> None:
        self.seq += 1
        self.events.append(
            ChangeEvent(
                system=SALESFORCE, object=obj, id=record, kind=kind, source="cdc", at=self._clock(), seq=self.seq, author=self.author,
                fields=fields,
            )
        )  # fmt: skip

    async def read_timed(
        self, name: str, ids: Sequence[str], fields: Sequence[str], lane: Any = None
    ) -> tuple[list[dict[str, Any] | None], int, int]:
        """As the REST client has it."""
        del lane
        now = self._clock()
        sorts = {obj for obj in PREFIX if SORTS[obj].entity.name == name}
        there = [each for each in ids if each in self.records and each not in self.invisible]
        seen = {each: self.records[each][1] for each in there if self.records[each][0] in sorts}
        rows = [{**{field: seen[each].get(field) for field in fields}, "Id": each} if each in seen else None for each in ids]
        return rows, now, now

    async def gone(self, entity: Any, ids: Sequence[str], lane: Any = None) -> frozenset[str]:
        """As the REST client has it."""
        del entity, lane
        return frozenset(each for each in ids if each not in self.records)

    async def masters(self, entity: Any, ids: Sequence[str], lane: Any = None) -> Mapping[str, str | None]:
        """As the REST client has it."""
        del entity, lane
        return {each: self.merged.get(each) for each in ids if each not in self.invisible}


class Family:
    """Both systems and what stands between them. Nothing happens but by `deliver`, `settle` and `rest`."""

    def __init__(self, *off: str, ledger: Ledger | None = None) -> None:
        self.clock = Clock()
        self.org = Org(self.clock)
        self.feed: list[ChangeEvent] = []
        self.marketo = MarketoModel(clock=self.clock, publish=self.feed.append)
        self.memory = MemoryLedger()
        self.ledger: Ledger = ledger or self.memory
        self.wrapped: Callable[[Ledger], Any] = lambda each: each
        self.started(*off)

    def started(self, *off: str) -> None:
        """A worker that remembers nothing. `off`: with these kinds switched off."""
        self.terms = terms(self.ruled(*off))
        writer = MarketoWriter(cast("Any", self.marketo), self.terms.rules, OURS)
        salesforce = SalesforceWriter(cast("Any", self.org), self.terms.rules)
        self.writers: dict[System, Writer] = {MARKETO: writer, SALESFORCE: salesforce}
        ledger = self.wrapped(self.ledger)
        self.settlers = {system: Settler(ledger, each, self.terms, self.clock) for system, each in self.writers.items()}
        self.lookers = {system: Looker(ledger, each, self.terms, self.clock) for system, each in self.writers.items()}

    def ruled(self, *off: str) -> SyncRules:
        """The rules that a worker starts with."""
        return rules(*off)

    async def observe(self, *events: ChangeEvent) -> Observed:
        """These events, in one batch."""
        return await apart.judged(self.wrapped(self.ledger), self.terms, events, self.clock(), stage="test")

    async def deliver(self) -> None:
        """Everything that both feeds have told, object by object as their topics bring it."""
        told = [event for event in (*self.org.events, *self.feed) if event.system is MARKETO or event.object in self.terms.rules.objects]
        self.org.events.clear()
        self.feed.clear()
        for obj in dict.fromkeys(event.object for event in told):
            await self.observe(*(event for event in told if event.object == obj))

    async def turn(self) -> int:
        """One round of everything that may be due; how many pairs were touched."""
        touched = 0
        for looker in self.lookers.values():
            touched += len(await looker.reunited())
            touched += (await looker.round()).pairs
        for settler in self.settlers.values():
            touched += (await settler.round()).claimed
        return touched

    async def rest(self, *, turns: int = 200, seconds: int = 3_000) -> None:
        """Until nothing is due for a long while: time passes where nothing else does."""
        until = self.clock.now + seconds * 1000
        for _ in range(turns):
            await self.deliver()
            if await self.turn() or self.org.events or self.feed:
                continue
            ahead = [moment for state in self.memory.pairs.values() for moment in state.due if moment > self.clock.now]
            if not ahead or min(ahead) > until:
                return
            self.clock.now = min(ahead)
        raise AssertionError(f"no rest: {[state.due for state in self.memory.pairs.values()]}")

    def pair(self, record: str) -> PairState:
        """The pair of a Salesforce record."""
        return next(state for state in self.memory.pairs.values() if state.salesforce.id == record)

    def person(self, record: str) -> dict[str, Value]:
        """A contact's person in Marketo."""
        return self.marketo.people[self.pair(record).marketo.id]

    def waiting(self) -> dict[tuple[int, str], str]:
        """Who waits for whom, in the ledger."""
        return {key: parent for key, (parent, waits) in self.memory.relations.items() if waits}

    def due(self) -> set[Duty]:
        """What is due for anybody."""
        return {duty for state in self.memory.pairs.values() for duty in Duty if state.due[duty]}


__all__ = ["ACCOUNT", "CONTACT", "LEAD", "OPPORTUNITY", "ROLE", "USER", "Family", "Org", "rules", "terms"]
