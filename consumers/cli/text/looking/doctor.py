"""A diagnosis, for people."""

from rich.console import Console
from rich.markup import escape

from consumers.cli.doctor import Diagnosis, State, worst_first

_COLOURS = {State.FINE: "green", State.WARNING: "yellow", State.PROBLEM: "red"}


def print_diagnosis(console: Console, told: Diagnosis) -> None:
    """A line for each thing, the worst first, with what helps beneath it."""
    for each in worst_first(told.examined):
        colour = _COLOURS[each.state]
        console.print(f"[{colour}]{each.state:<8}[/] [bold]{escape(each.what)}[/]: {escape(each.told.rstrip('.'))}.", soft_wrap=True)
        if each.remedy:
            console.print(f"         {escape(each.remedy)}", soft_wrap=True)
    problems = told.problems
    console.print(f"{problems} problem{'s' if problems != 1 else ''}." if problems else "[green]No problems.[/]")
