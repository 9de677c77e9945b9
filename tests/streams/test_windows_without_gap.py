"""Windows leave no gap: whatever the cycles' times, a row that becomes visible in time is read after it became visible."""

from hypothesis import assume, given
from hypothesis import strategies as st

from streams.relay.windows import Window, next_window

LAG, OVERLAP = 60_000, 600_000


def test_the_first_window_is_everything_up_to_the_lag() -> None:
    assert next_window(None, 1_000_500, lag_ms=LAG, overlap_ms=OVERLAP) == Window(start_ms=0, end_ms=940_000, done_ms=940_000)


def test_nothing_is_due_before_a_second_has_passed() -> None:
    assert next_window(940_000, 1_000_999, lag_ms=LAG, overlap_ms=OVERLAP) is None
    assert next_window(940_000, 1_001_000, lag_ms=LAG, overlap_ms=OVERLAP) == Window(start_ms=340_000, end_ms=941_000, done_ms=941_000)


def test_a_clock_that_goes_back_does_not_take_the_watermark_along() -> None:
    assert next_window(940_000, 500_000, lag_ms=LAG, overlap_ms=OVERLAP) is None
    widened = next_window(940_000, 500_000, lag_ms=LAG, overlap_ms=OVERLAP, widen_to_ms=100_000)
    assert widened == Window(start_ms=100_000, end_ms=940_000, done_ms=940_000)


def test_a_gap_widens_even_when_nothing_is_new_and_reaches_to_now() -> None:
    widened = next_window(940_000, 1_000_700, lag_ms=LAG, overlap_ms=OVERLAP, widen_to_ms=5_400)
    assert widened == Window(start_ms=5_000, end_ms=1_000_000, done_ms=940_000)
    later = next_window(940_000, 1_000_000, lag_ms=LAG, overlap_ms=OVERLAP, widen_to_ms=900_000)
    assert later == Window(start_ms=340_000, end_ms=1_000_000, done_ms=940_000)
    first = next_window(None, 1_000_000, lag_ms=LAG, overlap_ms=OVERLAP, widen_to_ms=900_000)
    assert first == Window(start_ms=0, end_ms=1_000_000, done_ms=940_000)


@given(
    steps=st.lists(st.integers(1, 2_000_000), min_size=2, max_size=30),
    stamp=st.integers(0, 40_000),
    late=st.integers(0, LAG + OVERLAP),
    lag=st.integers(0, 120_000),
    overlap=st.integers(0, 1_200_000),
    widened=st.integers(0, 2**30),
)
def test_a_row_is_read_once_visible(steps: list[int], *, stamp: int, late: int, lag: int, overlap: int, widened: int) -> None:
    """Some of the cycles are widened by a gap: they read to now, and are done no further than the others."""
    stamp, late = stamp * 1000, min(late, lag + overlap) // 1000 * 1000
    visible = stamp + late
    now, done, reads = 0, None, []
    for number, step in enumerate([*steps, stamp + late + lag + 2000]):
        now += step
        window = next_window(done, now, lag_ms=lag, overlap_ms=overlap, widen_to_ms=now if widened >> number & 1 else None)
        if window is not None:
            reads += [now] if window.holds(stamp) and now >= visible else []
            done = window.done_ms
    assert reads


@given(steps=st.lists(st.integers(0, 500_000), min_size=1, max_size=40), widen=st.none() | st.integers(0, 10_000_000))
def test_new_parts_join_without_gap_or_step_back(steps: list[int], widen: int | None) -> None:
    now, done = 10_000_000, None
    for step in steps:
        now += step
        window = next_window(done, now, lag_ms=LAG, overlap_ms=OVERLAP, widen_to_ms=widen)
        if window is None:
            continue
        assert window.start_ms % 1000 == window.end_ms % 1000 == 0
        assert window.done_ms <= window.end_ms
        assert window.done_ms <= now - LAG
        assert window.end_ms == (window.done_ms if widen is None else now // 1000 * 1000)
        if done is not None:
            assert window.start_ms <= done <= window.done_ms
            assert widen is None or window.start_ms <= widen
        done = window.done_ms
    assume(done is not None)
