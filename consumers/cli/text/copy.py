"""`tandem copy` for people."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Shown
from rich.table import Table

from consumers.copy.progress import Progress
from consumers.copy.quote import Quote
from streams.wire.systems import MARKETO, SALESFORCE, System

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_KIND = {SALESFORCE: "Salesforce", MARKETO: "Marketo"}
_WAYS = {"bulk": "in bulk", "rest": "page by page"}


def print_quote(console: Console, said: Quote) -> None:
    """What is read, whom it meets, what is written, and how long all that takes."""
    table = Table("system", "records", "rows", "read", "calls", "bytes")
    for part in said.parts:
        way = _WAYS[part.by] + (f", {part.jobs} jobs" if part.jobs > 1 else "")
        table.add_row(_KIND[part.system], part.object, f"{part.rows:,}", way, f"{part.calls:,}", size(part.bytes))
    console.print(table)
    matches = said.matches
    about = f"{matches.sampled:,} of them were looked at" if matches.sampled < matches.marketo_people else "all of them were looked at"
    console.print(f"People: {matches.people:,} in Salesforce, {matches.marketo_people:,} in Marketo ({about})")
    console.print(f"  on both sides: {matches.stored:,} by the id that Marketo keeps, {matches.email:,} by e-mail")
    console.print(f"  ambiguous: {matches.ambiguous:,} are held until a person says who is whom")
    console.print(f"  in Salesforce only: {matches.alone:,} are made in Marketo")
    console.print(f"  in Marketo only: {matches.made_in_salesforce:,} qualify, and are made in Salesforce")
    console.print(
        f"  on both sides, with differences: {matches.to_marketo:,} are written in Marketo, {matches.to_salesforce:,} in Salesforce"
    )
    console.print(f"Written: {said.marketo_writes:,} records to Marketo, {said.salesforce_writes:,} to Salesforce")
    for system in System:
        read, write = said.read_calls[system], said.write_calls[system]
        console.print(f"{_KIND[system]}: {read:,} calls to read, about {write:,} to write; {size(said.bytes[system])} of files")
    console.print(f"It takes about {lasting(said.hours * _HOUR)}; it waits most for: {said.limit}")


def print_progress(console: Console, told: Progress) -> None:
    """How far each sort of record is, and the whole."""
    table = Table("system", "records", "rows", "of", "calls", "bytes", "")
    for step in told.steps:
        done = "done" if step.done else "under way" if step.rows else ""
        name = _KIND[System(step.system)]
        table.add_row(name, step.object, f"{step.rows:,}", f"{step.expected:,}", f"{step.calls:,}", size(step.bytes), done)
    console.print(table)
    console.print(f"Copy {told.number} is {told.state}: {_words(told)}")
    if told.trouble:
        console.print(f"It waits: {told.trouble}", markup=False)


class Bar:
    """A bar that goes on in its place; none where `live` is false."""

    def __init__(self, console: Console, live: bool) -> None:
        self.live = live
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[words]}"))
        self._shown = Shown(*columns, console=console, disable=not live)
        self._task = self._shown.add_task("copy", total=1.0, words="")

    def __enter__(self) -> Self:
        self._shown.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._shown.stop()

    def show(self, told: Progress) -> None:
        """As it is now."""
        words = f"{_words(told)}{f'; it waits: {told.trouble}' if told.trouble else ''}"
        self._shown.update(self._task, completed=told.share, description=f"copy {told.number} {told.state}", words=words)


def size(count: int) -> str:
    """`3.2 MB`."""
    return f"{count / (1 << 20):,.1f} MB" if count >= 100_000 else f"{count / 1024:,.1f} kB"


def lasting(seconds: float) -> str:
    """`3 minutes`, `2.5 hours`."""
    for unit, name in ((_DAY, "days"), (_HOUR, "hours"), (_MINUTE, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.1f} {name}"
    return f"{max(1, round(seconds)):,} seconds"


def _words(told: Progress) -> str:
    owed = f", {told.owed:,} yet to be written" if told.owed else ""
    left = f", {lasting(told.left_seconds)} left" if told.left_seconds else ""
    return f"{told.rows:,} of {told.expected:,} rows, {told.rate:,.0f} a second{owed}{left}"
