"""What Marketo's limit of calls alone makes an edit wait: the baseline beside the measured latency.

`python -m tests.benchmarks.call_limit [--reading 0.33]` prints it. Edits come as in the benchmark, each at a random moment of a turn of
its own; a call costs nothing and takes all that wait; one may go whenever the limit has room for it, evenly spread. What reading the feed
costs is taken off the calls first.
"""

import argparse
from random import Random

CALLS, WINDOW_SECONDS = 100, 20.0
_EDITS = 20_000


def alone(rate: float, reading: float) -> dict[str, int]:
    """Milliseconds that an edit waits, at `rate` edits a second, with `reading` calls a second spent on the feed."""
    left = CALLS / WINDOW_SECONDS - reading
    gap = 1 / left if rate > left else 0.0
    chance = Random(1)
    edits = [(place + chance.random()) / rate for place in range(_EDITS)]
    waited: list[float] = []
    call = 0.0
    while len(waited) < _EDITS:
        call = max(call + gap, edits[len(waited)])
        while len(waited) < _EDITS and edits[len(waited)] <= call:
            waited.append(call - edits[len(waited)])
    waited.sort()
    return {"p50": round(waited[_EDITS // 2] * 1000), "p99": round(waited[_EDITS * 99 // 100] * 1000)}


def main() -> None:
    """Prints the baseline for the rates of the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.call_limit", description=__doc__)
    parser.add_argument("--reading", type=float, default=0.33, help="calls a second that reading the feed takes")
    options = parser.parse_args()
    for rate in (2, 4, 5, 6, 20, 100):
        told = alone(rate, options.reading)
        print(f"{rate:4} edits/s: the limit alone makes p50 {told['p50']:4} ms, p99 {told['p99']:4} ms")


if __name__ == "__main__":
    main()
