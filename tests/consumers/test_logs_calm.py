"""Libraries that repeat themselves."""

import logging

from consumers.worker.telemetry.logs import Calm


class Ear:
    def __init__(self) -> None:
        self.now = 0.0
        self.calm = Calm(seconds=10.0, kafka_seconds=60.0, monotonic=lambda: self.now)

    def hears(self, name: str, message: str, *arguments: object) -> str | None:
        record = logging.LogRecord(name, logging.ERROR, "", 0, message, arguments, None)
        return record.getMessage() if self.calm.filter(record) else None


def test_a_library_that_says_the_same_over_and_over_is_heard_now_and_then() -> None:
    ear = Ear()
    assert ear.hears("asyncio", "Unclosed %s", "one") == "Unclosed one"
    assert [ear.hears("asyncio", "Unclosed %s", "two") for _ in range(3)] == [None] * 3
    assert ear.hears("asyncio", "something else") == "something else"
    assert ear.hears("consumers.observe.intake", "ours") == ear.hears("consumers.observe.intake", "ours") == "ours"
    ear.now = 11.0
    assert ear.hears("asyncio", "Unclosed %s", "one") == "Unclosed one (and 3 more like this)"


def test_while_a_broker_is_away_each_part_of_its_client_is_heard_once_a_minute() -> None:
    ear, heard = Ear(), 0
    for second in range(60):
        ear.now = float(second)
        for partition in range(6):
            heard += ear.hears("aiokafka.consumer.fetcher", "Failed fetch messages from %s: partition %s", second, partition) is not None
        heard += ear.hears("aiokafka.client", f"Unable connect to node {second}") is not None
    assert heard == 2
    ear.now = 61.0
    assert ear.hears("aiokafka.client", "Unable to update metadata") == "Unable to update metadata (and 59 more like this)"
