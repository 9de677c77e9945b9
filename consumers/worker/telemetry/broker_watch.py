"""Whether Kafka answers and has Tandem's topics: asked every few seconds, so that readiness knows it idle or not."""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog
from aiokafka.errors import KafkaError

from consumers.fitting.grounds import Place, look_at_kafka, look_at_topics
from consumers.kinds.registry import OBJECTS
from streams.ground.access import KafkaAccess
from streams.ground.kafka import admin
from streams.ground.pause import pause
from streams.wire.errors import Fatal, Retry, Unprepared

LOOK_SECONDS = 3.0
SILENT_SECONDS = 9.0
"""So long without an answer, and Kafka counts as away; with what a look may take that is within 15 s."""
_ANSWER_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class BrokerWatch:
    """Looks until stopped. `trouble` is a sentence without a full stop, the same for as long as the trouble is the same."""

    def __init__(self, kafka: KafkaAccess, objects: Sequence[Place] = OBJECTS, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`objects`: what has a topic."""
        self._kafka, self._objects, self._monotonic = kafka, objects, monotonic
        self._opening: asyncio.Lock | None = None
        self._heard: float | None = None
        self._why = ""
        self._lacking = ""
        self._away = False

    async def opened(self) -> None:
        """Returns once Kafka has answered, with all topics there. Raises as `look_at_kafka`; all who ask wait for one look."""
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if self._heard is None:
                await look_at_kafka(self._kafka, self._objects)
                self._heard = self._monotonic()

    def trouble(self) -> str | None:
        """Why nothing flows through Kafka; None while it answers."""
        if self._lacking:
            return self._lacking
        if self._heard is not None and self._monotonic() - self._heard > SILENT_SECONDS:
            return f"Kafka at {self._kafka.bootstrap} does not answer{f' ({self._why})' if self._why else ''}"
        return None

    async def run(self, stop: asyncio.Event) -> None:
        """Look every few seconds, on one connection for as long as it lasts."""
        while not stop.is_set():
            try:
                async with admin(self._kafka, client_id="tandem-watch") as client:
                    while not stop.is_set():
                        async with asyncio.timeout(_ANSWER_SECONDS):
                            self._answered(await client.list_topics())
                        await pause(LOOK_SECONDS, stop)
            except (Retry, Fatal) as error:
                self._silent(_reason(str(error)))
            except (KafkaError, OSError, TimeoutError) as error:
                self._silent(type(error).__name__)
            await pause(LOOK_SECONDS, stop)

    def _answered(self, topics: list[str]) -> None:
        if self._away:
            _log.info("Kafka answers again", kafka=self._kafka.bootstrap)
        self._heard, self._why, self._away = self._monotonic(), "", False
        try:
            look_at_topics(topics, self._kafka.bootstrap, self._objects)
        except Unprepared as error:
            if not self._lacking:
                _log.error("topics are missing", error=str(error))
            self._lacking = str(error).rstrip(".")
        else:
            self._lacking = ""

    def _silent(self, why: str) -> None:
        if not self._away:
            _log.error("Kafka does not answer", kafka=self._kafka.bootstrap, error=why)
        self._why, self._away = why, True


def _reason(told: str) -> str:
    """What is in brackets there: the rest is said already."""
    inside = told.partition(" (")[2]
    return inside[: inside.rfind(")")] if ")" in inside else told
