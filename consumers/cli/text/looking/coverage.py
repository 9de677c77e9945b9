"""`tandem coverage` for people: a line of time for each kind and source, and the holes in it."""

from rich.console import Console

from consumers.reports.clock import moment
from consumers.reports.standing.coverage import Coverage, Hole, Standing

_WIDTH = 60
_MARKS = {Standing.OPEN: "X", Standing.CLOSED: "o", Standing.ACCEPTED: "a"}
_KNOWN, _UNKNOWN = "=", "."


def print_coverage(console: Console, told: Coverage) -> None:
    """The timeline, and what is to be said of each hole."""
    now_ms = max([told.at_ms, *(each.until_ms for each in told.stretches)])
    console.print(
        f"From {moment(told.since_ms)} to {moment(now_ms)}: {_KNOWN} read, X a hole, o read again, a accepted, {_UNKNOWN} not read"
    )
    for kind, sources in told.sources.items():
        for source in sources:
            line = timeline(told, kind, source, told.since_ms, now_ms)
            console.print(f"{kind:16} {source:28} {line}", markup=False, soft_wrap=True)
    console.print(f"[bold red]Holes that are open: {told.open:,}[/]" if told.open else "[bold]No hole is open.[/]")
    for hole in told.holes:
        console.print(_sentence(hole), markup=False, soft_wrap=True)


def timeline(told: Coverage, kind: str, source: str, since_ms: int, until_ms: int) -> str:
    """What one source has read of one kind of record, a character for each part of the time. An open hole is never hidden. Pure."""
    marks = [_UNKNOWN] * _WIDTH
    for stretch in told.stretches:
        if stretch.source == source:
            _paint(marks, _KNOWN, (stretch.from_ms, stretch.until_ms), (since_ms, until_ms))
    own = [hole for hole in told.holes if hole.source == source and kind in hole.kinds]
    for hole in sorted(own, key=lambda each: each.standing is Standing.OPEN):
        _paint(marks, _MARKS[hole.standing], (hole.since_ms, hole.until_ms or hole.opened_ms), (since_ms, until_ms))
    return "".join(marks)


def _paint(marks: list[str], mark: str, part: tuple[int, int], whole: tuple[int, int]) -> None:
    length = max(1, whole[1] - whole[0])
    first, last = ((at - whole[0]) * _WIDTH // length for at in (part[0], max(part)))
    if last >= 0:
        for place in range(min(max(0, first), _WIDTH - 1), min(last, _WIDTH - 1) + 1):
            marks[place] = mark


def _sentence(hole: Hole) -> str:
    since = f"since {moment(hole.since_ms)}" if hole.since_ms else "of all times"
    missed = f", {hole.missed:,} changes are known to have been missed" if hole.missed else ""
    what = f"Hole {hole.id} ({hole.standing}), {hole.source}{f' {hole.object}' if hole.object else ''}, {since}: {hole.reason}{missed}."
    match hole.standing:
        case Standing.OPEN:
            return f"{what} It waits for {', '.join(hole.waits_for) or 'nobody'}; opened {moment(hole.opened_ms)}."
        case Standing.ACCEPTED:
            return f"{what} Accepted by {hole.accepted_by} {moment(hole.closed_ms)}: {hole.accepted_why}."
        case Standing.CLOSED:
            return f"{what} Closed {moment(hole.closed_ms)} by {', '.join(each.poll for each in hole.readings)}{_collapsed(hole)}."


def _collapsed(hole: Hole) -> str:
    if not hole.collapsed:
        return "; nothing had changed that was not known"
    some = [record for each in hole.readings for record in each.records][:5]
    more = " ..." if hole.collapsed > len(some) else ""
    return f"; of {hole.collapsed:,} records only the latest values are known ({', '.join(some)}{more})"
