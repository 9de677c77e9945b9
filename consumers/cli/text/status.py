"""The status as people read it: how things stand in a line, then what needs a person, then the rest on request."""

from collections.abc import Sequence
from typing import assert_never

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.kinds.registry import BY_NAME
from consumers.ledger.tallies import COUNTED_MAX, Pairs, Refused
from consumers.reports.clock import time_of_day
from consumers.reports.records.plain import spelled
from consumers.reports.standing.status import Cycle, State, Status
from consumers.troubles.trouble import Trouble

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
SYSTEMS = {"salesforce": "Salesforce", "marketo": "Marketo"}
Row = tuple[object, ...]


def print_status(console: Console, status: Status, *, everything: bool) -> None:
    """The headline, what is wrong, what waits for whom. `everything`: sources, partitions, cycles and counts, too."""
    console.print(headline(status), soft_wrap=True)
    for trouble in status.troubles[1:]:
        console.print(f"  {escape(sentence(trouble, status.at_ms))}", soft_wrap=True)
    console.print()
    _records(console, status)
    _waiting(console, status)
    _table(console, "Calls today", ("system", "used", "of", "stopped"), [
        (SYSTEMS[row.system], row.used, row.limit, f"for {ago(row.blocked_ms)}" if row.blocked_ms else "") for row in status.spent
    ], nothing="none yet")  # fmt: skip
    if everything:
        _machinery(console, status)
    else:
        console.print("Sources, cycles, partitions and counts: tandem status --all", style="dim")


def headline(status: Status) -> str:
    """How things stand, in one line."""
    match status.state:
        case State.IN_STEP:
            return f"[bold green]In step[/]{_under_way(status)}."
        case State.ATTENTION:
            return f"[bold yellow]In step, but[/] {escape(sentence(status.troubles[0], status.at_ms))}"
        case State.DEGRADED:
            return f"[bold red]Degraded:[/] {escape(sentence(status.troubles[0], status.at_ms))}"
        case _:
            assert_never(status.state)


def sentence(trouble: Trouble, now_ms: int) -> str:
    """What is wrong, since when, and when it is tried again."""
    since = f", since {time_of_day(trouble.since_ms, now_ms)}" if trouble.since_ms else ""
    again = f", next try at {time_of_day(trouble.again_ms, now_ms)}" if trouble.again_ms > now_ms else ""
    return f"{trouble.what}{since}{again}."


def ago(ms: int | None) -> str:
    """A length of time in one or two units."""
    if ms is None:
        return "never"
    seconds = ms / 1000
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min {seconds % _MINUTE:.0f} s"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
    return f"{seconds // _DAY:.0f} days"


def _under_way(status: Status) -> str:
    writes = [row for row in status.due if row.what == "write" and row.due]
    if not writes:
        return ""
    oldest = max(row.oldest_ms for row in writes)
    return f"; {_counted(sum(row.due for row in writes))} changes are on their way, the oldest for {ago(oldest)}"


def _records(console: Console, status: Status) -> None:
    """How many of each kind; of people also when there are none."""
    for pairs in (status.pairs, *status.others):
        counts = ((pairs.linked, "on both sides"), (pairs.only_salesforce, "in Salesforce only"), (pairs.only_marketo, "in Marketo only"))
        where = ", ".join(f"{count:,} {place}" for count, place in counts if count)
        if pairs.pairs:
            console.print(f"{'About ' if pairs.about else ''}{_called(pairs)}: {where}.")
        elif pairs is status.pairs:
            console.print("No people are known yet.")
    for system, name in SYSTEMS.items():
        owed = sum(row.pairs for row in status.due if row.what == "write" and row.system == system)
        if owed:
            console.print(f"{_counted(owed)} of them {'is' if owed == 1 else 'are'} owed a change in {name}.")


def _called(pairs: Pairs) -> str:
    kind = BY_NAME.get(pairs.kind)
    return kind.counted(pairs.pairs) if kind else f"{pairs.pairs:,} {pairs.kind}{' records' if pairs.pairs > 1 else ''}"


def _waiting(console: Console, status: Status) -> None:
    waits = status.waiting
    rows: list[Row] = [(SYSTEMS[each.system], _refused(each), each.records) for each in waits.why_refused]
    _table(console, f"Refused: {_counted(waits.refused)}", ("by", "what, and why", "records"), rows, nothing="nothing")
    _table(console, f"Held: {_counted(waits.held)}", ("why", "records"), list(waits.why_held.items()), nothing="nobody")
    if waits.contested:
        console.print(f"[bold]Held for single fields: {_counted(waits.contested)}[/] (tandem list contested)")


def _refused(each: Refused) -> str:
    what = "the whole record" if each.field == "*" else each.field
    return f"{what}: {spelled(each.reason)}" if each.reason else what


def _machinery(console: Console, status: Status) -> None:
    _table(console, "To do", ("what", "system", "lane", "records", "now", "oldest"), [
        (row.what, SYSTEMS[row.system], row.lane, row.pairs, row.due,
         ago(row.oldest_ms) if row.oldest_ms >= 0 else f"in {ago(-row.oldest_ms)}") for row in status.due
    ], nothing="nothing is owed")  # fmt: skip
    _table(console, "Sources", ("source", "saved", "newest change", "open gaps", "relay"), [
        (row.source, f"{ago(row.saved_ago_ms)} ago" if row.saved_ago_ms is not None else "never",
         f"{ago(row.feed_ago_ms)} ago" if row.feed_ago_ms is not None else "", "; ".join(row.gaps), row.relay) for row in status.sources
    ], nothing="no source has begun")  # fmt: skip
    print_cycles(console, status.cycles, title="Last cycles")
    _table(console, "Partitions", ("topic", "partition", "next", "behind"), [
        (row.topic, row.partition, row.next_offset, "not known" if row.behind is None else row.behind) for row in status.partitions
    ], nothing="nothing observed yet")  # fmt: skip
    _table(console, "What the calls of today were for", ("system", "what for", "calls"), [
        (SYSTEMS[row.system], name, calls) for row in status.spent for name, calls in row.by_purpose.items()
    ], nothing="none yet")  # fmt: skip
    _table(console, f"Last {status.recent_minutes} minutes", ("what", "times"), list(status.recent.items()), nothing="nothing")
    _table(console, f"Dead letters: {status.dead_letters}", ("why", "letters"), list(status.dead_reasons.items()), nothing="none")


def print_cycles(console: Console, cycles: Sequence[Cycle], *, title: str) -> None:
    """A line each, and why the stream had missed anything."""
    columns = ("poll", "ago", "read", "known", "relayed", "missed by the stream", "repaired", "held", "calls", "took", "next")
    _table(console, title, columns, [
        (row.source, ago(row.ago_ms), row.read, row.known, row.relayed, row.missed if row.judged else "not known yet",
         row.repaired if row.judged else "", row.held if row.judged else "", row.calls, f"{row.seconds:.1f} s",
         f"in {ago(row.next_ms)}" if row.next_ms > 0 else "") for row in cycles
    ], nothing="no cycle is complete yet")  # fmt: skip
    for row in cycles:
        if row.why:
            console.print(f"{row.source}: {row.why}", markup=False)


def _counted(count: int) -> str:
    return f"{count:,}" if count < COUNTED_MAX else f"{COUNTED_MAX:,} or more"


def _table(console: Console, title: str, columns: tuple[str, ...], rows: Sequence[Row], *, nothing: str) -> None:
    if not rows:
        console.print(f"[bold]{title.partition(': 0')[0]}[/]: {nothing}")
        return
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=box.SIMPLE, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row))
    console.print(table)
