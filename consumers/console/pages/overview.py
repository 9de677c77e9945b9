"""How everything stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from consumers.answers.logs.trying import versions_of
from consumers.console.ground import Ground, Sample
from consumers.console.rendering import Pages
from consumers.kinds.registry import BY_NAME
from consumers.ledger.tallies import Pairs
from consumers.ledger.versions import Version
from consumers.reports.standing.health import health
from consumers.reports.standing.status import Status

_RATE_SAMPLES = 12
_PLOTTED_MAX = 360
_VERSIONS_MAX = 20
_MARKS_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One way from a system to the other: events a second, what is not judged yet, what is owed to the target, what it refuses."""

    source: str
    target: str
    a_second: float
    behind: int
    owed: int
    oldest_ms: int
    refused: int
    feed_ago_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A change that people made: in the plots a line, with these words."""

    at_ms: int
    words: str


class Overview:
    """The page, and the numbers of its plots."""

    def __init__(self, ground: Ground, pages: Pages) -> None:
        self._ground, self._pages = ground, pages

    @property
    def routes(self) -> list[Route]:
        """Where they are."""
        return [Route("/", self.show), Route("/plots.json", self.plots)]

    async def show(self, request: Request) -> Response:
        """The page."""
        status = await self._ground.status()
        told = {
            "status": status,
            "health": health(status, trend=self._ground.trend(), paused=await self._ground.paused()),
            "edges": edges(status, list(self._ground.samples)[-_RATE_SAMPLES:]),
            "marks": list(reversed(await self._marks(list(self._ground.samples))))[:_MARKS_MAX],
            "kinds": [(called(each), each) for each in (status.pairs, *status.others) if each.pairs],
        }
        return self._pages.page(request, "overview.html", told)

    async def plots(self, _request: Request) -> Response:
        """Since the console started, two hours at the most: a list for each line, as uPlot takes them."""
        samples = list(self._ground.samples)
        return JSONResponse({**plotted(samples), "marks": [[each.at_ms / 1000, each.words] for each in await self._marks(samples)]})

    async def _marks(self, samples: Sequence[Sample]) -> list[Mark]:
        """What was changed by people in the time of the plots, oldest first."""
        return marks(samples, await versions_of(self._ground.settings, _VERSIONS_MAX))


def edges(status: Status, samples: Sequence[Sample]) -> tuple[Edge, Edge]:
    """There and back."""
    return _edge(status, samples, "salesforce", "marketo"), _edge(status, samples, "marketo", "salesforce")


def _edge(status: Status, samples: Sequence[Sample], source: str, target: str) -> Edge:
    ours = [row for row in status.due if row.what == "write" and row.system == target and row.due]
    feeds = [each.feed_ago_ms for each in status.sources if each.source.startswith(source) and each.feed_ago_ms is not None]
    return Edge(
        source=source,
        target=target,
        a_second=_rate(samples, source),
        behind=sum(each.behind or 0 for each in status.partitions if f".{source}." in each.topic),
        owed=sum(row.due for row in ours),
        oldest_ms=max((row.oldest_ms for row in ours), default=0),
        refused=sum(each.records for each in status.waiting.why_refused if each.system == target),
        feed_ago_ms=min(feeds, default=None),
    )


def _rate(samples: Sequence[Sample], system: str) -> float:
    if len(samples) < 2:
        return 0.0
    first, last = samples[0], samples[-1]
    seconds = max(1.0, (last.at_ms - first.at_ms) / 1000)
    return max(0.0, (last.judged.get(system, 0) - first.judged.get(system, 0)) / seconds)


def plotted(samples: Sequence[Sample]) -> dict[str, list[float | int]]:
    """The lines: moments in seconds, events a second, what waits, the age of the oldest in seconds, the calls of the day."""
    kept = samples[-_PLOTTED_MAX:]
    throughput: list[float | int] = [
        round(max(0, sum(one.judged.values()) - sum(before.judged.values())) / max(1.0, (one.at_ms - before.at_ms) / 1000), 2)
        for before, one in pairwise(kept)
    ]
    lines: dict[str, list[float | int]] = {
        "at": [each.at_ms / 1000 for each in kept[1:]],
        "throughput": throughput,
        "waiting": [each.waiting + each.behind for each in kept[1:]],
        "oldest": [each.oldest_ms / 1000 for each in kept[1:]],
        "p50": [each.p50_ms / 1000 for each in kept[1:]],
        "p99": [each.p99_ms / 1000 for each in kept[1:]],
    }
    for system in ("salesforce", "marketo"):
        lines[f"calls_{system}"] = [each.calls.get(system, 0) for each in kept[1:]]
    return lines


def marks(samples: Sequence[Sample], versions: Sequence[Version]) -> list[Mark]:
    """Versions of the rules, and workers that came or went, in the time of these samples; oldest first."""
    kept = samples[-_PLOTTED_MAX:]
    found = [
        Mark(at_ms=each.since_ms, words=f"configuration {each.number}" + (f": {'; '.join(each.changed[:3])}" if each.changed else ""))
        for each in versions
        if kept and kept[0].at_ms <= each.since_ms
    ]
    for before, one in pairwise(kept):
        found += [Mark(at_ms=one.at_ms, words=f"worker {name} came") for name in one.workers if name not in before.workers]
        found += [Mark(at_ms=one.at_ms, words=f"worker {name} went") for name in before.workers if name not in one.workers]
    return sorted(found, key=lambda each: each.at_ms)


def called(pairs: Pairs) -> str:
    """`12 people`."""
    kind = BY_NAME.get(pairs.kind)
    return kind.counted(pairs.pairs) if kind else f"{pairs.pairs:,} {pairs.kind}"
