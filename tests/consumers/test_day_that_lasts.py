"""Whole days of edits, on the rule of the budget in virtual time: the day's calls last, and edits wait no longer than it takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from random import Random
from statistics import mean

import pytest

from consumers.settle.conditions.lasting import Lasting
from consumers.settle.conditions.pace import BucketPace
from streams.budget.port import Lane
from streams.budget.reckoning.forecast import Forecast, forecast
from streams.budget.reckoning.limits import MARKETO, SALESFORCE, Limits
from streams.budget.reckoning.rule import Asking, ask
from streams.budget.reckoning.state import BudgetState

MIDNIGHT = 1_700_028_000_000
"""In Chicago."""
DAY = 86_400.0
POLLS = 0.2
SHARE = DAY / (50_000 - POLLS * DAY)
"""Seconds between two calls that write edits, if they share what the polls leave of the day."""


@dataclass
class Account:
    """The day of one instance."""

    limits: Limits = MARKETO
    now: float = 0.0
    state: BudgetState = field(default_factory=BudgetState)
    calls: int = 0
    told: tuple[int, float] = (0, 0.0)

    def ms(self) -> int:
        return MIDNIGHT + round(self.now * 1000)

    def forecast(self) -> Forecast:
        return forecast(self.state, self.limits, self.ms())

    def wrote(self, at_once: float) -> None:
        self.told = self.told[0] + 1, self.told[1] + at_once

    def call(self, lane: Lane, worker: str = "w") -> None:
        live, repair, copy, reconcile, audit = (int(lane is each) for each in Lane)
        want = live, repair, copy, reconcile, audit
        (written, at_once), self.told = self.told, (0, 0.0)
        asking = Asking(worker=worker, want=want, written=written, at_once=at_once)
        self.state, leave = ask(self.state, self.limits, asking, self.ms())
        assert leave.granted == want, f"no call is left after {self.now / 3600:.1f} h"
        self.calls += 1


def played(
    rate: float, *, until: float = DAY, account: Account | None = None, polls: float = POLLS
) -> tuple[Account, list[tuple[float, float]]]:
    """A day with so many edits a second; of each, when it came and how long it waited."""
    account, chance = account or Account(), Random(7)
    lasting = Lasting(pace=BucketPace(burst=1, per_second=4.0), day=account, calls_per_second=4.0)
    waiting: list[float] = []
    waited: list[tuple[float, float]] = []
    edit, poll = chance.expovariate(rate), 0.0
    while True:
        goes = account.now + max(0.0, lasting.wait(account.now)) if waiting else inf
        until_then = min(goes, poll)
        while waiting and edit < until_then:
            waiting.append(edit)
            edit += chance.expovariate(rate)
        account.now = until_then if waiting else min(edit, poll)
        if account.now >= until:
            return account, waited
        if account.now == goes and lasting.wait(goes) <= 1e-6:
            account.call(Lane.LIVE)
            lasting.spend(goes, len(waiting))
            waited += [(at, goes - at) for at in waiting]
            waiting = []
        elif account.now == edit:
            waiting.append(edit)
            edit += chance.expovariate(rate)
        elif account.now == poll:
            account.call(Lane.RECONCILE)
            poll += 1 / polls


def later(waited: Sequence[tuple[float, float]]) -> list[float]:
    """Once the rates are known, and until the last minutes, in which nothing is left to be even about."""
    return [wait for at, wait in waited if 1_800 < at < DAY - 300]


@pytest.mark.parametrize("rate", [0.1, 1.0, 5.0, 20.0])
@pytest.mark.parametrize("size", [0.05, pytest.param(1.0, marks=pytest.mark.slow)], ids=["a twentieth of an account", "a whole one"])
def test_the_days_calls_last_and_edits_wait_no_longer_than_that_takes(rate: float, size: float) -> None:
    calls, share = round(50_000 * size), SHARE / size
    account, waited = played(rate * size, account=Account(limits=replace(MARKETO, day_calls=calls)), polls=POLLS * size)
    assert account.calls <= calls
    assert account.forecast().used_up_ms is None
    waits = later(waited)
    if rate < 1 / SHARE:
        assert mean(waits) < 0.05 / size, "while the forecast is good an edit goes at once"
        return
    assert account.calls > 0.9 * calls, "what is left is used"
    assert mean(waits) < 0.6 * share
    assert max(waits) < 1.5 * share, "evenly, never all or nothing"


def test_what_others_spend_is_made_up_for() -> None:
    account, _ = played(1.0, until=3_600)
    before = account.forecast()
    account.state = BudgetState(**{**{name: getattr(account.state, name) for name in account.state.__struct_fields__}, "day_used": 30_000})
    after = account.forecast()
    assert after.gather_seconds > before.gather_seconds > 0
    assert after.used_up_ms is None


def test_longer_than_allowed_nothing_is_gathered_and_it_is_said_when_the_calls_are_used_up() -> None:
    account, _ = played(5.0, until=1_800, account=Account(limits=replace(MARKETO, day_calls=10_000, gather_ms_max=1_000)))
    told = account.forecast()
    assert told.gather_seconds == 1.0
    assert told.used_up_at_once_ms is not None
    assert told.used_up_ms is not None
    assert account.ms() < told.used_up_at_once_ms < told.used_up_ms < MIDNIGHT + DAY * 1000


def test_nothing_is_gathered_where_nobody_wants_it() -> None:
    account, _ = played(5.0, until=1_800, account=Account(limits=replace(MARKETO, gather_ms_max=0)))
    assert account.forecast().gather_seconds == 0.0
    assert account.forecast().used_up_ms is not None


def test_workers_share_the_gap() -> None:
    account, _ = played(5.0, until=1_800)
    alone = account.forecast()
    account.wrote(1.0)
    account.call(Lane.LIVE, worker="second")
    together = account.forecast()
    assert (alone.writers, together.writers) == (1, 2)
    assert together.gap_seconds == pytest.approx(2 * together.gather_seconds)


def test_a_copy_makes_no_edit_wait() -> None:
    account = Account()
    lasting = Lasting(pace=BucketPace(burst=1, per_second=4.0), day=account, calls_per_second=4.0)
    for number in range(3_000):
        account.now = number * 0.3
        account.call(Lane.COPY)
        lasting.spend(account.now, 300, Lane.COPY)
    assert account.forecast().gather_seconds == 0.0


def test_a_rolling_day_lasts_by_what_comes_free() -> None:
    limits = replace(SALESFORCE, day_calls=50_000)
    account, _ = played(5.0, until=7_200, account=Account(limits=limits))
    told = account.forecast()
    assert told.gather_seconds == pytest.approx(1 / (0.98 * 50_000 / DAY - told.others_rate))
    assert told.resets_ms == 0


def test_a_new_day_begins_at_nothing() -> None:
    account, _ = played(0.1, until=3_600)
    account.state = BudgetState(**{**{name: getattr(account.state, name) for name in account.state.__struct_fields__}, "day_used": 49_000})
    account.now = DAY + 60
    assert account.forecast().left == 50_000
