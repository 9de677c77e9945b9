"""The accounts of this process's polls: what their cycles found, kept in the ledger and counted."""

from collections.abc import Sequence
from functools import partial

import structlog

from consumers.configuration.access import kafka_access
from consumers.configuration.mapping.registered import registry_of
from consumers.reconcile.cycles import Account, Cycle
from consumers.reconcile.heard import heard_on
from consumers.reconcile.in_time import InTime
from consumers.reconcile.unseen import unseen_by
from consumers.reports.standing.lag import end_offsets
from consumers.worker.telemetry.metrics import Metrics
from consumers.worker.tools.opening import Tools
from streams.marketo.sources.poll import CycleReport as MarketoCycle
from streams.salesforce.sources.cycles import CycleReport as SalesforceCycle
from streams.wire.errors import Retry
from streams.wire.systems import Object, System

_PATIENCE_SECONDS = 150.0
"""What became of a cycle's finds waits so long for a stream that is behind: a server may hold the call of a quiet one for 110 s."""
_log = structlog.get_logger(__name__)


class Accounts:
    """Opens and keeps them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def of(self, tools: Tools, source: str, obj: Object, system: System, *, stream: str, untold: Sequence[str] = ()) -> Account:
        """`stream`: the source that tells of the same records as they are changed; empty: there is none."""
        intervals, settings = tools.settings.intervals, tools.settings
        ends = partial(end_offsets, kafka_access(settings), registry_of(settings))
        lag = poll_lag(intervals.poll_seconds)
        return Account(
            source,
            obj,
            unseen=unseen_by(tools.ledger, tools.terms),
            in_time=InTime(
                tools.pool, ends, system=system, stream=stream, poll=source, lag_seconds=lag, patience_seconds=_PATIENCE_SECONDS
            ),
            hear=partial(heard_on, kafka_access(settings)),
            pool=tools.pool,
            gaps=tools.gaps,
            ledger=tools.ledger,
            terms=tools.terms,
            interval_seconds=intervals.poll_seconds,
            stream_name=stream,
            untold=untold,
            missed=lambda source, count: self._metrics.cycle_rows.labels(source, "missed").inc(count),
        )

    async def keep(
        self, tools: Tools, account: Account, cycle: Cycle | SalesforceCycle | MarketoCycle, covered: Sequence[int] = ()
    ) -> None:
        self._metrics.cycles.labels(account.source).inc()
        for found, rows in (("read", cycle.read), ("known", cycle.known), ("relayed", cycle.relayed)):
            self._metrics.cycle_rows.labels(account.source, found).inc(rows)
        try:
            await tools.gaps.covered(account.source, covered, account.collapsed(covered))
            await account.close(cycle if isinstance(cycle, Cycle) else _told(cycle))
        except Retry as error:
            _log.warning("a cycle's report is lost, its gaps stay open", source=account.source, error=str(error))


def _told(cycle: SalesforceCycle | MarketoCycle) -> Cycle:
    window = (cycle.start_ms, cycle.end_ms) if isinstance(cycle, SalesforceCycle) else (cycle.since_ms, cycle.until_ms)
    return Cycle(
        read=cycle.read, known=cycle.known, relayed=cycle.relayed, calls=cycle.calls, seconds=cycle.seconds,
        from_ms=window[0], until_ms=window[1],
    )  # fmt: skip


def poll_lag(poll_seconds: float) -> float:
    """How long after its stamp a change may become visible: a gap is closed only by a cycle that ends so much after it was opened."""
    return min(60.0, poll_seconds / 2)
