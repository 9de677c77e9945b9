"""What was proved, as people read it."""

import sys
from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.reports.clock import moment
from consumers.reports.proof.agreement import Verified
from consumers.reports.proof.chain import Chained
from consumers.reports.records.plain import quoted


def counted(what: str, *, quiet: bool) -> Callable[[int], None]:
    """Says on a terminal how far it is."""

    def say(count: int) -> None:
        if not quiet and sys.stderr.isatty():
            sys.stderr.write(f"\r{count:,} {what} ")

    return say


def print_verified(console: Console, told: Verified) -> None:
    """What disagrees, then what was compared."""
    if told.examples:
        table = Table("pair", "field", "the ledger has", "its decisions say", "why", box=box.SIMPLE, pad_edge=False)
        for each in told.examples:
            ledger = f"{quoted(each.agreed)}, version {each.version}" if each.field else ""
            derived = f"{quoted(each.derived)}, version {each.derived_version} (decision {each.decision})" if each.decision else ""
            table.add_row(*map(escape, (f"{each.object} pair:{each.pair}".strip(), each.field, ledger, derived, each.why)))
        console.print(table)
        if told.disagreements > len(told.examples):
            console.print(f"and {told.disagreements - len(told.examples):,} more.")
    verdict = f"[red]{told.disagreements:,} disagree[/]" if told.disagreements else "all agree"
    console.print(f"{told.fields:,} fields of {told.pairs:,} records were derived again from their decisions: {verdict}.", soft_wrap=True)
    if told.own:
        console.print(f"{told.own:,} more are kept by Tandem itself, without decisions (links).", soft_wrap=True)
    if told.let_go:
        since = f"; all since {moment(told.since_ms)} are kept" if told.since_ms else ""
        console.print(f"Of {told.let_go:,} fields the decisions have been let go{since} (retention.decisions_days).", soft_wrap=True)


def print_chained(console: Console, told: Chained) -> None:
    """What is not as it was chained, then what was proved."""
    if told.examples:
        table = Table("day", "block", "what is wrong", box=box.SIMPLE, pad_edge=False)
        for each in told.examples:
            table.add_row(each.day, str(each.block), each.why)
        console.print(table)
    if not told.blocks and not told.faults:
        console.print(f"Nothing is chained yet ({told.unsealed:,} blocks of decisions wait for it).")
        return
    verdict = f"[red]{told.faults:,} faults[/]" if told.faults else "none was changed, taken out, put in or moved"
    span = f" from {moment(told.since_ms)} to {moment(told.until_ms)}" if told.blocks else ""
    console.print(f"{told.decisions:,} decisions in {told.blocks:,} blocks{span}: {verdict}.", soft_wrap=True)
    anchors = f"{told.anchors:,} anchors on Kafka {'were looked at' if told.faults else 'agree'}"
    asked = anchors if told.anchors_asked else "The anchors on Kafka were not asked"
    console.print(f"{asked}; {told.unsealed:,} blocks wait to be chained.")
