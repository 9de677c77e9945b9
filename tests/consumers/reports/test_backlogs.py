"""What waits on each way, and when it is done."""

from dataclasses import replace

import pytest

from consumers.ledger.tallies import Due
from consumers.reports.standing.backlog import Backlog, backlogs
from consumers.reports.standing.status import Partition
from tests.consumers.reports.test_health import WELL


def write(system: str, pairs: int, due: int, oldest_ms: int, lane: str = "live") -> Due:
    return Due(what="write", system=system, lane=lane, pairs=pairs, due=due, oldest_ms=oldest_ms)


def partition(topic: str, behind: int | None) -> Partition:
    return Partition(topic=topic, partition=0, next_offset=100, behind=behind)


LOADED = replace(
    WELL,
    due=(
        write("marketo", 50, 40, 3_000),
        write("marketo", 20, 0, -5_000, "copy"),
        write("salesforce", 2, 2, 900),
        Due(what="look", system="marketo", lane="live", pairs=9, due=9, oldest_ms=99_000),
    ),
    partitions=(partition("crm.salesforce.lead.v1", 60), partition("crm.marketo.person.v1", 7), partition("crm.decisions.v1", None)),
)


def by_target(drained: dict[str, float]) -> dict[str, Backlog]:
    return {each.target: each for each in backlogs(LOADED, drained)}


def test_each_way_has_its_own_events_and_records() -> None:
    told = by_target({})
    there, back = told["marketo"], told["salesforce"]
    assert (there.source, there.unjudged, there.due, there.later, there.oldest_ms) == ("salesforce", 60, 40, 30, 3_000)
    assert (back.source, back.unjudged, back.due, back.later, back.oldest_ms) == ("marketo", 7, 2, 0, 900)


@pytest.mark.parametrize(
    ("drained", "done_in_ms"), [({}, None), ({"marketo": 20.0}, 5_000), ({"marketo": 0.0}, None), ({"marketo": -3.0}, None)]
)
def test_when_it_is_done_is_told_where_it_becomes_less(drained: dict[str, float], done_in_ms: float | None) -> None:
    assert by_target(drained)["marketo"].done_in_ms == done_in_ms


def test_where_nothing_waits_it_is_done() -> None:
    assert {each.done_in_ms for each in backlogs(WELL, {"marketo": -1.0})} == {0.0}
