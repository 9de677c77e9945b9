"""Plays histories: `python -m tests.consumers.simulation [VARIANT ...] [--seeds N] [--from N]`; exits with 1 where one has a fault."""

import argparse
import os
import sys

from tests.consumers.simulation.playing import History, Progress, by_variant, play_all
from tests.consumers.simulation.plot import Plot
from tests.consumers.simulation.test_histories import VARIANTS


def main() -> int:
    """Prints each history with a fault and how to play it again, then for each variant how many of its histories have one."""
    parser = argparse.ArgumentParser(prog="python -m tests.consumers.simulation", description=__doc__)
    parser.add_argument("variants", nargs="*", help="names of variants, or beginnings of names; none: all")
    parser.add_argument("--seeds", type=int, default=20, help="how many of each variant")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--twice", action="store_true", help="play each a second time, which must come to the same")
    wanted = parser.parse_args()
    names = [name for name in VARIANTS if not wanted.variants or name.startswith(tuple(wanted.variants))]
    if not names:
        parser.error(f"no variant begins with {' or '.join(map(repr, wanted.variants))}; there are: {', '.join(VARIANTS)}")
    seeds = range(wanted.first, wanted.first + wanted.seeds)
    histories = [History(variant=name, plot=Plot(seed=seed, **VARIANTS[name]), again=wanted.twice) for seed in seeds for name in names]
    processes = max(1, min(wanted.processes, len(histories) // 20))
    told = by_variant(play_all(histories, processes, Progress(len(histories))))
    faulty = 0
    for name, played in told.items():
        bad = sum(bool(seen.faults) for seen in played)
        faulty += bad
        print(f"{name}: {bad} of {len(played)}")  # noqa: T201 - its purpose
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
