"""An allowance of any 24 hours: whether it lasts."""

import pytest

from streams.budget.reckoning.allowance import Allowance, told

NOW, MINUTE = 1_800_000_000_000, 60_000


def asked(*used: int, most: int = 50_000, every_ms: int = 5 * MINUTE) -> Allowance:
    known: Allowance | None = None
    for number, each in enumerate(used):
        known = told(known, most, each, NOW + number * every_ms)
    assert known is not None
    return known


@pytest.mark.parametrize("used", [(0,), (49_000,), (10_000, 10_000, 10_000), (40_000, 39_000, 38_500), (100, 200, 300)])
def test_it_lasts(used: tuple[int, ...]) -> None:
    assert asked(*used).used_up_ms is None


def test_at_this_rate_it_is_used_up() -> None:
    known = asked(10_000, 12_500, 15_000, 17_500)
    assert known.rate == pytest.approx(2_500 / 300)
    assert known.used_up_ms == known.at_ms + round(32_500 / known.rate * 1000)


def test_nothing_is_left() -> None:
    known = asked(40_000, 50_000)
    assert (known.left, known.used_up_ms) == (0, known.at_ms)


def test_a_burst_is_no_rate_and_what_is_long_ago_none_either() -> None:
    assert asked(0, 60, every_ms=1_000).used_up_ms is None
    known = asked(*range(0, 30_000, 300))
    assert len(known.samples) == 24
    assert known.rate == pytest.approx(1.0)


def test_it_is_saved_from_short_to_plenty_where_it_can_be() -> None:
    known: Allowance | None = None
    saved = []
    for number, used in enumerate((100, 790, 810, 700, 510, 490, 600)):
        known = told(known, 1_000, used, NOW + number * 86_400_000, can_save=True)
        saved.append(known.saving)
    assert saved == [False, False, True, True, True, False, False]
    assert not told(None, 1_000, 990, NOW).saving, "there is no way to"


def test_what_will_not_last_is_saved_once_half_of_it_is_gone() -> None:
    before = told(None, 50_000, 20_000, NOW)
    assert not told(before, 50_000, 21_000, NOW + 5 * MINUTE, can_save=True).saving
    before = told(None, 50_000, 30_000, NOW)
    assert told(before, 50_000, 31_000, NOW + 5 * MINUTE, can_save=True).saving
