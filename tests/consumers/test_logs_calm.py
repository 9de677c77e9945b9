"""Libraries that repeat themselves."""

import logging

from consumers.logs import Calm


def test_a_library_that_says_the_same_over_and_over_is_heard_now_and_then() -> None:
    now = 0.0
    calm = Calm(seconds=10.0, monotonic=lambda: now)

    def said(name: str, message: str, *arguments: object) -> str | None:
        record = logging.LogRecord(name, logging.WARNING, "", 0, message, arguments, None)
        return record.getMessage() if calm.filter(record) else None

    assert said("aiokafka.conn", "Unable to connect to %s", "one") == "Unable to connect to one"
    assert [said("aiokafka.conn", "Unable to connect to %s", "two") for _ in range(3)] == [None] * 3
    assert said("aiokafka.conn", "something else") == "something else"
    assert said("consumers.intake", "ours") == said("consumers.intake", "ours") == "ours"
    now = 11.0
    assert said("aiokafka.conn", "Unable to connect to %s", "one") == "Unable to connect to one (and 3 more like this)"
