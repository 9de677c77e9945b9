"""What the page of metrics says after things have happened."""

import pytest

from consumers.errands.errand import What
from consumers.worker.telemetry.metrics import RELAY_STATES, Metrics
from streams.relay.relay import RelayWatch
from streams.wire.errors import Fatal, Gap, Reject, Retry, SyncError, Unknown
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import LEAD, System


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(now_ms=lambda: 10_000)


def event(kind: Happened, at: int) -> ChangeEvent:
    return ChangeEvent(system=System.SALESFORCE, object=LEAD, id="1", kind=kind, source="cdc", at=at)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    found: float | None = metrics.registry.get_sample_value(name, labels)
    return found


def test_metrics_are_a_watch_of_relays(metrics: Metrics) -> None:
    watch: RelayWatch = metrics
    watch.relayed("cdc", [event(Happened.UPDATED, 9_900), event(Happened.READ, 1), event(Happened.UPDATED, 20_000)], 2, 9_900)
    assert value(metrics, "tandem_events_relayed_total", source="cdc", kind="updated") == 2
    assert value(metrics, "tandem_events_relayed_total", source="cdc", kind="read") == 1
    assert value(metrics, "tandem_dead_letters_total", stage="cdc") == 2
    assert value(metrics, "tandem_relay_delay_seconds_count", source="cdc") == 2
    assert value(metrics, "tandem_relay_delay_seconds_sum", source="cdc") == pytest.approx(0.1)
    assert value(metrics, "tandem_position_saved_timestamp_seconds", source="cdc") == 10.0
    assert value(metrics, "tandem_feed_timestamp_seconds", source="cdc") == 9.9


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Gap("x"), "gap"),
        (Retry("x"), "retry"),
        (Unknown("x"), "retry"),
        (Reject("x"), "reject"),
        (Fatal("x"), "fatal"),
        (SyncError("x"), "other"),
    ],
)
def test_failures_are_told_apart(metrics: Metrics, error: SyncError, kind: str) -> None:
    metrics.failed("cdc", error)
    assert value(metrics, "tandem_source_failures_total", source="cdc", kind=kind) == 1


def test_a_relay_is_in_one_state(metrics: Metrics) -> None:
    for state in RELAY_STATES:
        metrics.state("cdc", state)
        shown = {each: value(metrics, "tandem_relay_state", source="cdc", state=each) for each in RELAY_STATES}
        assert {each for each, share in shown.items() if share} == {state}


def test_gaps_count(metrics: Metrics) -> None:
    metrics.gap("cdc")
    assert b'tandem_gaps_total{source="cdc"} 1.0' in metrics.page()


def test_what_can_happen_stands_at_nothing_before(metrics: Metrics) -> None:
    metrics.expect(["observe"], ["cdc"], ["decisions"])
    for what in What:
        assert {value(metrics, "tandem_errands_total", what=what, outcome=outcome) for outcome in ("done", "failed")} == {0}
    assert value(metrics, "tandem_deliveries_total", source="webhook", outcome="refused") == 0
    assert value(metrics, "tandem_role_restarts_total", role="observe") == 0
    assert value(metrics, "tandem_dead_letters_total", stage="cdc") == 0
    assert value(metrics, "tandem_pruned_total", what="decisions") == 0


def test_two_sets_do_not_meet() -> None:
    first, second = Metrics(now_ms=lambda: 0), Metrics(now_ms=lambda: 0)
    first.gap("cdc")
    assert b'source="cdc"' not in second.page()
