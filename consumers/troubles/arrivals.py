"""How long edits took to the other side, counted in classes by what they stay within: kept beside the other counts of the last minutes.
Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_WITHIN_MS = (
    50, 100, 200, 300, 400, 500, 750, 1_000, 1_250, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000, 7_500, 10_000, 15_000, 30_000, 60_000,
    300_000, 1_800_000, 86_400_000,
)  # fmt: skip
_NAME = "arrived within ms "


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Edits that arrived. `p50_ms`, `p99_ms`: half of them, and all but one in a hundred, took so long at the most, to the class; 0: none
    did arrive."""

    edits: int
    p50_ms: int
    p99_ms: int


NONE_ARRIVED = Arrivals(edits=0, p50_ms=0, p99_ms=0)


def counted(took_ms: Iterable[int]) -> Counter[str]:
    """These, by class."""
    return Counter(f"{_NAME}{_WITHIN_MS[min(bisect_left(_WITHIN_MS, each), len(_WITHIN_MS) - 1)]}" for each in took_ms)


def told_apart(counts: Mapping[str, int]) -> tuple[dict[str, int], Arrivals]:
    """The other counts, and what these classes come to."""
    others = {name: count for name, count in counts.items() if not name.startswith(_NAME)}
    classes = sorted((int(name.removeprefix(_NAME)), count) for name, count in counts.items() if name.startswith(_NAME))
    edits = sum(count for _, count in classes)
    return others, Arrivals(edits=edits, p50_ms=_within(classes, edits * 0.5), p99_ms=_within(classes, edits * 0.99))


def _within(classes: Iterable[tuple[int, int]], wanted: float) -> int:
    passed = 0
    for within_ms, count in classes:
        passed += count
        if passed >= wanted:
            return within_ms
    return 0
