"""What Prometheus may know of a worker. No label ever carries a record or a person."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

from consumers.audit.compare import Class
from consumers.errands.errand import What
from consumers.ledger.spent import Spent
from consumers.ledger.tallies import Due, Waiting
from consumers.troubles.trouble import Trouble
from streams.budget.port import OWED, Lane
from streams.wire.errors import Fatal, Gap, Reject, Retry, SyncError
from streams.wire.events import ChangeEvent
from streams.wire.systems import System

__all__ = ["CONTENT_TYPE", "RELAY_STATES", "Metrics"]

RELAY_STATES = ("stopped", "standby", "running", "retrying", "fatal")
_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
FAILURES = ("gap", "retry", "reject", "fatal", "other")
_SIZES = (1, 2, 5, 10, 25, 50, 100, 200, 300, 500)


class Metrics:
    """One set per process. Also the `RelayWatch` of its relays."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._now_ms = now_ms
        self.lag_of: Callable[[], Mapping[tuple[str, int], int]] = dict
        """How far each partition of this worker is behind; asked for each page."""
        self._relay()
        self._consumers()
        self._systems()

    def _relay(self) -> None:
        on = self.registry
        self.events_relayed = Counter("tandem_events_relayed", "Change events acknowledged by Kafka", ["source", "kind"], registry=on)
        self.dead_letters = Counter("tandem_dead_letters", "Events, and pairs, that no step can do anything with", ["stage"], registry=on)
        self.gaps = Counter("tandem_gaps", "Stretches that a source could not deliver", ["source"], registry=on)
        self.source_failures = Counter("tandem_source_failures", "Failures of a source", ["source", "kind"], registry=on)
        self.relay_state = Gauge("tandem_relay_state", "1 for the state a relay is in", ["source", "state"], registry=on)
        self.position_saved = Gauge("tandem_position_saved_timestamp_seconds", "When a position was saved last", ["source"], registry=on)
        self.feed_at = Gauge("tandem_feed_timestamp_seconds", "The latest change relayed, by its system's clock", ["source"], registry=on)
        self.relay_delay = Histogram(
            "tandem_relay_delay_seconds", "From the change, as its system stamps it, to Kafka", ["source"], buckets=_LATENCY, registry=on
        )

    def _consumers(self) -> None:
        on = self.registry
        self.events_judged = Counter("tandem_events_judged", "Events in the ledger", ["topic"], registry=on)
        self.verdicts = Counter("tandem_verdicts", "Verdicts on fields", ["system", "verdict"], registry=on)
        self.lag = Gauge("tandem_lag_events", "Events on a partition that are not judged yet", ["topic", "partition"], registry=on)
        self.owed = Gauge(
            "tandem_owed_writes", "Pairs owed a write in the whole ledger, by lane, counted to 10,000", ["system", "lane"], registry=on
        )
        self.holds = Gauge(
            "tandem_holds",
            "What waits for a person in the whole ledger, counted to 10,000",
            ["reason"],
            registry=on,
        )
        self.troubles = Gauge("tandem_troubles", "What is wrong, as readiness and status have it", ["where", "grade"], registry=on)
        self.writes = Counter("tandem_writes", "Records written, by outcome", ["system", "outcome"], registry=on)
        self.write_batch = Histogram("tandem_write_batch_records", "Records in one call", ["system"], buckets=_SIZES, registry=on)
        self.latency = Histogram(
            "tandem_edit_latency_seconds", "From the edit on one side to its arrival on the other", ["to"], buckets=_LATENCY, registry=on
        )
        self.cycles = Counter("tandem_cycles", "Reconciliation cycles", ["source"], registry=on)
        self.cycle_rows = Counter(
            "tandem_cycle_rows", "What cycles found: read, known, relayed, missed by the stream, repaired", ["source", "found"], registry=on
        )
        self.audited = Counter("tandem_audited_records", "Records compared on both sides by the drift audit", ["object"], registry=on)
        self.differences = Gauge(
            "tandem_differences", "What differs, as the worker knows that audits; by class, counted to 10,000", ["class"], registry=on
        )
        self.errands = Counter("tandem_errands", "What flow steps and commands have asked for, ended", ["what", "outcome"], registry=on)
        self.deliveries = Counter(
            "tandem_deliveries", "Calls of webhooks and of the data stream, and what became of them", ["source", "outcome"], registry=on
        )
        self.webhooks = Counter("tandem_webhooks", "Calls of deliveries' webhooks, by outcome", ["delivery", "outcome"], registry=on)
        self.webhook_delay = Histogram(
            "tandem_webhook_delay_seconds",
            "From the broker's taking a message to its delivery",
            ["delivery"],
            buckets=_LATENCY,
            registry=on,
        )
        self.webhooks_behind = Gauge(
            "tandem_webhook_behind_messages", "Messages of its topic that a delivery has not come to", ["delivery"], registry=on
        )
        self.pruned = Counter("tandem_pruned", "What has had its time and was removed from the ledger", ["what"], registry=on)
        self.roles_restarted = Counter("tandem_role_restarts", "Roles that failed and were started again", ["role"], registry=on)

    def _systems(self) -> None:
        on = self.registry
        self.calls = Counter("tandem_calls", "Calls to a system", ["system", "purpose", "outcome"], registry=on)
        self.call_seconds = Histogram("tandem_call_seconds", "Duration of calls to a system", ["system"], buckets=_LATENCY, registry=on)
        self.budget_wait = Histogram("tandem_budget_wait_seconds", "Waiting for leave", ["system", "lane"], buckets=_LATENCY, registry=on)
        self.day_used = Gauge("tandem_day_calls_used", "Calls of the day that are spent", ["system"], registry=on)
        self.gathered = Gauge(
            "tandem_gather_seconds", "How long edits are gathered so that the day's calls last; 0: not at all", ["system"], registry=on
        )
        self.day_limit = Gauge("tandem_day_calls_limit", "Calls that the day allows", ["system"], registry=on)

    def page(self) -> bytes:
        """Everything in Prometheus' text format."""
        self.lag.clear()
        for (topic, partition), events in self.lag_of().items():
            self.lag.labels(topic, partition).set(events)
        return generate_latest(self.registry)

    def expect(self, roles: Sequence[str], sources: Sequence[str], kept: Sequence[str] = (), objects: Sequence[str] = ()) -> None:
        """What can happen here stands at nothing before it first happens: so its first time is seen as a change."""
        for role in roles:
            self.roles_restarted.labels(role)
        for obj in objects:
            self.audited.labels(obj)
        for what in kept:
            self.pruned.labels(what)
        for klass in Class:
            self.differences.labels(klass).set(0)
        for asked, outcome in product(What, ("done", "failed")):
            self.errands.labels(asked, outcome)
        for sender, outcome in product(("webhook", "data_stream"), ("taken", "refused")):
            self.deliveries.labels(sender, outcome)
        for source in sources:
            self.gaps.labels(source)
            for kind in FAILURES:
                self.source_failures.labels(source, kind)
        for stage in ("observe", *sources):
            self.dead_letters.labels(stage)

    def stands(self, due: Iterable[Due], waiting: Waiting, spent: Iterable[Spent], troubles: Iterable[Trouble]) -> None:
        """How the whole stands: the same on every worker. `troubles`: what this one knows to be wrong."""
        owed = {(row.system, row.lane): row.pairs for row in due if row.what == "write"}
        for system, lane in product(System, OWED):
            self.owed.labels(system, lane.name.lower()).set(owed.get((system, lane.name.lower()), 0))
        for reason, count in (("held", waiting.held), ("contested", waiting.contested), ("refused", waiting.refused)):
            self.holds.labels(reason).set(count)
        for each in spent:
            self.day_used.labels(each.system).set(each.used)
            self.day_limit.labels(each.system).set(each.limit)
            self.gathered.labels(each.system).set(each.forecast.gather_seconds)
        self.troubles.clear()
        for where, grade in {(each.where, each.grade) for each in troubles}:
            self.troubles.labels(where, grade).set(1)

    def waited(self, system: System, lane: Lane, seconds: float) -> None:
        """Leave for a call was given."""
        self.budget_wait.labels(system, lane.name.lower()).observe(seconds)

    def called(self, system: System, purpose: str, outcome: str, seconds: float) -> None:
        """A call ended."""
        self.calls.labels(system, purpose, outcome).inc()
        self.call_seconds.labels(system).observe(seconds)

    def relayed(self, source: str, events: Sequence[ChangeEvent], dead: int, feed_ms: int | None) -> None:
        """A batch is through, its position saved."""
        now_ms = self._now_ms()
        delay = self.relay_delay.labels(source)
        for event in events:
            self.events_relayed.labels(source, event.kind).inc()
            if not event.is_read:
                delay.observe(max(0, now_ms - event.at) / 1000)
        if dead:
            self.dead_letters.labels(source).inc(dead)
        self.position_saved.labels(source).set(now_ms / 1000)
        if feed_ms is not None:
            self.feed_at.labels(source).set(feed_ms / 1000)

    def gap(self, source: str) -> None:
        """A gap was opened."""
        self.gaps.labels(source).inc()

    def let_go(self, what: str, count: int) -> None:
        """So many have had their time and were removed."""
        self.pruned.labels(what).inc(count)

    def failed(self, source: str, error: SyncError) -> None:
        """The source can't go on for now."""
        kind = next((kind.__name__.lower() for kind in (Gap, Retry, Reject, Fatal) if isinstance(error, kind)), "other")
        self.source_failures.labels(source, kind).inc()

    def state(self, source: str, state: str) -> None:
        """A relay entered a state."""
        for each in RELAY_STATES:
            self.relay_state.labels(source, each).set(1 if each == state else 0)
