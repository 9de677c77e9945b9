"""Versions of the rules as people read them."""

from rich.console import Console

from consumers.answers.rules import GoingBack, WentBack
from consumers.reports.clock import moment


def print_going_back(console: Console, told: GoingBack) -> None:
    """What would be otherwise, then the lines."""
    console.print(f"Version {told.version}, in use since {moment(told.since_ms)}; the present one is {told.present}.", markup=False)
    for line in told.changes:
        console.print(f"  {line}", markup=False, soft_wrap=True)
    if not told.lines:
        console.print("The configuration says so already: nothing would be written.")
        return
    console.print()
    for line in told.lines:
        console.print(line, markup=False, soft_wrap=True)
    console.print("\nNothing was done; --apply writes the configuration file.")


def print_went_back(console: Console, told: WentBack) -> None:
    """What was written, and what is to be done."""
    console.print(f"{told.file} has the rules of version {told.version}; as it was: {told.before}.", markup=False, soft_wrap=True)
    console.print(told.next, markup=False, soft_wrap=True)
