"""Plans and rebuilt ledgers as people read them."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.audit.mending import Written
from consumers.desk.replaying import Applied
from consumers.ledger.versions import Version
from consumers.replay.pending import Pending
from consumers.replay.planning import Example, Planned
from consumers.replay.rebuild import Compared, Rebuilt
from consumers.reports.clock import moment
from consumers.subscriptions.masking import masked_value

_SHOWN = 10


def shown(told: Planned, *, reveal: bool) -> Planned:
    """The plan with the values of its examples masked, unless they are to be seen."""
    if reveal:
        return told
    hidden = [dataclasses.replace(each, examples=[_masked(example) for example in each.examples]) for each in told.differences]
    return dataclasses.replace(told, differences=tuple(hidden))


def shown_fields(told: Sequence[Pending], *, reveal: bool) -> list[Pending]:
    """The same of what would be written now."""
    if reveal:
        return list(told)
    return [dataclasses.replace(each, fields={name: masked_value(value) for name, value in each.fields.items()}) for each in told]


def shown_applied(told: Applied, *, reveal: bool) -> Applied:
    """The same of what a part of the log comes to today."""
    if reveal:
        return told
    return dataclasses.replace(told, outcomes=[dataclasses.replace(each, writes=_hidden(each.writes)) for each in told.outcomes])


def _hidden(writes: Sequence[Written]) -> tuple[Written, ...]:
    return tuple(
        dataclasses.replace(each, fields={name: masked_value(value) for name, value in each.fields.items()}) for each in writes
    )  # fmt: skip


def print_applied(console: Console, told: Applied, *, done: bool) -> None:
    """Record by record, and how many are of one mind."""
    for each in told.outcomes[:_SHOWN]:
        console.print(f"{each.what} ({each.record or '-'}): {each.why or '; '.join(each.steps)}", markup=False)
        for write in each.writes:
            values = ", ".join(f"{name} = {value!r}" for name, value in write.fields.items())
            console.print(f"  {write.do} in {write.system}{': ' if values else ''}{values}", markup=False, soft_wrap=True)
    if len(told.outcomes) > _SHOWN:
        console.print(f"  and {len(told.outcomes) - _SHOWN:,} more (--json has all)")
    failed = sum(1 for each in told.outcomes if each.why)
    parts = [
        f"{told.changes:,} records {'are written by the workers now' if done else 'would be written'}",
        f"{told.in_step:,} are as agreed",
    ]
    parts += [f"{told.unknown:,} are not known to the ledger"] if told.unknown else []
    parts += [f"{failed:,} can't be judged"] if failed else []
    console.print(f"{', '.join(parts)}.", soft_wrap=True)


def print_plan(console: Console, told: Planned) -> None:
    """By kind and field, then some examples of each."""
    if not told.changes:
        console.print(f"Nothing would be otherwise: {told.judged:,} outcomes tried.")
        return
    names = ("object", "field", "outcomes", "conflicts gained", "conflicts lost", "records that end otherwise")
    table = Table(*names, box=box.SIMPLE, pad_edge=False)
    for each in told.differences:
        counts = (each.outcomes, each.conflicts_gained, each.conflicts_lost, each.records)
        table.add_row(each.object, each.field, *(f"{count:,}" for count in counts))
    console.print(table)
    for each in told.differences:
        for example in each.examples:
            console.print(escape(_line(each.field, example)), soft_wrap=True)
    more = told.writes - told.writes_now
    differ = sum(each.outcomes for each in told.differences)
    console.print(f"{differ:,} of {told.judged:,} outcomes differ; {abs(more):,} records {'fewer' if more < 0 else 'more'} to be written.")
    if told.unplaced:
        console.print(f"{told.unplaced:,} decisions could not be tried: nothing says what sort of record they are about.")


def print_pending(console: Console, told: Sequence[Pending]) -> None:
    """How much of what, then the first of it."""
    if not told:
        console.print("Nothing is to be written.")
        return
    counts = Counter((each.system, each.object, each.what, each.later) for each in told)
    for (system, obj, what, later), count in sorted(counts.items()):
        console.print(f"{count:,} {obj} to {what} in {system}{' (waiting)' if later else ''}")
    for each in told[:_SHOWN]:
        fields = ", ".join(f"{name} = {value!r}" for name, value in each.fields.items())
        who = f"{each.salesforce or '-'} / {each.marketo or '-'}"
        console.print(escape(f"  {each.what} in {each.system}: {each.object} {who}  {fields}"), soft_wrap=True)
    if len(told) > _SHOWN:
        console.print(f"  and {len(told) - _SHOWN:,} more (--json has all)")


def print_rebuilt(console: Console, built: Rebuilt, compared: Compared | None) -> None:
    """What was built, what it lacks, and how it compares."""
    rate = built.decisions / built.seconds if built.seconds else 0
    span = f" of {moment(built.first_ms)} to {moment(built.last_ms)}" if built.decisions else ""
    console.print(f"{built.pairs:,} pairs from {built.decisions:,} decisions{span}, {built.events:,} with their events", soft_wrap=True)
    console.print(f"in {built.seconds:.1f} s, {rate:,.0f} decisions a second")
    for hole in built.holes:
        console.print(f"  lacks: {hole}", soft_wrap=True)
    if compared is None:
        return
    console.print(f"beside the live ledger: {compared.equal:,} pairs equal, {compared.different:,} different, {compared.missing:,} missing")
    for each in compared.examples:
        console.print(escape(f"  {each}"), soft_wrap=True)


def print_versions(console: Console, told: Sequence[Version]) -> None:
    """Each with what it changed."""
    if not told:
        console.print("No worker has run under any rules yet.")
    for each in told:
        console.print(f"[bold]{each.number}[/]  since {moment(each.since_ms)}  {each.digest}")
        for change in each.changed[:_SHOWN]:
            console.print(escape(f"    {change}"), soft_wrap=True)
        if len(each.changed) > _SHOWN:
            console.print(f"    and {len(each.changed) - _SHOWN:,} more (--json has all)")


def _line(name: str, told: Example) -> str:
    who = f"{told.salesforce or '-'} / {told.marketo or '-'}"
    ends = f"agreed {told.agreed!r} -> {told.would_be!r}"
    return f"  {name} of {who}, {moment(told.at)}: {told.value!r} in {told.side} was {told.verdict}, would be {told.becomes}; {ends}"


def _masked(told: Example) -> Example:
    values = {name: masked_value(getattr(told, name)) for name in ("value", "agreed", "would_be")}
    return dataclasses.replace(told, **values)
