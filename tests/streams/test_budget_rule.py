"""The rule of the shared budget, in virtual time: several workers, nobody asleep."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import pairwise
from random import Random

import msgspec
import pytest

from streams.budget.port import LANES, MISSED
from streams.budget.reckoning import day
from streams.budget.reckoning.limits import MARKETO, SALESFORCE, Limits
from streams.budget.reckoning.rule import NONE, Asking, ByLane, Leave, ask
from streams.budget.reckoning.state import BudgetState

START = 1_700_000_000_000
LIVE, REPAIR = (1, 0, 0, 0, 0), (0, 1, 0, 0, 0)


def plus(left: ByLane, right: ByLane, sign: int = 1) -> ByLane:
    return by_number(lambda lane: left[lane] + sign * right[lane])


def by_number(count: Callable[[int], int]) -> ByLane:
    return count(0), count(1), count(2), count(3), count(4)


@dataclass
class Crowd:
    """Workers that always want so many calls of a lane, each call lasting so long, on a clock that jumps from event to event."""

    limits: Limits
    wants: dict[str, ByLane]
    call_ms: int = 150
    state: BudgetState = field(default_factory=BudgetState)
    now: int = START
    holding: Counter[str] = field(default_factory=Counter)
    granted: list[tuple[int, str, int]] = field(default_factory=list)
    asks: int = 0
    wide: int = 0

    def run(self, seconds: float, extra: list[tuple[int, str, ByLane]] | None = None) -> None:
        """Each worker asks when it starts, when a call of its ends and when it was told to; `extra`: calls wanted once, from then on."""
        queue: list[tuple[int, int, str, str, ByLane]] = []
        order, wakes, owed = 0, dict[str, int](), dict[str, ByLane]()
        for at, worker, want in [*((self.now, worker, NONE) for worker in self.wants), *(extra or [])]:
            heappush(queue, (at, order := order + 1, worker, "want", want))
        end = self.now + int(seconds * 1000)
        while queue and queue[0][0] <= end:
            self.now, number, worker, what, more = heappop(queue)
            if what == "wake" and wakes[worker] != number:
                continue
            self.holding[worker] -= what == "done"
            owed[worker] = plus(owed.get(worker, NONE), more)
            leave = self.ask(Asking(worker=worker, holding=self.holding[worker], want=plus(self.wants.get(worker, NONE), owed[worker])))
            if worker not in self.wants:
                owed[worker] = plus(owed[worker], leave.granted, -1)
            self.holding[worker] += sum(leave.granted)
            self.wide = max(self.wide, sum(self.holding.values()))
            for lane, calls in enumerate(leave.granted):
                self.granted += [(self.now, worker, lane)] * calls
            for _ in range(sum(leave.granted)):
                heappush(queue, (self.now + self.call_ms, order := order + 1, worker, "done", NONE))
            if leave.wait_ms:
                wakes[worker] = order = order + 1
                heappush(queue, (self.now + leave.wait_ms, order, worker, "wake", NONE))

    def ask(self, asking: Asking) -> Leave:
        self.asks += 1
        self.state, leave = ask(self.state, self.limits, asking, self.now)
        return leave

    def most_in_a_window(self) -> int:
        times = [at for at, _, _ in self.granted]
        return max((bisect_left(times, at + self.limits.window_ms) - index for index, at in enumerate(times)), default=0)


def leave_now(state: BudgetState, asking: Asking, *, limits: Limits = MARKETO, now: int = START) -> tuple[BudgetState, Leave]:
    return ask(state, limits, asking, now)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("workers", [1, 4])
def test_every_lane_alone_uses_what_is_allowed_and_never_more(lane: int, workers: int) -> None:
    want = by_number(lambda each: 10 * (each == lane))
    crowd = Crowd(limits=MARKETO, wants={f"w{number}": want for number in range(workers)})
    crowd.run(203)
    assert crowd.most_in_a_window() <= 100
    assert crowd.wide <= 10
    assert len(crowd.granted) >= 0.97 * 5 * 203


def test_workers_of_one_lane_get_their_share() -> None:
    crowd = Crowd(limits=MARKETO, wants={f"w{number}": (0, 10, 0, 0, 0) for number in range(4)})
    crowd.run(203)
    shares = Counter(worker for _, worker, _ in crowd.granted)
    assert min(shares.values()) >= 0.7 * max(shares.values())


def test_a_live_call_hardly_waits_for_a_copy_that_takes_everything() -> None:
    crowd = Crowd(limits=MARKETO, wants={"copy": (0, 0, 10, 0, 0)})
    asked = [START + 60_000 + 700 * number for number in range(80)]
    crowd.run(150, [(at, "live", LIVE) for at in asked])
    served = [at for at, worker, lane in crowd.granted if worker == "live" and lane == 0]
    assert len(served) == 80
    assert max(got - at for at, got in zip(asked, served, strict=True)) <= 1_000
    assert crowd.most_in_a_window() <= 100


def test_a_live_lane_that_takes_everything_leaves_the_repair_lane_its_share_evenly() -> None:
    crowd = Crowd(limits=MARKETO, wants={"writes": (8, 0, 0, 0, 0), "feed": (0, 1, 0, 0, 0)})
    crowd.run(203)
    repairs = [at for at, _, lane in crowd.granted if lane == 1 and at > START + 40_000]
    assert 0.08 <= len(repairs) / sum(at > START + 40_000 for at, _, _ in crowd.granted) <= 0.12
    assert max(later - earlier for earlier, later in pairwise(repairs)) <= 3_000
    assert len(crowd.granted) >= 0.97 * 5 * 203
    assert crowd.most_in_a_window() <= 100


def test_a_call_that_goes_out_late_counts_from_then_on() -> None:
    state, leave = leave_now(BudgetState(), Asking(worker="a", want=(100, 0, 0, 0, 0)), limits=replace(MARKETO, places=100))
    late = START + 900
    state, _ = leave_now(state, Asking(worker="a", holding=100, moved=((leave.at, late), (leave.at, late))), now=late)
    after = START + MARKETO.window_ms
    state, leave = leave_now(state, Asking(worker="a", want=(100, 0, 0, 0, 0)), limits=replace(MARKETO, places=100), now=after)
    assert leave.granted == (98, 0, 0, 0, 0)
    _, leave = leave_now(state, Asking(worker="a", want=(2, 0, 0, 0, 0)), now=late + MARKETO.window_ms)
    assert leave.granted == (2, 0, 0, 0, 0)


def test_a_burst_of_live_calls_goes_at_once_as_far_as_places_allow() -> None:
    crowd = Crowd(limits=replace(MARKETO, places=100), wants={})
    leave = crowd.ask(Asking(worker="a", want=(100, 0, 0, 0, 0)))
    assert leave.granted == (100, 0, 0, 0, 0)
    leave = crowd.ask(Asking(worker="a", holding=100, want=LIVE))
    assert leave.granted == (0, 0, 0, 0, 0)
    assert leave.wait_ms == MARKETO.window_ms


def test_higher_lanes_of_other_workers_go_first() -> None:
    state = BudgetState(live=tuple(range(START - 20_000, START - 20_000 + 100)))
    state, leave = leave_now(state, Asking(worker="live", want=(3, 0, 0, 0, 0)))
    assert leave.wait_ms == 300
    later = START + 302
    state, leave = leave_now(state, Asking(worker="copy", want=(0, 0, 5, 0, 0)), now=later)
    assert leave.granted == (0, 0, 0, 0, 0)
    state, leave = leave_now(state, Asking(worker="live", want=(3, 0, 0, 0, 0)), now=later)
    assert leave.granted == (3, 0, 0, 0, 0)


def test_the_places_of_a_dead_worker_come_back() -> None:
    state, leave = leave_now(BudgetState(), Asking(worker="dead", want=(10, 0, 0, 0, 0)))
    assert leave.granted == (10, 0, 0, 0, 0)
    state, leave = leave_now(state, Asking(worker="alive", want=LIVE), now=START + 1)
    assert (leave.granted, leave.short) == ((0, 0, 0, 0, 0), True)
    state, leave = leave_now(state, Asking(worker="alive", want=LIVE), now=START + MARKETO.lease_ms + 1)
    assert leave.granted == (1, 0, 0, 0, 0)


def test_a_freed_place_is_told_to_those_who_wait() -> None:
    state, _ = leave_now(BudgetState(), Asking(worker="a", want=(10, 0, 0, 0, 0)))
    state, _ = leave_now(state, Asking(worker="b", want=LIVE), now=START + 1)
    state, leave = leave_now(state, Asking(worker="a", holding=9), now=START + 2)
    assert leave.freed
    state, leave = leave_now(state, Asking(worker="b", want=LIVE), now=START + 3)
    assert leave.granted == (1, 0, 0, 0, 0)


def test_a_short_refusal_is_waited_out() -> None:
    state, leave = leave_now(BudgetState(), Asking(worker="a", block_ms=20_000))
    assert leave.wait_ms == 0
    state, leave = leave_now(state, Asking(worker="b", want=LIVE), now=START + 500)
    assert (leave.granted, leave.probe, leave.wait_ms) == ((0, 0, 0, 0, 0), False, 19_500)
    state, leave = leave_now(state, Asking(worker="b", want=LIVE), now=START + 20_000)
    assert (leave.granted, leave.probe) == ((1, 0, 0, 0, 0), False)


def test_a_long_refusal_is_tried_now_and_then_and_ends_when_a_trial_gets_through() -> None:
    hours = 5 * 3_600_000
    state, _ = leave_now(BudgetState(), Asking(worker="a", block_ms=hours))
    state, leave = leave_now(state, Asking(worker="b", want=(3, 0, 0, 0, 0)), now=START + MARKETO.probe_ms)
    assert (leave.granted, leave.probe) == ((1, 0, 0, 0, 0), True)
    state, leave = leave_now(state, Asking(worker="c", want=LIVE), now=START + MARKETO.probe_ms + 1)
    assert leave.granted == (0, 0, 0, 0, 0)
    assert leave.quota_ms[0] == 2 * MARKETO.probe_ms - 1, "after a trial the next one waits twice as long"
    state, leave = leave_now(state, Asking(worker="b", want=(3, 0, 0, 0, 0), unblock=True), now=START + MARKETO.probe_ms + 2)
    assert (leave.granted, leave.probe) == ((3, 0, 0, 0, 0), False)


def test_the_day_ends_at_midnight_in_its_zone_also_when_clocks_change() -> None:
    limits = Limits(day_calls=10, day_zone="America/Chicago", day_reserve=0.0)
    new_years_eve = 1_767_247_200_000 - 1_000  # 2025-12-31 23:59:59 -06:00... one second before 2026-01-01 06:00 UTC
    state, leave = leave_now(BudgetState(), Asking(worker="a", want=(10, 0, 0, 0, 0)), limits=limits, now=new_years_eve)
    assert leave.granted == (10, 0, 0, 0, 0)
    state, leave = leave_now(state, Asking(worker="a", want=LIVE), limits=limits, now=new_years_eve)
    assert (leave.granted, leave.quota_ms[0]) == ((0, 0, 0, 0, 0), 1_000)
    _, leave = leave_now(state, Asking(worker="a", want=LIVE), limits=limits, now=new_years_eve + 1_000)
    assert leave.granted == (1, 0, 0, 0, 0)
    before_summer = 1_772_949_600_000  # 2026-03-08 00:00 -06:00: a day of 23 hours
    state, _ = leave_now(BudgetState(), Asking(worker="a", want=(10, 0, 0, 0, 0)), limits=limits, now=before_summer)
    _, leave = leave_now(state, Asking(worker="a", want=LIVE), limits=limits, now=before_summer)
    assert leave.quota_ms[0] == 23 * 3_600_000


def test_the_day_keeps_calls_for_the_live_lane() -> None:
    limits = Limits(day_calls=100, day_zone="America/Chicago", day_reserve=0.5, places=1_000)
    midnight = 1_767_247_200_000
    state, leave = leave_now(BudgetState(), Asking(worker="a", want=(0, 0, 100, 0, 0)), limits=limits, now=midnight)
    assert leave.granted == (0, 0, 50, 0, 0)
    assert leave.quota_ms[0] == 0
    assert leave.quota_ms[2] > 0
    state, leave = leave_now(state, Asking(worker="a", want=(0, 0, 100, 0, 0)), limits=limits, now=midnight + 12 * 3_600_000)
    assert leave.granted == (0, 0, 25, 0, 0)
    _, leave = leave_now(state, Asking(worker="a", want=(100, 0, 0, 0, 0)), limits=limits, now=midnight + 12 * 3_600_000)
    assert leave.granted == (25, 0, 0, 0, 0)


def test_salesforce_tells_how_much_is_left_of_a_rolling_day() -> None:
    state, leave = leave_now(BudgetState(), Asking(worker="a", want=(5, 0, 0, 0, 0), seen=(99, 100)), limits=SALESFORCE)
    assert leave.granted == (1, 0, 0, 0, 0)
    state, leave = leave_now(state, Asking(worker="a", want=LIVE), limits=SALESFORCE, now=START + 1)
    assert (leave.granted, leave.probe) == ((1, 0, 0, 0, 0), True), "nothing is known of the reset: one call finds out"
    state, leave = leave_now(state, Asking(worker="a", want=LIVE), limits=SALESFORCE, now=START + 2)
    assert leave.granted == (0, 0, 0, 0, 0)
    assert leave.quota_ms[0] > 0
    _, leave = leave_now(state, Asking(worker="a", want=LIVE, seen=(40, 100)), limits=SALESFORCE, now=START + 3)
    assert leave.granted == (1, 0, 0, 0, 0)


def test_others_on_the_account_have_their_share_of_the_day() -> None:
    limits = replace(MARKETO, calls=None, places=1_000, day_calls=100, others_share=0.2, day_reserve=0.0)
    state, leave = leave_now(BudgetState(), Asking(worker="a", want=(200, 0, 0, 0, 0)), limits=limits)
    assert leave.granted == (80, 0, 0, 0, 0)
    _, leave = leave_now(state, Asking(worker="a", want=LIVE), limits=limits)
    assert (leave.granted, leave.quota_ms[0] > 60_000) == (NONE, True), "till the end of the day, as if it were used up"


@pytest.mark.parametrize(("used", "granted"), [(5, 80), (20, 80), (50, 50)])
def test_what_others_have_used_counts_for_their_share(used: int, granted: int) -> None:
    limits = replace(MARKETO, calls=None, places=1_000, day_calls=100, others_share=0.2, day_reserve=0.0)
    told = day.today(limits, START).isoformat(), used
    state, leave = leave_now(BudgetState(), Asking(worker="a", want=(200, 0, 0, 0, 0), others=told), limits=limits)
    assert leave.granted == (granted, 0, 0, 0, 0)
    assert (state.day_used, state.day_others) == (granted + used, used)
    again, _ = leave_now(state, Asking(worker="a", others=told), limits=limits)
    assert again.day_used == state.day_used, "told twice it counts once"


def test_what_others_used_on_another_day_is_past() -> None:
    limits = replace(MARKETO, day_calls=100)
    state, _ = leave_now(BudgetState(), Asking(worker="a", others=("2001-01-01", 70)), limits=limits)
    assert (state.day_used, state.day_others) == (0, 0)
    state, _ = leave_now(BudgetState(), Asking(worker="a", others=(day.today(limits, START).isoformat(), 70)), limits=limits)
    assert state.day_others == 70
    state, _ = leave_now(state, Asking(worker="a"), limits=limits, now=START + day.DAY_MS)
    assert (state.day_used, state.day_others) == (0, 0)


def test_of_what_salesforce_tells_what_is_not_ours_is_others() -> None:
    limits = replace(SALESFORCE, others_share=0.5, places=1_000)
    state, leave = leave_now(BudgetState(), Asking(worker="a", want=(10, 0, 0, 0, 0), seen=(30, 100)), limits=limits)
    assert leave.granted == (10, 0, 0, 0, 0)
    state, leave = leave_now(state, Asking(worker="a", want=(200, 0, 0, 0, 0), seen=(45, 100)), limits=limits, now=START + 1)
    assert state.day_others == 35
    assert leave.granted == (40, 0, 0, 0, 0), "of the 55 that are left they may still use 15"
    later, _ = leave_now(state, Asking(worker="a", seen=(60, 100)), limits=limits, now=START + 26 * 3_600_000)
    assert later.day_others == 60, "what we called yesterday is none of these"


def test_a_clock_set_back_does_not_stop_everybody() -> None:
    state, _ = leave_now(BudgetState(), Asking(worker="a", want=(0, 10, 0, 0, 0)))
    _, leave = leave_now(state, Asking(worker="a", want=REPAIR), now=START - 3_600_000)
    assert leave.granted == (0, 1, 0, 0, 0)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_workers_want_the_limits_hold_and_everybody_gets_on(seed: int) -> None:
    random = Random(seed)
    limits = Limits(
        calls=random.choice([1, 2, 7, 100]),
        places=random.choice([1, 3, 10]),
        window_ms=random.choice([1_000, 20_300]),
        reserve=random.choice([0.0, 0.1, 0.5]),
    )
    most = (3, 3, 12, 3, 3)
    wants = {f"w{number}": by_number(lambda lane: random.randrange(most[lane])) for number in range(random.randint(1, 5))}
    crowd = Crowd(limits=limits, wants=wants, call_ms=random.choice([1, 150, 2_000]))
    crowd.run(60)
    assert crowd.most_in_a_window() <= (limits.calls or 0)
    assert crowd.wide <= limits.places
    first = next(lane for lane in LANES if any(want[lane] for want in wants.values()))
    assert crowd.granted
    served = sum(1 for _, _, lane in crowd.granted if lane == first)
    assert served + 1 >= 0.4 * len(crowd.granted), "one call may go before those who come first are known to wait"
    assert msgspec.json.decode(msgspec.json.encode(crowd.state), type=BudgetState) == crowd.state
    assert crowd.asks <= 4 * len(crowd.granted) + 60 * len(wants), "nobody asks in a circle"


def test_a_full_window_has_no_room_for_the_repair_lanes_share_of_who_wants_both() -> None:
    limits = replace(MARKETO, calls=20, places=100)
    state, _ = leave_now(BudgetState(), Asking(worker="a", want=(0, 0, 10, 0, 0)), limits=limits)
    _, leave = leave_now(state, Asking(worker="b", want=(20, 1, 0, 0, 0)), limits=limits, now=START + 15_000)
    assert leave.granted == (10, 0, 0, 0, 0)


@pytest.mark.parametrize("missed", MISSED)
def test_what_was_missed_gets_its_share_beside_live_calls_that_take_everything(missed: int) -> None:
    crowd = Crowd(limits=MARKETO, wants={"live": (20, 0, 0, 0, 0), "poll": by_number(lambda lane: int(lane == missed))})
    crowd.run(203)
    assert crowd.most_in_a_window() <= 100
    assert 0.05 * len(crowd.granted) < sum(1 for _, _, lane in crowd.granted if lane == missed) < 0.15 * len(crowd.granted)


def test_trials_come_ever_more_rarely_while_the_refusal_stands_and_soon_again_after_one_that_got_through() -> None:
    hours = 20 * 3_600_000
    state, _ = leave_now(BudgetState(), Asking(worker="a", block_ms=hours))
    waits, now = [], START
    for _ in range(7):
        last, now = now, state.probe_at
        waits.append((now - last) // 1_000)
        state, leave = leave_now(state, Asking(worker="a", want=(1, 0, 0, 0, 0)), now=now)
        assert (leave.granted, leave.probe) == ((1, 0, 0, 0, 0), True)
        state, _ = leave_now(state, Asking(worker="a", holding=0, block_ms=hours), now=now + 500)
    assert waits == [60, 120, 240, 480, 900, 900, 900]
    state, _ = leave_now(state, Asking(worker="a", unblock=True), now=now + 1_000)
    state, _ = leave_now(state, Asking(worker="a", block_ms=hours), now=now + 2_000)
    assert state.probe_at == now + 2_000 + MARKETO.probe_ms


def test_reads_are_tried_as_well_as_writes() -> None:
    state, _ = leave_now(BudgetState(), Asking(worker="a", block_ms=5 * 3_600_000))
    _, leave = leave_now(state, Asking(worker="b", want=(0, 2, 0, 0, 0)), now=START + MARKETO.probe_ms)
    assert (leave.granted, leave.probe) == ((0, 1, 0, 0, 0), True)


def test_lanes_go_in_their_order_whatever_their_numbers() -> None:
    limits = replace(MARKETO, places=1, reserve=0.0)
    state, served = BudgetState(), list[int]()
    for now in range(START + 10, START + 15):
        want = by_number(lambda lane, done=tuple(served): int(lane not in done))  # type: ignore[misc]
        state, leave = leave_now(state, Asking(worker="all", want=want), limits=limits, now=now)
        served += [lane for lane in LANES if leave.granted[lane]]
    assert served == list(LANES)
