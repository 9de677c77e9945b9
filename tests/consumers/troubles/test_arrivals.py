"""How long edits took, from counts by class."""

import pytest

from consumers.troubles.arrivals import NONE_ARRIVED, Arrivals, counted, told_apart


@pytest.mark.parametrize(
    ("took", "p50", "p99"),
    [
        ([40], 50, 50),
        ([50, 51], 50, 100),
        ([*[300] * 99, 9_000], 300, 300),
        ([*[300] * 98, 9_000, 9_000], 300, 10_000),
        ([1, 800, 999_999_999], 1_000, 86_400_000),
    ],
)
def test_half_of_them_and_all_but_one_in_a_hundred(took: list[int], p50: int, p99: int) -> None:
    assert told_apart(counted(took)) == ({}, Arrivals(edits=len(took), p50_ms=p50, p99_ms=p99))


def test_the_other_counts_stay_as_they_are() -> None:
    assert told_apart({"accepted": 3}) == ({"accepted": 3}, NONE_ARRIVED)
    others, arrived = told_apart({"accepted": 3, **counted([40, 40])})
    assert (others, arrived.edits) == ({"accepted": 3}, 2)
