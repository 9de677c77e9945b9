"""Calls that aren't full: at once while calls are plenty, never so many that one has to wait long for a place."""

from random import Random
from statistics import mean

import pytest

from consumers.settle.conditions.pace import BucketPace, WindowPace

CALLS, SECONDS = 100, 20.3


class Instance:
    """A system's window, its calls, and a worker that writes whenever its pace lets it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[float] = []
        self.pace = WindowPace(calls=CALLS, window_seconds=SECONDS, leaving=self.leaving)

    def leaving(self) -> list[float]:
        return [at + SECONDS - self.now for at in self.calls[-CALLS - 10 :] if at + SECONDS > self.now]

    def run(self, seconds: float, edits_per_second: float, polls_per_second: float) -> list[float]:
        """How long edits had to wait, once the start is over. Edits come by chance, others' calls with every turn of a clock."""
        chance, step, waiting, waited, next_poll = Random(1), 0.01, [], [], 0.0
        while self.now < seconds:
            self.now += step
            if polls_per_second and self.now >= next_poll:
                self.call()
                next_poll = self.now + 1 / polls_per_second
            if chance.random() < edits_per_second * step:
                waiting.append(self.now)
            if waiting and self.pace.wait(self.now) <= 0 and len(self.leaving()) < CALLS:
                self.call()
                self.pace.spend(self.now, len(waiting))
                waited += [self.now - at for at in waiting if self.now > 2 * SECONDS]
                waiting = []
        return waited

    def call(self) -> None:
        self.calls.append(self.now)
        assert len(self.leaving()) <= CALLS or self.now < 2 * SECONDS, "others found no place"


@pytest.mark.parametrize("edits_per_second", [1.0, 5.0, 100.0])
@pytest.mark.parametrize("polls_per_second", [0.0, 1.5])
def test_a_trickle_never_stalls_and_leaves_others_their_places(edits_per_second: float, polls_per_second: float) -> None:
    waited = Instance().run(80, edits_per_second, polls_per_second)
    even = SECONDS / (CALLS - polls_per_second * SECONDS)
    assert max(waited) <= even * 1.35
    assert mean(waited) <= even * 0.65


@pytest.mark.parametrize("edits_per_second", [3.0, 4.0])
def test_edits_that_come_more_slowly_than_calls_may_go_do_not_wait(edits_per_second: float) -> None:
    assert mean(Instance().run(80, edits_per_second, 0.3)) <= 0.02


def test_of_edits_that_come_as_fast_as_calls_most_go_at_once() -> None:
    waited = sorted(Instance().run(120, 5.0, 0.3))
    assert waited[len(waited) // 2] <= 0.1
    assert waited[len(waited) * 4 // 10] <= 0.04


def test_a_call_goes_at_once_while_calls_are_plenty() -> None:
    instance = Instance()
    for _ in range(20):
        assert instance.pace.wait(instance.now) == 0
        assert instance.pace.easy(instance.now)
        instance.call()
        instance.pace.spend(instance.now)
        instance.now += 0.05


def test_calls_are_not_plenty_once_a_good_part_of_the_window_is_used() -> None:
    instance = Instance()
    for _ in range(40):
        instance.call()
    assert not instance.pace.easy(instance.now)
    assert instance.pace.wait(instance.now) == 0, "nothing of ours went out: the first call may go"
    for _ in range(2):
        instance.pace.spend(instance.now, 9)
    assert instance.pace.wait(instance.now) > 0


def test_what_others_call_leaves_less_for_us() -> None:
    alone, crowded = Instance(), Instance()
    for instance, others in ((alone, 0), (crowded, 50)):
        for _ in range(others):
            instance.call()
        for _ in range(40):
            instance.call()
            instance.pace.spend(instance.now, 3)
            instance.now += 0.2
    assert crowded.pace.wait(crowded.now) > alone.pace.wait(alone.now)


def test_a_bucket_lets_a_burst_go_and_then_a_rate() -> None:
    pace = BucketPace(burst=3, per_second=2)
    now = 10.0
    for _ in range(3):
        assert pace.wait(now) == 0
        pace.spend(now)
    assert not pace.easy(now)
    assert pace.wait(now) == pytest.approx(0.5)
    assert pace.wait(now + 0.5) == 0
    assert pace.easy(now + 60)
