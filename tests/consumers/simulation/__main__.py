"""Plays histories: `python -m tests.consumers.simulation [VARIANT ...] [--seeds N] [--from N]`; exits with 1 where one has a fault."""

import argparse
import sys

from tests.consumers.simulation.plot import Plot
from tests.consumers.simulation.test_histories import VARIANTS
from tests.consumers.simulation.world import play

_SHOWN = 4


def main() -> int:
    """Prints a line for each variant: how many of its seeds have a fault, and the first of these."""
    parser = argparse.ArgumentParser(prog="python -m tests.consumers.simulation", description=__doc__)
    parser.add_argument("variants", nargs="*", help="names of variants, or beginnings of names; none: all")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--from", type=int, default=0, dest="first")
    wanted = parser.parse_args()
    faulty = 0
    for name, what in VARIANTS.items():
        if wanted.variants and not name.startswith(tuple(wanted.variants)):
            continue
        told = {seed: play(Plot(seed=seed, **what)).faults for seed in range(wanted.first, wanted.first + wanted.seeds)}
        bad = {seed: faults for seed, faults in told.items() if faults}
        faulty += len(bad)
        print(f"{name}: {len(bad)} of {len(told)}", *list(bad.items())[:_SHOWN], sep="\n   ", flush=True)  # noqa: T201 - its purpose
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
