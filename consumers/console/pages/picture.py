"""What was read and what wasn't, as a picture: a line of time for each source, with the holes in it. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from consumers.reports.standing.coverage import Coverage, Standing

WIDTH, NAME, LINE = 1_000, 240, 24
_TICKS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of a line. `kind`: read, open, closed, accepted; `words`: what it is."""

    x: float
    width: float
    kind: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A source's line."""

    source: str
    y: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All lines, and the moments beneath them. `words`: the same in a sentence, for whoever doesn't see it."""

    width: int
    height: int
    name: int
    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]
    words: str


def picture(told: Coverage) -> Picture:
    """Of the time that was asked for."""
    until = max([told.at_ms, *(each.until_ms for each in told.stretches)])
    span = max(1, until - told.since_ms)

    def place(at_ms: int) -> float:
        return NAME + (WIDTH - NAME) * min(1.0, max(0.0, (at_ms - told.since_ms) / span))

    def bar(from_ms: int, until_ms: int, kind: str, words: str) -> Bar:
        x = round(place(from_ms), 1)
        return Bar(x=x, width=round(max(2.0, place(until_ms) - x), 1), kind=kind, words=words)

    sources = sorted({name for names in told.sources.values() for name in names} | {each.source for each in told.stretches})
    rows = []
    for number, source in enumerate(sources):
        bars = [bar(each.from_ms, each.until_ms, "read", "read") for each in told.stretches if each.source == source]
        holes = sorted((each for each in told.holes if each.source == source), key=lambda each: each.standing is Standing.OPEN)
        bars += [
            bar(each.since_ms, each.until_ms or each.opened_ms, str(each.standing), f"hole {each.id}: {each.reason}") for each in holes
        ]
        rows.append(Row(source=source, y=number * LINE + 4, bars=tuple(bars)))
    ticks = [told.since_ms + span * number // _TICKS for number in range(_TICKS)]
    return Picture(
        width=WIDTH,
        height=len(rows) * LINE + 26,
        name=NAME,
        rows=tuple(rows),
        ticks=tuple((round(place(at), 1), f"{datetime.fromtimestamp(at / 1000, UTC):%d %b %H:%M}") for at in ticks),
        words=f"{len(rows)} sources; {told.open} open holes, {len(told.holes)} in all",
    )
