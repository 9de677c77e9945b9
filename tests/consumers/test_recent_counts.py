"""Counts of the last minutes are of the last minutes."""

from consumers.troubles.recent import Recent

MINUTE = 60_000


def test_counts_are_of_five_minutes() -> None:
    now = [0]
    recent = Recent(lambda: now[0])
    assert recent.counts() == {}
    recent.add({"accepted": 2})
    now[0] = 4 * MINUTE + MINUTE - 1
    recent.add({"accepted": 1, "lost": 3})
    assert recent.counts() == {"accepted": 3, "lost": 3}
    now[0] += 1
    assert recent.counts() == {"accepted": 1, "lost": 3}
    now[0] += 99 * MINUTE
    assert recent.counts() == {}
