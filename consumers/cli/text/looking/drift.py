"""`tandem drift` for people."""

from collections.abc import Sequence
from math import ceil

from rich.console import Console
from rich.markup import escape

from consumers.audit.compare import Class
from consumers.audit.repair import Repair
from consumers.reports.clock import moment
from consumers.reports.standing.drift import Differing, Drift
from streams.wire.events import Value

_NAMES = {
    Class.TRUE_DRIFT: "true drift",
    Class.IN_FLIGHT: "in flight",
    Class.HELD: "held",
    Class.REFUSED: "refused",
    Class.RULE_BLOCKED: "so by the rules",
    Class.UNMAPPED: "not kept in step",
    Class.HIDDEN: "hidden",
}


def print_drift(console: Console, told: Drift, *, share: int) -> None:
    """The differences, how many there are of each class, and how far the proof has come."""
    for each in told.differences:
        console.print(_line(each), markup=False)
    count = told.true_drift
    console.print(f"[bold]True drift: {count:,}[/]" if count else "[bold]No true drift is known.[/]")
    for obj, counts in told.counts.items():
        words = ", ".join(f"{number:,} {_NAMES[Class(name)]}" for name, number in counts.items())
        console.print(f"{obj or 'unreadable'}: {words}", markup=False)
    _proofs(console, told, share)


def _line(each: Differing) -> str:
    what = f"{each.object} {each.record}{f' {each.field}' if each.field else ''}"
    values = f": Salesforce {_shown(each.salesforce)}, Marketo {_shown(each.marketo)}" if each.field else ""
    return f"{_NAMES[each.klass]}: {what}{values}. {each.why} (since {moment(each.found_ms)}). To do: {each.remedy}."


def _proofs(console: Console, told: Drift, share: int) -> None:
    if not told.proofs:
        why = "it is switched off (audit.calls_percent: 0)" if not share else "no worker has begun it (tandem run --role audit)"
        console.print(f"Nothing was compared yet: {why}.")
        return
    for each in told.proofs:
        when = f"proven {moment(each.proven_ms)}" if each.rounds else "not proven as a whole yet"
        calls = f"{each.salesforce_calls:,} calls to Salesforce, {each.marketo_calls:,} to Marketo"
        sides = f", {each.not_on_both_sides:,} of them not on both sides by the rules" if each.not_on_both_sides else ""
        console.print(f"{each.object}: {when}; {each.records:,} records{sides}, {calls}: {_days(each.days)}")
        if each.why:
            console.print(f"{each.object} can't be compared: {each.why} It is tried again within ten minutes.", markup=False)
    console.print(f"With {share} % of the day's calls a full proof takes {_days(told.days)}.")


def _days(days: float) -> str:
    if days == float("inf"):
        return "for ever: it may make no calls"
    if days < 1:
        return f"{max(1, ceil(days * 24)):,} h" if days else "no time"
    return f"{days:,.1f} days"


def _shown(value: Value) -> str:
    return "nothing" if value is None else f"{value!r}" if isinstance(value, str) else str(value)


def print_repairs(console: Console, repairs: Sequence[Repair], *, applied: bool) -> None:
    """What is, or would be, written."""
    if not repairs:
        console.print("There is no true drift to mend.")
    for each in repairs:
        what = f"{each.object} {each.record} ({', '.join(name or 'the record' for name in each.fields)})".strip()
        if each.why:
            console.print(f"{what}: can't be mended: {each.why}", markup=False)
        elif not each.writes:
            console.print(f"{what}: nothing is written; the ledger learns what is there", markup=False)
        for write in each.writes:
            values = ", ".join(f"{name} = {_shown(value)}" for name, value in write.fields.items())
            console.print(f"{what}: {write.do} in {write.system}{': ' if values else ''}{values}", markup=False)
    if repairs:
        console.print(escape("Done: the workers write it." if applied else "Nothing was changed; --apply does it."))
