"""What the people of the demo do with tasks: only with those that are still there."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from infra.demo.checker.history import Line, Mirror
from infra.demo.checker.table import EVENT, LEAD, SALESFORCE, TASK
from infra.demo.scenario.diary import Diary
from infra.demo.scenario.systems import Systems

PREFIX = {TASK: "00T", EVENT: "00U"}


class Org(Systems):
    """Takes everything, and remembers which records were touched."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.touched: set[str] = set()

    async def verb(self, path: str, body: Any = None) -> Any:
        if path == "salesforce/create":
            self.made[body["object"]] += 1
            return {"id": f"{PREFIX[body['object']]}{self.made[body['object']]:03d}"}
        self.touched.add(body["id"])
        return {}


def line(n: int, name: str, record_id: str, after: dict[str, Any] | None) -> Line:
    return Line(n=n, at_ms=n, system=SALESFORCE, actor="a", op="any", object=name, id=record_id, before=None, after=after)


@pytest.mark.parametrize("seed", range(5))
async def test_a_task_that_went_with_its_person_is_left_alone(seed: int) -> None:
    org, mirror = Org(), Mirror()
    mirror.take(line(n, LEAD, f"00Q{n:03d}", {"LastName": "Ada"}) for n in range(20))
    diary = Diary(org, mirror, Random(seed))
    await diary.write(tasks=12)
    gone = {f"00T{n:03d}" for n in range(1, 7)}
    mirror.take(line(100 + n, TASK, each, None) for n, each in enumerate(sorted(gone)))
    await diary.edit()
    assert len(org.touched) == 6
    assert not org.touched & gone
