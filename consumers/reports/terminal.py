"""Reports as a person reads them. Colour and box lines only where the console says that it is a terminal."""

from collections.abc import Iterable, Mapping
from typing import assert_never

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.reports.clock import time_of_day
from consumers.reports.record import FieldShown, Mark, RecordShown, SideShown
from consumers.reports.status import State, Status
from consumers.reports.story import Chapter, moment, quoted
from consumers.troubles.trouble import Trouble

_COLOURS = {
    Mark.SAME: "",
    Mark.ABSENT: "dim",
    Mark.LEFT: "dim",
    Mark.UNDER_WAY: "cyan",
    Mark.OWED: "yellow",
    Mark.NEWS: "yellow",
    Mark.LOST: "magenta",
    Mark.HELD: "red",
    Mark.REFUSED: "red",
}
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


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


def print_status(console: Console, status: Status) -> None:
    """What matters in one line, then section by section; empty sections are left out or said in a word."""
    console.print(headline(status), soft_wrap=True)
    for trouble in status.troubles[1:]:
        console.print(f"  {escape(sentence(trouble, status.at_ms))}", soft_wrap=True)
    console.print()
    _print(console, "Pairs", ("object", "pairs", "linked", "Salesforce only", "Marketo only", "held", "contested"), [
        (row.object or "?", row.pairs, row.linked, row.only_salesforce, row.only_marketo, row.held, row.contested) for row in status.pairs
    ], nothing="no pairs yet")  # fmt: skip
    _print(console, "To do", ("what", "system", "lane", "pairs", "now", "oldest"), [
        (row.what, row.system, row.lane, row.pairs, row.due, ago(row.oldest_ms) if row.oldest_ms >= 0 else f"in {ago(-row.oldest_ms)}")
        for row in status.due
    ], nothing="nothing is owed")  # fmt: skip
    _print(console, "Held", ("why", "pairs"), [*status.held.items(), *status.contested.items()], nothing="nothing is held")
    _print(console, "Sources", ("source", "saved", "newest change", "open gaps", "relay"), [
        (row.source, f"{ago(row.saved_ago_ms)} ago" if row.saved_ago_ms is not None else "never",
         f"{ago(row.feed_ago_ms)} ago" if row.feed_ago_ms is not None else "", "; ".join(row.gaps), row.relay) for row in status.sources
    ], nothing="no source has begun")  # fmt: skip
    _print(console, "Last cycles", ("poll", "ago", "read", "known", "missed by the stream", "calls", "took"), [
        (row.source, ago(row.ago_ms), row.read, row.known, row.missed, row.calls, f"{row.seconds:.1f} s") for row in status.cycles
    ], nothing="no cycle is complete yet")  # fmt: skip
    _print(console, "Partitions", ("topic", "partition", "next", "behind"), [
        (row.topic, row.partition, row.next_offset, "?" if row.behind is None else row.behind) for row in status.partitions
    ], nothing="nothing observed yet")  # fmt: skip
    _print(console, "Calls today", ("system", "used", "of", "stopped", "what for"), [
        (row.system, row.used, row.limit, f"for {ago(row.blocked_ms)}" if row.blocked_ms else "",
         ", ".join(f"{name}: {calls}" for name, calls in row.by_purpose.items())) for row in status.spent
    ], nothing="no calls yet")  # fmt: skip
    more = " (newest 20,000 decisions)" if status.recent_partial else ""
    _print(console, f"Last {status.recent_seconds // 60} minutes{more}", ("verdict", "fields"), _counts(status), nothing="no decisions")
    _print(console, f"Dead letters: {status.dead_letters}", ("why", "letters"), list(status.dead_reasons.items()), nothing="none")


def headline(status: Status) -> str:
    """How things stand, in one line."""
    match status.state:
        case State.IN_STEP:
            owed = sum(row.due for row in status.due if row.what == "write")
            return f"[green]In step[/], {owed:,} writes are on their way." if owed else "[green]In step.[/]"
        case State.ATTENTION:
            return f"[yellow]In step, but:[/] {escape(sentence(status.troubles[0], status.at_ms))}"
        case State.DEGRADED:
            return f"[red]Degraded:[/] {escape(sentence(status.troubles[0], status.at_ms))}"
        case _:
            assert_never(status.state)


def sentence(trouble: Trouble, now_ms: int) -> str:
    """What is wrong, since when, and when it is tried again."""
    since = f", since {time_of_day(trouble.since_ms, now_ms)}" if trouble.since_ms else ""
    again = f", next try at {time_of_day(trouble.again_ms, now_ms)}" if trouble.again_ms > now_ms else ""
    return f"{trouble.what}{since}{again}."


def print_record(console: Console, record: RecordShown) -> None:
    """Both sides and the agreement, side by side; what differs is marked with why."""
    console.print(f"[bold]{record.object} pair:{record.pair}[/]")
    console.print(f"  Salesforce {record.salesforce_id or '-'} {_bracketed(record.salesforce_note)}")
    console.print(f"  Marketo    {record.marketo_id or '-'} {_bracketed(record.marketo_note)}")
    if record.hold:
        console.print(f"  [red]held: {escape(record.hold)}[/]")
    if record.waiting:
        console.print(f"  {record.waiting} change(s) wait for one before them")
    table = Table("field", "Salesforce", "agreed", "Marketo", "why", "in a conflict", box=box.SIMPLE, pad_edge=False)
    for field in record.fields:
        table.add_row(
            field.field, _side(field.salesforce), escape(_plain(field.agreed)), _side(field.marketo), escape(_why(field)), field.rule
        )
    console.print(table)
    source = "as the systems show them now" if record.live else "as their feeds last told (the systems were not asked)"
    console.print(f"{len(record.fields)} fields, {record.differences} not in step; values {source}.")


def print_story(console: Console, title: str, chapters: Iterable[Chapter]) -> None:
    """One sentence for each decision, oldest first."""
    console.print(f"[bold]{escape(title)}[/]")
    told = 0
    for chapter in chapters:
        told += 1
        console.print(f"[dim]{moment(chapter.happened_at or chapter.at)}[/]  {escape(chapter.sentence)}", soft_wrap=True)
    if not told:
        console.print(
            "No decision has touched this field: neither side ever had a value for it, or it was the same on both at first sight."
        )


def _print(console: Console, title: str, columns: tuple[str, ...], rows: list[tuple[object, ...]], *, nothing: str) -> None:
    if not rows:
        console.print(f"[bold]{title}[/]: {nothing}")
        return
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=box.SIMPLE, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row))
    console.print(table)


def _counts(status: Status) -> list[tuple[object, ...]]:
    both: list[Mapping[str, int]] = [status.verdicts, status.writes]
    return [(name, count) for each in both for name, count in each.items()]


def _bracketed(note: str) -> str:
    return f"[dim]({escape(note)})[/]" if note else ""


def _side(side: SideShown) -> str:
    text = escape(_plain(side.value))
    colour = _COLOURS[side.mark]
    mark = "" if side.mark in (Mark.SAME, Mark.ABSENT, Mark.LEFT) else f" [{side.mark}]"
    return f"[{colour}]{text}{escape(mark)}[/]" if colour else text


def _why(field: FieldShown) -> str:
    parts = [
        f"{name}: {side.why}"
        for name, side in (("Salesforce", field.salesforce), ("Marketo", field.marketo))
        if side.why and side.mark not in (Mark.SAME, Mark.ABSENT)
    ]
    return "; ".join(parts)


def _plain(value: object) -> str:
    if value is None or value == "":
        return "-"
    return quoted(value).strip("“”") if isinstance(value, (str, int, float, bool)) else str(value)
