"""Many histories at once: each fault is said with the command that plays it again, and none ends the run."""

import asyncio
import io
from typing import Any

import pytest

from tests.consumers.simulation import playing
from tests.consumers.simulation.playing import History, Progress, by_variant, play_all, run
from tests.consumers.simulation.plot import Plot, Report
from tests.consumers.simulation.virtual import run_virtually


class Terminal(io.StringIO):
    """Somebody looks at it."""

    def isatty(self) -> bool:
        return True


def history(seed: int, variant: str = "all, wide") -> History:
    return History(variant=variant, plot=Plot(seed=seed), again=True)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds played. Seed 1 loses an edit, 2 raises, 3 is another history each time."""
    seeds: list[int] = []

    def play(plot: Plot) -> Report:
        seeds.append(plot.seed)
        if plot.seed == 2:
            raise KeyError("gone")
        return Report(faults=["lost"] if plot.seed == 1 else [], trace=[str(len(seeds))] if plot.seed == 3 else [])

    monkeypatch.setattr(playing, "play", play)
    return seeds


def test_whatever_comes_of_one_history_all_are_played(played: list[int]) -> None:
    told = play_all([history(seed) for seed in range(5)], 1)
    assert played == [0, 0, 1, 1, 2, 3, 3, 4, 4]
    assert [bool(seen.faults) for seen in told] == [False, True, True, True, False]
    assert [seen.repeatable for seen in told] == [True, True, True, False, True]


@pytest.mark.parametrize("out", [io.StringIO, Terminal])
def test_each_fault_is_said_with_the_command_that_plays_it_again(played: list[int], out: Any) -> None:
    stream = out()
    play_all([history(seed) for seed in range(5)], 1, Progress(5, out=stream))
    assert '.venv/bin/python -m tests.consumers.simulation "all, wide" --from 1 --seeds 1  # lost\n' in stream.getvalue()
    assert "--from 2 --seeds 1  # raised KeyError('gone')\n" in stream.getvalue()
    assert stream.getvalue().splitlines()[-1].endswith("on 1 process: 3 with a fault")
    assert ("\r" in stream.getvalue()) == stream.isatty()


@pytest.mark.parametrize("seconds", [0.0, 40.0])
@pytest.mark.parametrize("out", [io.StringIO, Terminal])
def test_how_far_it_is_is_said_now_and_then(played: list[int], out: Any, seconds: float) -> None:
    stream, moments = out(), iter([0.0, seconds])
    progress = Progress(8_000, out=stream, clock=lambda: next(moments), done=1_999)
    progress.seen(run(history(0)))
    assert ("2,000 of 8,000 histories, 0 with a fault, 2 min 0 s left" in stream.getvalue()) == (seconds > 0)


def test_on_more_processes_it_is_the_same_in_the_same_order() -> None:
    histories = [history(seed, f"v{seed % 2}") for seed in range(6)]
    told = play_all(histories, 2)
    assert told == play_all(histories, 1)
    assert {variant: [seen.history.plot.seed for seen in each] for variant, each in by_variant(told).items()} == {
        "v0": [0, 2, 4],
        "v1": [1, 3, 5],
    }


def test_a_history_that_goes_round_in_circles_ends() -> None:
    async def circles() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="goes round in circles at 0"):
        run_virtually(circles())
