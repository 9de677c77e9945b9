"""`make bench` = `python -m tests.benchmarks [--quick] [--only observe,settle,...]`: the figures that stand in the README.

Everything that is compared is measured in one run. The report is `.run/bench.json`.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from infra.setup.found import ROOT
from tests.benchmarks.programme import PARTS, UNASKED, Programme, Wish


def main() -> int:
    """Runs what was asked for; 0 when all of it was measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Tandem's benchmarks, on this machine.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the records: for development, not for the README")
    parser.add_argument("--only", type=lambda text: frozenset(text.split(",")), default=UNASKED, help=f"some of {','.join(sorted(PARTS))}")
    parser.add_argument("--run-dir", type=Path, default=ROOT / ".run" / "bench", help="data and logs of the run")
    parser.add_argument("--report", type=Path, default=ROOT / ".run" / "bench.json")
    parser.add_argument("--rates", type=lambda text: tuple(int(each) for each in text.split(",")), default=(5, 20, 100))
    parser.add_argument("--pairs", type=int, default=0, help="pairs and decisions of the part console (default 1,000,000)")
    options = parser.parse_args()
    if options.only - PARTS:
        parser.error(f"--only takes some of {', '.join(sorted(PARTS))}")
    wish = Wish(
        quick=options.quick,
        only=options.only,
        run_dir=options.run_dir.resolve(),
        report=options.report,
        rates=options.rates,
        pairs=options.pairs,
    )
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", flush=True)

    asyncio.run(Programme(wish, say).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
