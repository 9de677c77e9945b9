"""What the desk's commands print for people."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.answers.desk.waiting import HoldShown
from consumers.desk.deciding import AsRule
from consumers.desk.doing import Outcome
from consumers.desk.letters import LetterShown
from consumers.desk.waiting import Ambiguity, Conflict, Group
from consumers.reports.clock import moment
from consumers.reports.records.plain import spelled
from streams.wire.events import Value

_SHOWN = 20


def print_groups(console: Console, groups: Sequence[Group], *, nothing: str) -> None:
    """A paragraph for each cause."""
    if not groups:
        console.print(nothing)
    for each in groups:
        since = f", since {moment(each.since_ms)}" if each.since_ms else ""
        console.print(f"[bold]{each.count:,}[/] {escape(each.what)}{since}  [dim]({escape(each.cause)})[/]")
        console.print(f"    {escape(each.remedy)}")
        more = " …" if each.count > len(each.examples) else ""
        console.print(f"    [dim]{escape('; '.join(each.examples))}{more}[/]")


def print_letters(console: Console, letters: Sequence[LetterShown]) -> None:
    """Each in full."""
    if not letters:
        console.print("There is no such dead letter.")
    for each in letters:
        place = f", {each.topic}/{each.partition}@{each.offset}" if each.topic else ""
        state = f", {each.closed_how} {moment(each.closed_ms)}" if each.closed_ms else ""
        console.print(
            f"Letter {each.number} of {moment(each.at)}, {each.stage}{place}{state}: {each.record or 'no record named'}", markup=False
        )
        console.print(f"  {each.what}", markup=False)
        console.print(f"  {each.reason}", markup=False)
        console.print(f"  {each.remedy}", markup=False)
        for attempt in each.attempts:
            console.print(f"  {moment(attempt.at)} {attempt.who}: {attempt.what}", markup=False)
        if each.original:
            console.print(f"  {each.original}", markup=False)


def print_hold(console: Console, told: HoldShown) -> None:
    """Why one pair waits; its candidates side by side."""
    if not told.lines and told.ambiguity is None:
        console.print("Nothing of it waits for a person.")
    for line in told.lines:
        each = line.listed
        field = f", {each.field}" if each.field else ""
        console.print(f"pair:{each.pair} {each.person}{field}: {line.cause.what}", markup=False)
        console.print(f"  {spelled(each.why)}", markup=False)
        console.print(f"  {line.cause.remedy}", markup=False)
    if told.ambiguity is not None:
        _print_candidates(console, told.ambiguity)


def _print_candidates(console: Console, told: Ambiguity) -> None:
    people = (told.held, *told.candidates)
    table = Table("", *(f"pair:{each.pair}" for each in people), box=box.SIMPLE, pad_edge=False)
    table.add_row("Salesforce", *(each.salesforce_id for each in people))
    table.add_row("Marketo", *(each.marketo_id for each in people))
    for key in told.fields:
        table.add_row(key, *(escape(shown(each.values.get(key))) for each in people))
    console.print(table)
    if told.candidates:
        console.print(f"Choose: tandem holds resolve pair:{told.held.pair} --with pair:{told.candidates[0].pair}", markup=False)


def print_conflicts(console: Console, conflicts: Sequence[Conflict]) -> None:
    """What each side says, and what stood before."""
    if not conflicts:
        console.print("Nothing of it waits for a person.")
    for each in conflicts:
        console.print(f"pair:{each.pair} {each.name} ({each.object}), {each.field}: {each.why}", markup=False)
        base = shown(each.base) if each.base_known else "(not kept any more)"
        for name, value in (("Salesforce", shown(each.salesforce)), ("before", base), ("Marketo", shown(each.marketo))):
            console.print(f"  {name:<10}  {value}", markup=False)
        console.print(f"  rule: {each.rule}", markup=False)


def print_rule(console: Console, told: AsRule) -> None:
    """Lines for the configuration, as they are to be put there."""
    console.print(told.yaml, markup=False, end="")
    console.print(f"It would have decided {told.decides:,} of the conflicts that wait now. {told.note}", markup=False)


def print_outcomes(console: Console, outcomes: Sequence[Outcome], *, applied: bool, nothing: str) -> None:
    """What becomes, or would become, of each."""
    if not outcomes:
        console.print(nothing)
        return
    for each in outcomes[:_SHOWN]:
        record = f" ({each.record})" if each.record else ""
        console.print(f"{each.what}{record}: {each.why or '; '.join(each.steps)}", markup=False)
        for write in each.writes:
            values = ", ".join(f"{name} = {shown(value)}" for name, value in write.fields.items())
            console.print(f"  {write.do} in {write.system}{': ' if values else ''}{values}", markup=False)
    if len(outcomes) > _SHOWN:
        console.print(f"… and {len(outcomes) - _SHOWN:,} more (--json has them all)")
    failed = sum(1 for each in outcomes if each.why)
    done = len(outcomes) - failed
    console.print(f"{done:,} done; the workers write what is owed." if applied else f"Nothing was changed; --apply does it for {done:,}.")
    if failed:
        console.print(f"{failed:,} can't be done.")


def shown(value: Value) -> str:
    """A value of a field, as people read it on a terminal."""
    return "(nothing)" if value is None else str(value)
