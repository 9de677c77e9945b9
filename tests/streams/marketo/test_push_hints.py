"""Hints: looked for until the log shows them, and relied on only where they come before whatever it shows."""

import pytest

from streams.marketo.sources.push.hints import DISTRUST_SECONDS, Hint, Hints

NORMAL, QUIET = 5.0, 30.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hints(clock: Clock) -> Hints:
    made = Hints(quiet_seconds=QUIET, monotonic=clock)
    made.hearing = True
    return made


def row(lead: int, guid: str = "g") -> dict[str, object]:
    return {"leadId": lead, "marketoGUID": guid, "activityTypeId": 13}


def confirmed(hints: Hints) -> Hints:
    """One hint has come before its change."""
    hints.told([Hint("1")])
    hints.look()
    hints.shown([row(1)], {"1"})
    assert hints.trusted
    return hints


def test_without_hints_nothing_is_other_than_before(hints: Hints) -> None:
    hints.look()
    hints.shown([row(1)], set())
    assert (hints.trusted, hints.rest(NORMAL, news=False)) == (False, NORMAL)


def test_a_hint_wakes_and_is_looked_for_at_once(hints: Hints, clock: Clock) -> None:
    woken: list[int] = []
    hints.wake = lambda: woken.append(1)
    hints.look()
    clock.now += 1
    hints.told([Hint("1")])
    assert (len(woken), hints.rest(NORMAL, news=False)) == (1, 0.0)


def test_what_the_log_does_not_show_yet_is_looked_for_again_further_and_further_apart(hints: Hints, clock: Clock) -> None:
    hints.told([Hint("1", "late")])
    waits = []
    while hints.wanted:
        hints.look()
        hints.shown([row(1, "other")], set())
        waits.append(hints.rest(NORMAL, news=True))
        clock.now += waits[-1]
    assert waits[:5] == [0.25, 0.5, 1.0, 2.0, 4.0]
    assert set(waits[5:]) == {NORMAL}, "never less often than without it"


def test_an_activity_is_told_by_its_name_and_a_person_by_any_of_hers(hints: Hints) -> None:
    hints.told([Hint("1", "a"), Hint("2")])
    hints.look()
    hints.shown([row(1, "b"), row(2, "c")], set())
    assert hints.wanted == 1
    hints.shown([row(1, "a")], set())
    assert hints.wanted == 0


def test_a_reading_that_was_under_way_already_may_have_missed_it(hints: Hints) -> None:
    hints.look()
    hints.told([Hint("2"), Hint("3", "c")])
    hints.shown([row(2, "b"), row(3, "c")], set())
    assert hints.wanted == 1, "the named one was shown, of the other nobody knows"
    hints.rest(NORMAL, news=True)
    hints.look()
    hints.told([Hint("2")])
    hints.shown([row(2, "b")], set())
    assert hints.wanted == 1, "told anew meanwhile"
    hints.look()
    hints.shown([row(2, "b")], set())
    assert hints.wanted == 0


def test_a_hint_about_something_that_the_log_never_tells_is_forgotten(hints: Hints, clock: Clock) -> None:
    hints.told([Hint("1")])
    clock.now += 9
    hints.look()
    hints.shown([], set())
    assert (hints.rest(NORMAL, news=False), hints.wanted) == (NORMAL, 0)


def test_looks_are_far_apart_where_hints_come_before_whatever_is_shown(hints: Hints) -> None:
    confirmed(hints)
    assert (hints.rest(NORMAL, news=True), hints.rest(NORMAL, news=False)) == (NORMAL, QUIET)
    assert hints.rest(QUIET * 2, news=False) == QUIET * 2, "the day's calls count for more"


def test_hints_that_can_not_be_heard_are_not_relied_on(hints: Hints) -> None:
    confirmed(hints).hearing = False
    assert (hints.trusted, hints.rest(NORMAL, news=False)) == (False, NORMAL)


def test_one_change_that_nothing_hinted_at_ends_it(hints: Hints, clock: Clock) -> None:
    confirmed(hints)
    hints.look()
    hints.shown([row(2)], {"2"})
    clock.now += 31
    assert hints.rest(NORMAL, news=False) == NORMAL
    assert not hints.trusted
    clock.now += DISTRUST_SECONDS
    assert confirmed(hints).rest(NORMAL, news=False) == QUIET


def test_a_hint_may_come_a_moment_after_its_change(hints: Hints, clock: Clock) -> None:
    confirmed(hints)
    hints.look()
    hints.shown([row(2)], {"2"})
    clock.now += 15
    hints.told([Hint("2")])
    clock.now += 100
    hints.look()
    hints.shown([], set())
    assert (hints.trusted, hints.rest(NORMAL, news=False)) == (True, QUIET)


def test_our_own_echoes_need_no_hint(hints: Hints, clock: Clock) -> None:
    confirmed(hints)
    hints.look()
    hints.shown([row(9)], set())
    clock.now += 100
    assert hints.rest(NORMAL, news=False) == QUIET


def test_many_hints_are_gathered_once_a_second_few_at_once(hints: Hints, clock: Clock) -> None:
    looks = 0
    for _ in range(200):
        hints.told([Hint("1")])
        if hints.breath() == 0:
            hints.look()
            looks += 1
        clock.now += 0.1
    assert 20 <= looks <= 30, "twenty seconds, and a few at once at the beginning"
