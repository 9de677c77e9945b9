"""Topics into the ledger, what was decided there out again, and away once it has had its time."""

import asyncio
from collections.abc import Mapping
from functools import partial

import structlog

from consumers.configuration.access import kafka_access
from consumers.configuration.mapping.registered import registry_of
from consumers.judging.observed import Observed
from consumers.observe.intake import Intake
from consumers.observe.observer import Observer
from consumers.publish.conflicts import Conflicts
from consumers.publish.outbox import Outbox
from consumers.publish.seals import Seals
from consumers.publish.states import States
from consumers.retention.keeper import Keeper
from consumers.retention.shelves import shelves
from consumers.worker.process.process import Process, Work
from consumers.worker.tools.opening import Tools
from streams.ground.clock import now_ms
from streams.ground.pause import pause
from streams.relay.publisher import kafka_producer
from streams.wire.errors import Cause, Retry
from streams.wire.topics import change_topics

_log = structlog.get_logger(__name__)
_SEALED_SECONDS = 1.0
"""So often it is looked for decisions to be chained."""
_CONFLICTS_SECONDS = 0.5
"""So often it is looked for conflicts."""
_TABLED_SECONDS = 0.5
"""So often it is looked for changes of what is agreed."""


class Observing:
    """One process's part in judging what the topics bring."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def works(self) -> Mapping[str, Work]:
        """By role: what it does."""
        return {
            "observe": self._observe,
            "outbox": self._outbox,
            "seals": self._seals,
            "states": self._states,
            "conflicts": self._conflicts,
            "retention": self._retention,
        }

    async def _observe(self, tools: Tools, stop: asyncio.Event) -> None:
        troubles, kafka = self._process.troubles, tools.settings.kafka
        observer, gap = Observer(tools.ledger, tools.terms, now_ms), partial(self._gap, tools)
        topics = change_topics([place for place in registry_of(tools.settings).objects if place in tools.terms.rules.places])
        intake = Intake(kafka_access(tools.settings), tools.ledger, observer, self._observed, gap, topics=topics, group=kafka.group)
        self._process.metrics.lag_of = intake.behind
        troubles["observe"] = intake.trouble
        while not stop.is_set():
            try:
                await intake.run(stop)
            except Retry as error:
                self._process.says("observe", str(error))
                _log.warning("observe waits", error=str(error))
                await pause(error.after_seconds, stop)
                troubles["observe"] = intake.trouble

    async def _outbox(self, tools: Tools, stop: asyncio.Event) -> None:
        make = partial(kafka_producer, kafka_access(tools.settings))
        outbox = Outbox(tools.pool, tools.singleton, make)
        self._process.troubles["outbox"] = lambda: outbox.trouble
        await outbox.run(stop)

    async def _seals(self, tools: Tools, stop: asyncio.Event) -> None:
        seals = Seals(tools.pool, tools.singleton, partial(kafka_producer, kafka_access(tools.settings)), interval_seconds=_SEALED_SECONDS)
        self._process.board.also(seals.name, seals.wrong)
        await seals.run(stop)

    async def _states(self, tools: Tools, stop: asyncio.Event) -> None:
        make = partial(kafka_producer, kafka_access(tools.settings))
        states = States(tools.pool, tools.singleton, make, interval_seconds=_TABLED_SECONDS)
        states.kinds = {obj: kind.name for obj, kind in registry_of(tools.settings).kind_of.items()}
        self._process.board.also(states.name, states.wrong)
        await states.run(stop)

    async def _conflicts(self, tools: Tools, stop: asyncio.Event) -> None:
        make = partial(kafka_producer, kafka_access(tools.settings))
        conflicts = Conflicts(tools.pool, tools.singleton, make, interval_seconds=_CONFLICTS_SECONDS)
        self._process.board.also(conflicts.name, conflicts.wrong)
        await conflicts.run(stop)

    async def _retention(self, tools: Tools, stop: asyncio.Event) -> None:
        kept = shelves(tools.pool, tools.ledger, tools.settings.retention, now_ms)
        keeper = Keeper(kept, tools.singleton, pruned=self._process.metrics.let_go, now_ms=now_ms)
        self._process.board.also("retention", keeper.troubles)
        await keeper.run(stop)

    async def _gap(self, tools: Tools, topic: str, partition: int, stood: int, begins: int) -> None:
        self._process.metrics.gap(topic)
        reason, cause = f"offsets {stood} to {begins} of partition {partition} are no longer on the topic", Cause.OFFSETS
        if begins < stood:
            reason, cause = f"partition {partition} is another one than was read up to {stood}; it is read from {begins}", Cause.TOPIC
        _log.error("gap", topic=topic, reason=reason)
        await tools.gaps.open(topic, "", reason, cause=cause)

    def _observed(self, topic: str, partition: int, observed: Observed) -> None:
        del partition
        metrics = self._process.metrics
        metrics.events_judged.labels(topic).inc(observed.events)
        if observed.dead:
            metrics.dead_letters.labels("observe").inc(observed.dead)
        system = topic.split(".")[1]
        for verdict, count in observed.verdicts.items():
            metrics.verdicts.labels(system, verdict).inc(count)
        self._process.recent.add({str(verdict): count for verdict, count in observed.verdicts.items()})
        for altering, count in observed.altered.items():
            metrics.verdicts.labels(altering, "altered").inc(count)
        for repaired, count in observed.repaired.items():
            metrics.cycle_rows.labels(f"{repaired}.poll", "repaired").inc(count)
        if observed.due:
            self._process.bell.ring(observed.due)
