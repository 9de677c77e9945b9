"""A gap is covered by the first complete cycle that ends long enough after the poll was told of it, and never before."""

from hypothesis import given
from hypothesis import strategies as st

from streams.relay.readback import ReadBack

LAG = 60_000


def test_told_twice_is_told_once() -> None:
    owed = ReadBack(LAG)
    assert [owed.tell(1, 5_000), owed.tell(1, 4_000), owed.tell(2, 9_000)] == [True, False, True]
    assert owed.since_ms == 5_000


def test_a_cycle_of_before_it_was_told_covers_nothing() -> None:
    owed = ReadBack(LAG)
    owed.tell(1, 5_000)
    assert owed.read(0, 500_000, next_ms=400_000) == ()
    assert owed.since_ms == 400_000, "but what it has read is not read again"


def test_a_cycle_that_begins_too_late_covers_nothing() -> None:
    owed = ReadBack(LAG)
    owed.tell(1, 5_000)
    owed.look(100_000)
    assert owed.read(6_000, 500_000, next_ms=400_000) == ()
    assert owed.since_ms == 5_000


def test_the_wait_is_until_the_first_gap_can_be_covered() -> None:
    owed = ReadBack(LAG)
    assert owed.wait_ms(0) is None
    owed.tell(1, 5_000)
    owed.look(100_000)
    owed.tell(2, 5_000)
    owed.look(130_000)
    assert owed.wait_ms(100_000) == LAG
    assert owed.wait_ms(140_000) == 20_000
    assert owed.read(0, 160_000, next_ms=90_000) == (1,)
    assert owed.wait_ms(160_000) == 30_000
    assert owed.read(90_000, 190_000, next_ms=90_000) == (2,)
    assert owed.wait_ms(190_000) is None


@given(
    told=st.integers(0, 300_000),
    steps=st.lists(st.integers(1_000, 90_000), min_size=4, max_size=12),
    lost=st.integers(0, 299_000),
    late=st.integers(0, LAG),
)
def test_what_was_lost_has_been_read_when_its_gap_is_covered(told: int, steps: list[int], lost: int, late: int) -> None:
    """A row stamped `lost` is visible `late` after that; the gap is opened once the stream has gone by it, and told of then or later."""
    lost = min(lost, told)
    owed, now, done, seen, since = ReadBack(LAG), 0, 0, False, max(0, lost - 1_000)
    for step in [*steps, told + 2 * LAG, 2 * LAG, 2 * LAG]:
        now += step
        if now >= told and not seen:
            owed.tell(1, since)
        owed.look(now)
        begin = done if owed.since_ms is None else min(done, owed.since_ms)
        end = now if owed.since_ms is not None else max(done, now - LAG)
        read = begin <= lost < end and now >= lost + late
        seen = seen or read
        done = max(done, now - LAG)
        for gap in owed.read(begin, end, next_ms=done):
            assert gap == 1
            assert seen
            return
    assert owed.since_ms is None
