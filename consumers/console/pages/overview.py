"""How everything stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from consumers.console.ground import Ground, Sample
from consumers.console.rendering import Pages
from consumers.kinds.registry import BY_NAME
from consumers.ledger.tallies import Pairs
from consumers.reports.standing.health import health
from consumers.reports.standing.status import Status

_RATE_SAMPLES = 12
_PLOTTED_MAX = 360


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
            "kinds": [(called(each), each) for each in (status.pairs, *status.others) if each.pairs],
        }
        return self._pages.page(request, "overview.html", told)

    async def plots(self, _request: Request) -> Response:
        """Since the console started, two hours at the most: a list for each line, as uPlot takes them."""
        return JSONResponse(plotted(list(self._ground.samples)))


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
    }
    for system in ("salesforce", "marketo"):
        lines[f"calls_{system}"] = [each.calls.get(system, 0) for each in kept[1:]]
    return lines


def called(pairs: Pairs) -> str:
    """`12 people`."""
    kind = BY_NAME.get(pairs.kind)
    return kind.counted(pairs.pairs) if kind else f"{pairs.pairs:,} {pairs.kind}"
