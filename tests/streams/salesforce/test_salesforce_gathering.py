"""Which reads go together, in how many calls."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.budget.port import Lane
from streams.salesforce.api.access.session import Answer
from streams.salesforce.api.gathering import CLOCK, PARTS_MAX, QUERIES_MAX, Gathering, Part, shared_out
from streams.wire.errors import Reject, Retry, SyncError


def part(path: str) -> Part:
    return Part(path=path, params={}, headers={})


PATHS = st.lists(st.sampled_from(["/v/query", "/v/queryAll", "/v/sobjects/Lead/deleted/", CLOCK]), max_size=80)


@given(paths=PATHS)
def test_calls_hold_what_they_may_in_its_order(paths: list[str]) -> None:
    asked = [(part(path), None) for path in paths]
    calls = shared_out(asked)  # type: ignore[arg-type]
    told = [id(each) for call in calls for each in call]
    assert sorted(told) == sorted(map(id, asked))
    clocks = [call for call in calls if any(each[0].path == CLOCK for each in call)]
    assert len(clocks) <= 1
    assert all(each[0].path == CLOCK for call in clocks for each in call)
    others = [call for call in calls if call not in clocks]
    assert [id(each) for call in others for each in call] == [id(each) for each in asked if each[0].path != CLOCK]
    for call in others:
        assert 0 < len(call) <= PARTS_MAX
        assert sum(each[0].is_query for each in call) <= QUERIES_MAX
    for call, following in pairwise(others):
        assert len(call) == PARTS_MAX or (sum(each[0].is_query for each in call) == QUERIES_MAX and following[0][0].is_query)


class Org:
    """Answers with the path; what it is asked is kept."""

    def __init__(self, whole: Exception | None = None) -> None:
        self.calls: list[list[str]] = []
        self._whole = whole

    async def together(self, parts: Sequence[Part], lane: Lane) -> list[Answer | SyncError]:
        self.calls.append([each.path for each in parts])
        if self._whole is not None:
            raise self._whole
        return [Reject("no", code="NO") if each.path == "bad" else self._answer(each) for each in parts]

    async def alone(self, part: Part, lane: Lane) -> Answer:
        self.calls.append([part.path])
        if part.path == "bad":
            raise Reject("no", code="NO")
        return self._answer(part)

    def _answer(self, part: Part) -> Answer:
        return Answer(status=200, headers={}, body=part.path.encode())


async def asked(org: Org, *paths: str, lane: Lane = Lane.REPAIR) -> list[str]:
    gathering = Gathering(org.together, org.alone)
    found = await asyncio.gather(*(gathering.answer(part(path), lane) for path in paths), return_exceptions=True)
    return [each.body.decode() if isinstance(each, Answer) else f"{type(each).__name__} {each}" for each in found]


async def test_each_is_told_its_own_answer() -> None:
    org = Org()
    assert await asked(org, "a", "bad", "b") == ["a", "Reject no", "b"]
    assert org.calls == [["a", "bad", "b"]]


@pytest.mark.parametrize("path", ["a", "bad"])
async def test_a_single_one_is_sent_as_it_is(path: str) -> None:
    org = Org()
    assert await asked(org, path) == ["Reject no" if path == "bad" else "a"]
    assert org.calls == [[path]]


async def test_where_they_may_not_go_together_each_is_sent_alone() -> None:
    org = Org(Reject("not in this edition", code="FUNCTIONALITY_NOT_ENABLED"))
    assert await asked(org, "a", "bad", "b") == ["a", "Reject no", "b"]
    assert org.calls == [["a", "bad", "b"], ["a"], ["bad"], ["b"]]


async def test_what_passes_is_told_to_everyone() -> None:
    org = Org(Retry("away"))
    assert await asked(org, "a", "b") == ["Retry away"] * 2
    assert org.calls == [["a", "b"]]


async def test_who_does_not_wait_any_more_is_not_asked_for() -> None:
    org = Org()
    gathering = Gathering(org.together, org.alone)
    gone, stays = (asyncio.create_task(gathering.answer(part(path), Lane.REPAIR)) for path in ("gone", "stays"))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).body == b"stays"
    assert org.calls == [["stays"]]


async def test_lanes_do_not_mix() -> None:
    org = Org()
    gathering = Gathering(org.together, org.alone)
    await asyncio.gather(gathering.answer(part("a"), Lane.LIVE), gathering.answer(part("b"), Lane.REPAIR))
    assert org.calls == [["a"], ["b"]]
