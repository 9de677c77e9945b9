"""What check and setup print for people."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.cli.systems import CheckReport, SetupReport
from consumers.errands.asking import AskedLine
from consumers.fitting.check import Level
from consumers.reports.clock import moment

_COLOURS = {Level.PROBLEM: "red", Level.WARNING: "yellow", Level.NOTE: "dim"}


def print_asked(console: Console, lines: Sequence[AskedLine]) -> None:
    """What was asked for, a line each."""
    if not lines:
        console.print("Nothing was asked for.")
        return
    table = Table("when", "what", "person", "by", "", "why", box=box.SIMPLE, pad_edge=False)
    for each in lines:
        colour = {"done": "green", "failed": "red"}.get(each.state, "yellow")
        why = ": ".join(part for part in (each.code, each.reason) if part)
        table.add_row(moment(each.at_ms), each.what, each.person, escape(each.asked_by), f"[{colour}]{each.state}[/]", escape(why))
    console.print(table)


def print_check(console: Console, report: CheckReport, *, notes: bool) -> None:
    """Findings as a table, problems first, notes only when asked for; a line that sums up."""
    for line in (*report.refused, *report.unreachable):
        console.print(f"[red]{escape(line)}[/]")
    for step in report.findings:
        if not step.object:  # a step of setting up, before anything can be compared
            console.print(f"[red]{escape(step.message)}. {escape(step.remedy)}[/]")
    shown = [each for each in report.findings if each.object and (notes or each.level is not Level.NOTE)]
    if shown:
        table = Table("", "object", "field", "what", "remedy", box=box.SIMPLE, pad_edge=False)
        for each in shown:
            level = f"[{_COLOURS[each.level]}]{each.level}[/]"
            table.add_row(level, each.object, each.field, escape(each.message), escape(each.remedy))
        console.print(table)
    if report.canary:
        console.print(f"Canary (person {report.canary.person}): {escape(report.canary.detail)}.")
    if not report.fields:
        return
    console.print(f"Signed in as {escape(report.salesforce_user)} (Salesforce) and {escape(report.marketo_user)} (Marketo).")
    hint = "" if notes or not report.notes else " (tandem check --notes)"
    verdict = f"[red]{report.problems} problem(s)[/]" if report.problems else "[green]no problems[/]"
    console.print(f"{report.fields} mapped fields compared: {verdict}, {report.warnings} warning(s), {report.notes} note(s){hint}.")


def print_setup(console: Console, report: SetupReport) -> None:
    """What was, or would be, made in Marketo; what an admin has to do in Salesforce."""
    verb = "Created" if report.created else "To be created (with --yes)"
    for each in report.marketo:
        console.print(f"{verb} in Marketo: {each.name} ({each.data_type}), {escape(each.what)}.")
    for words in report.types:
        console.print(f"{verb} in Marketo: {escape(words)}.")
    for sentence in report.for_admin:
        console.print(f"For the Salesforce admin: {escape(sentence)}")
    if report.flow_steps:
        console.print("Flow steps that the Marketo admin can install (Admin > Service Providers; infra/docs/flow-steps.md):")
    for address in report.flow_steps:
        console.print(f"  {escape(address)}")
    if report.complete:
        console.print("[green]Everything that Tandem needs is there.[/]")
