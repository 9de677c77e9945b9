"""Which messages are sent again: by rule, by cause, by where they stand."""

from typing import Any

import pytest

from consumers.replay.selection import Span
from consumers.subscriptions.message import Message
from consumers.subscriptions.topics import Content

EVENT = {"topic": "crm.salesforce.lead.v1", "partition": 2, "offset": 40, "call": "0001-ab"}
DECISION = {"kind": "judged", "pair": 7, "event": EVENT, "fields": [{"field": "title", "verdict": "won", "rule": "newest@2"}]}


def message(data: Any = DECISION, content: Content = Content.DECISIONS, **told: Any) -> Message:
    place = {"topic": "crm.decisions.v1", "partition": 1, "offset": 9, "at": 1_000}
    return Message(**{**place, "content": content, "key": "7", "attributes": {}, "data": data, **told})


@pytest.mark.parametrize(
    ("told", "takes"),
    [
        ({}, True),
        ({"since_ms": 1_000}, True),
        ({"since_ms": 1_001}, False),
        ({"until_ms": 1_000}, False),
        ({"offsets": {1: (9, None)}}, True),
        ({"offsets": {1: (9, 10)}}, True),
        ({"offsets": {1: (0, 9)}}, False),
        ({"offsets": {2: (0, None)}}, False),
        ({"rules": frozenset({"newest"})}, True),
        ({"rules": frozenset({"newest@2"})}, True),
        ({"rules": frozenset({"newest@1"})}, False),
        ({"causes": frozenset({"0001-ab"})}, True),
        ({"causes": frozenset({"crm.salesforce.lead.v1/2@40"})}, True),
        ({"causes": frozenset({"crm.salesforce.lead.v1/2@41"})}, False),
        ({"positions": (0, 5)}, True),
        ({"positions": (1, None)}, False),
    ],
)
def test_a_decision_is_taken(told: dict[str, Any], takes: bool) -> None:
    assert Span(**{"until_ms": 2_000, **told}).takes(message()) is takes


@pytest.mark.parametrize(
    ("told", "takes"),
    [
        ({}, True),
        ({"rules": frozenset({"newest"})}, True),
        ({"rules": frozenset({"newest@1"})}, False),
        ({"causes": frozenset({"0001-ab"})}, True),
        ({"causes": frozenset({"c"})}, False),
        ({"versions": frozenset({3})}, True),
        ({"versions": frozenset({4})}, False),
    ],
)
def test_a_conflict_is_taken_as_its_decision_is(told: dict[str, Any], takes: bool) -> None:
    conflict = {"standing": "decided", "pair": 7, "event": EVENT, "field": "title", "rule": "newest@2", "config": 3}
    assert Span(**{"until_ms": 2_000, **told}).takes(message(conflict, Content.CONFLICTS)) is takes


def test_a_change_is_taken_by_its_place_in_the_feed() -> None:
    change = message({"kind": "updated", "id": "x", "seq": 12, "call": "c"}, Content.CHANGES)
    assert Span(until_ms=2_000, positions=(12, 13)).takes(change)
    assert not Span(until_ms=2_000, positions=(13, None)).takes(change)
    assert Span(until_ms=2_000, causes=frozenset({"c"})).takes(change)
    assert not Span(until_ms=2_000, rules=frozenset({"newest"})).takes(change)


def test_bytes_that_are_no_json_are_taken_where_nothing_is_asked_of_them() -> None:
    assert Span(until_ms=2_000).takes(message(None))
    assert not Span(until_ms=2_000, causes=frozenset({"c"})).takes(message(None))
