"""In which order kinds are copied, what that is said to cost, and how far it is. All pure."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumers.configuration.mapping.defaults import build
from consumers.copy.order import order
from consumers.copy.progress import progress
from consumers.copy.quote import Limits, Matches, members_part, people_part, quoted, salesforce_part
from consumers.copy.store import Copy, State
from consumers.kinds.registry import STANDARD
from streams.marketo.api.bulk import RANGE_MS
from streams.wire.systems import MARKETO, SALESFORCE
from tests.consumers.configuration.test_configuration_values import loaded

_DAY_MS = 86_400_000
LIMITS = Limits(salesforce_left=10_000, salesforce_day=10_000, marketo_left=50_000, marketo_day=50_000)


def test_parents_come_before_their_children_and_activities_last(tmp_path: Path) -> None:
    rules = build(loaded(tmp_path, "task: {as: activity}\nevent: {as: activity}\n"))
    kinds = [STANDARD.kind_of[objects[0]].name for objects in order(rules.objects, STANDARD)]
    assert sorted(kinds) == sorted({mapping.kind for mapping in rules.objects.values()})
    assert kinds[:7] == ["user", "account", "person", "campaign", "member", "opportunity", "role"]
    assert set(kinds[-2:]) == {"task", "event"}


def test_a_circle_is_refused(tmp_path: Path) -> None:
    rules = build(loaded(tmp_path))
    account = next(each for each in rules.objects.values() if each.kind == "account")
    people = {obj: mapping for obj, mapping in rules.objects.items() if mapping.is_person}
    owner = replace(account.references[0], parent="person")
    bent = replace(account, fields=(*(each for each in account.fields if each is not account.references[0]), owner))
    objects: dict[Any, Any] = {**people, next(obj for obj, each in rules.objects.items() if each is account): bent}
    with pytest.raises(ValueError, match="circle"):
        order(objects, STANDARD)


def test_few_people_are_read_page_by_page_and_many_by_extracts() -> None:
    few, many = (people_part("person", rows, 500.0, 0, 2 * RANGE_MS - 1) for rows in (900, 200_000))
    assert (few.by, few.jobs, few.calls) == ("rest", 0, 7)
    assert (many.by, many.jobs, many.bytes) == ("bulk", 2, 100_000_000)
    assert many.calls < 2 * 200_000 / 300


def test_old_people_over_many_years_are_dear_in_jobs() -> None:
    part = people_part("person", 5_000, 500.0, 0, 3650 * _DAY_MS)
    assert part.by == "rest"


def test_the_shortest_allowance_decides_how_long_it_takes() -> None:
    parts = [salesforce_part("lead", 200_000, 300.0), people_part("person", 3_000_000, 500.0, 0, RANGE_MS - 1)]
    told = quoted(parts, Matches(people=200_000, alone=100_000), LIMITS, others_to_marketo=0, since_ms=0, until_ms=1)
    assert told.limit == "Marketo's bytes of extracts a day"
    assert told.hours == pytest.approx(48.0), "1.5 GB at 500 MB a day: two more days"
    assert told.marketo_writes == 100_000
    assert told.write_calls[MARKETO] >= 100_000 // 300
    assert told.read_calls[SALESFORCE] == 23


def test_a_day_without_calls_left_waits_for_the_next() -> None:
    parts = [members_part("member", 20, 50_000, 60.0)]
    spent = Limits(salesforce_left=0, salesforce_day=10_000, marketo_left=0, marketo_day=50_000)
    told = quoted(parts, Matches(), spent, others_to_marketo=0, since_ms=0, until_ms=1)
    assert (told.limit, told.hours) == ("Marketo's calls a day", 24.0)


def test_what_comes_back_in_marketos_feed_is_part_of_the_price() -> None:
    matches = Matches(people=4_000, alone=1_000, to_marketo=2_000, marketo_fields=9_000, made_in_salesforce=1_000)
    told = quoted([], matches, LIMITS, others_to_marketo=90, since_ms=0, until_ms=1)
    writes, lookups = 4 + 10 + 1, 2 * 4
    assert told.write_calls[MARKETO] == writes + lookups + 2 * 40, "12,000 activities, in the changes and among the deletions"
    assert told.marketo_writes == 1_000 + 3_000 + 90


def _copy(state: State, ran_ms: int) -> Copy:
    parts = [salesforce_part("lead", 1_000, 100.0), people_part("person", 900, 100.0, 0, 1)]
    quote = quoted(parts, Matches(), LIMITS, others_to_marketo=0, since_ms=0, until_ms=1)
    return Copy(id=3, state=state, began_ms=1, ended_ms=None, ran_ms=ran_ms, trouble="", quote=quote)


def test_progress_is_of_rows_at_the_rate_of_its_own_time() -> None:
    marks = {
        "copy.salesforce.lead": '{"object":"lead","job":"1","rows":600,"total":1100,"calls":4,"bytes":700}',
        "copy.marketo.person": '{"rows":400,"done":true,"calls":5}',
    }
    told = progress(_copy(State.RUNNING, 10_000), marks, owed=7)
    assert (told.rows, told.expected, told.rate) == (1_000, 1_500, 100.0)
    assert told.left_seconds == pytest.approx(5.0)
    assert told.share == pytest.approx(2 / 3)
    assert told.calls == {"salesforce": 4, "marketo": 5}
    assert [step.done for step in told.steps] == [False, True]


def test_progress_of_one_that_has_not_begun_has_no_rate() -> None:
    told = progress(_copy(State.RUNNING, 0), {}, owed=0)
    assert (told.rate, told.left_seconds, told.share) == (0.0, None, 0.0)
    assert progress(_copy(State.DONE, 0), {}, owed=0).share == 1.0
