"""What is paused, for people."""

from collections.abc import Sequence

from rich.console import Console

from consumers.desk.control import COUNTED_MAX, Queued
from consumers.reports.clock import moment


def print_paused(console: Console, told: Sequence[Queued]) -> None:
    """A line for each pause."""
    if not told:
        console.print("Nothing is paused.")
    for each in told:
        line = f"{each.pause}, since {moment(each.pause.since_ms)}: {_waiting(each.records)}; what changes meanwhile queues."
        console.print(line[0].upper() + line[1:], markup=False)


def print_resumed(console: Console, told: Sequence[Queued]) -> None:
    """A line for each pause that has ended."""
    for each in told:
        console.print(f"Ended: {each.pause}: {_waiting(each.records)}, written from now on.", markup=False)


def _waiting(records: int) -> str:
    if records >= COUNTED_MAX:
        return f"{COUNTED_MAX:,} records or more wait"
    return f"{records:,} record{'s wait' if records != 1 else ' waits'}"
