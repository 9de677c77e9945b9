"""The interval between two looks at the feed."""

import pytest

from streams.marketo.sources.pace import Pace


def test_short_while_things_change_longer_while_nothing_does() -> None:
    pace = Pace(min_seconds=1, max_seconds=10, calls_per_day_max=50_000)
    busy = [pace.after(changes=3, calls=2, now=float(now)) for now in range(1, 4)]
    idle = [pace.after(changes=0, calls=1, now=float(now)) for now in range(10, 20)]
    assert busy == [1, 1, 1]
    assert idle == sorted(idle)
    assert idle[-1] == 10
    assert pace.after(changes=1, calls=2, now=30.0) == 1
    assert pace.after(changes=0, echoes=5, calls=2, now=31.0) == 4.0


def test_a_busy_day_stays_within_its_share() -> None:
    pace = Pace(min_seconds=1, max_seconds=30, calls_per_day_max=8_640)
    now, calls = 1.0, 0
    while now < 86_400:
        calls += 2
        now += pace.after(changes=1, calls=2, now=now)
    assert 0.9 * 8_640 < calls < 8_640 + 8_640 / 24 + 4


def test_it_never_waits_longer_than_allowed_however_much_was_spent() -> None:
    pace = Pace(min_seconds=1, max_seconds=20, calls_per_day_max=8_640)
    assert pace.after(changes=1, calls=100_000, now=1.0) == 20


def test_an_interval_that_the_share_cannot_pay_is_refused() -> None:
    with pytest.raises(ValueError, match="does not pay for a poll every 10 s"):
        Pace(max_seconds=10, calls_per_day_max=1_000)
    with pytest.raises(ValueError, match="interval must grow"):
        Pace(min_seconds=5, max_seconds=2)
