"""Plays many histories on all cores: says how far it is, which have a fault and how to play each again, and goes on to the end."""

import gc
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TextIO

from tests.consumers.simulation.crowd import play
from tests.consumers.simulation.plot import Plot, Report

_TOGETHER = 10
"""So many histories are handed to a process at once."""
_LINE_SECONDS, _BAR_SECONDS, _BAR = 30.0, 0.5, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One history to be played. `again`: play it a second time, which must come to the same."""

    variant: str
    plot: Plot
    again: bool = False

    @property
    def command(self) -> str:
        """How to play it again."""
        return f'.venv/bin/python -m tests.consumers.simulation "{self.variant}" --from {self.plot.seed} --seeds 1'


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of one history."""

    history: History
    faults: tuple[str, ...]
    verdicts: frozenset[str] = frozenset()
    died_at: frozenset[str] = frozenset()
    conflicts: int = 0
    repeatable: bool = True

    def __str__(self) -> str:
        """Its faults, behind the command that plays it again."""
        return f"{self.history.command}  # {'; '.join(self.faults)}"


def run(history: History) -> Seen:
    """The history. What it raises is its fault, so that the others are played all the same."""
    try:
        first = play(history.plot)
        second = play(history.plot) if history.again else first
    except Exception as error:  # noqa: BLE001 - told as a fault of this history
        return Seen(history=history, faults=(f"raised {error!r}",))
    repeatable = _what_came(first) == _what_came(second)
    return Seen(
        history=history,
        faults=(*first.faults, *(() if repeatable else ("another history when it is played again",))),
        verdicts=frozenset(first.verdicts),
        died_at=frozenset(first.died_at),
        conflicts=first.conflicts,
        repeatable=repeatable,
    )


def _what_came(report: Report) -> tuple[object, ...]:
    return report.trace, report.faults, report.writes


@dataclass(slots=True)
class Progress:
    """How far a run is: a bar on a terminal, elsewhere a line now and then; each fault as soon as it is found; the sum at the end."""

    total: int
    out: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    faulty: int = 0
    _began: float = field(init=False)
    _told: float = 0.0

    def __post_init__(self) -> None:
        """It begins now."""
        self._began = self.clock()

    def seen(self, seen: Seen) -> None:
        """One more history has been played."""
        self.done += 1
        if seen.faults:
            self.faulty += 1
            self._clear()
            print(seen, file=self.out, flush=True)
        took = self._took()
        if took - self._told >= (_BAR_SECONDS if self.out.isatty() else _LINE_SECONDS):
            self._told = took
            self._say(took)

    def over(self, processes: int) -> None:
        """All have been played."""
        self._clear()
        found = f"{self.faulty} with a fault" if self.faulty else "none with a fault"
        print(f"{self.done:,} histories in {_spoken(self._took())} on {_many(processes, 'process')}: {found}", file=self.out, flush=True)

    def _took(self) -> float:
        return self.clock() - self._began

    def _say(self, took: float) -> None:
        left = f", {_spoken(took / self.done * (self.total - self.done))} left" if self.done * 100 >= self.total else ""
        line = f"{self.done:,} of {self.total:,} histories, {self.faulty} with a fault{left}"
        if self.out.isatty():
            full = _BAR * self.done // self.total
            print(f"\r\033[K[{'#' * full}{'.' * (_BAR - full)}] {line}", end="", file=self.out, flush=True)
        else:
            print(line, file=self.out, flush=True)

    def _clear(self) -> None:
        if self.out.isatty():
            print("\r\033[K", end="", file=self.out)


def play_all(histories: Sequence[History], processes: int, progress: Progress | None = None) -> list[Seen]:
    """All of them, in their order, on so many processes."""
    told = []
    for seen in _each(histories, processes):
        told.append(seen)
        if progress is not None:
            progress.seen(seen)
    if progress is not None:
        progress.over(processes)
    return told


def _each(histories: Sequence[History], processes: int) -> Iterator[Seen]:
    if processes == 1:
        yield from map(run, histories)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_collect_seldom) as pool:
        try:
            yield from pool.map(run, histories, chunksize=_TOGETHER)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _collect_seldom() -> None:
    """What a history leaves behind goes with it, in one sweep: a sixth of the time is saved."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)


def by_variant(seen: Iterable[Seen]) -> dict[str, list[Seen]]:
    """What came of the histories of each variant."""
    told: dict[str, list[Seen]] = {}
    for each in seen:
        told.setdefault(each.history.variant, []).append(each)
    return told


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'es' if number > 1 else ''}"


def _spoken(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
