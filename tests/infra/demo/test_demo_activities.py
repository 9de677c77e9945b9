"""The check of tasks and meetings: each that is with somebody stands in that person's history, once, as it was at some moment."""

from typing import Any

import pytest

from infra.demo.checker.comparison import Compared
from infra.demo.checker.history import Line, Mirror
from infra.demo.checker.table import ACTIVITY, EVENT, MARKETO, PERSON, SALESFORCE, TASK
from infra.demo.checker.told import add_told

LEAD = "00Q000000000001AAA"


def history(*lines: tuple[str, str, str, dict[str, Any] | None]) -> Compared:
    mirror, found = Mirror(), Compared()
    known = (MARKETO, PERSON, "7", {"sfLeadId": LEAD, "lastName": "Ada"})
    for n, (system, name, record_id, after) in enumerate((known, *lines), 1):
        mirror.take([Line(n=n, at_ms=n, system=system, actor="a", op="create", object=name, id=record_id, before=None, after=after)])
    add_told(mirror, found)
    return found


def task(record_id: str = "00T1", **after: Any) -> tuple[str, str, str, dict[str, Any]]:
    return SALESFORCE, TASK, record_id, {"Subject": "Call", "WhoId": LEAD, **after}


def activity(record_id: str = "00T1", lead: int = 7, subject: str = "Call", **attributes: Any) -> tuple[str, str, str, dict[str, Any]]:
    after = {"leadId": lead, "primaryAttributeValue": subject, "attributes": {"Salesforce Id": record_id, **attributes}}
    return MARKETO, ACTIVITY, "1", after


def test_what_is_told_once_is_fine_whatever_became_of_it() -> None:
    found = history(task(), activity(), (SALESFORCE, TASK, "00T1", {"Subject": "Else"}), (SALESFORCE, TASK, "00T1", None))
    assert (found.differences, found.duplicates, len(found.activities), found.fields_compared[TASK]) == ([], [], 1, 7)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ([task()], "not in anybody's history"),
        ([task(), activity(lead=8)], "told of somebody else"),
        ([task(), activity(subject="Other")], "says what its record never said"),
        ([task(Priority="High"), activity(Priority="Low")], "says what its record never said"),
        ([task(), activity(), activity("00T2")], "told of nobody's record"),
        ([task(IsRecurrence=True), activity()], "told of nobody's record"),
        ([task(WhoId=None), activity()], "told of nobody's record"),
    ],
)
def test_what_is_wrong_is_found(lines: list[tuple[str, str, str, dict[str, Any]]], what: str) -> None:
    found = history(*lines)
    assert [each.what for each in found.differences] == [what]


def test_what_is_told_twice_is_found() -> None:
    assert [each.what for each in history(task(), activity(), activity()).duplicates] == ["told twice"]


def test_a_series_and_what_is_with_nobody_are_not_waited_for() -> None:
    copy = (SALESFORCE, EVENT, "00U1", {"Subject": "Meet", "WhoId": LEAD, "IsChild": True})
    found = history(task(WhoId=None), task("00T2", IsRecurrence=True), copy)
    assert (found.differences, found.activities) == ([], [])
