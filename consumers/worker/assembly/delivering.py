"""Webhooks of deliveries, called by one worker of the fleet."""

import asyncio
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version

from consumers.configuration.access import kafka_access
from consumers.configuration.mapping.registered import registry_of
from consumers.deliveries.addresses import hosts_of
from consumers.deliveries.courier import Ground
from consumers.deliveries.running import Deliveries
from consumers.deliveries.sending import Result, open_sender
from consumers.subscriptions.topics import Topic, topic_named
from consumers.worker.process.process import Process, Work
from consumers.worker.telemetry.metrics import Metrics
from consumers.worker.tools.opening import Tools
from streams.ground.clock import now_ms

ROLE = "deliver.webhooks"


class Counted:
    """How deliveries go, into the metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def called(self, delivery: str, result: Result) -> None:
        """See `consumers.deliveries.courier.Watch`."""
        self._metrics.webhooks.labels(delivery, result).inc()

    def delivered(self, delivery: str, delay_seconds: float) -> None:
        """See `consumers.deliveries.courier.Watch`."""
        self._metrics.webhook_delay.labels(delivery).observe(delay_seconds)

    def behind(self, delivery: str, messages: int) -> None:
        """See `consumers.deliveries.courier.Watch`."""
        self._metrics.webhooks_behind.labels(delivery).set(messages)


class Delivering:
    """The webhooks of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def works(self) -> Mapping[str, Work]:
        """By role: what it does."""
        return {ROLE: self._run}

    async def _run(self, tools: Tools, stop: asyncio.Event) -> None:
        told, kinds = tools.settings.deliveries, registry_of(tools.settings)
        topic_of: partial[Topic] = partial(topic_named, kinds=kinds)
        agent = f"Tandem/{version('tandem')}"
        async with open_sender(hosts_of(told.private_hosts), timeout_seconds=told.timeout_seconds, agent=agent) as sender:
            ground = Ground(
                pool=tools.pool,
                kafka=kafka_access(tools.settings),
                sender=sender,
                watch=Counted(self._process.metrics),
                clock=now_ms,
                wait_most_seconds=told.retry_seconds_max,
            )
            deliveries = Deliveries(ground, topic_of)
            self._process.troubles[ROLE] = lambda: deliveries.trouble
            self._process.board.also(ROLE, deliveries.troubles)
            await deliveries.run(tools.singleton, stop)
