"""Schemas in a registry, for people."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from consumers.subscriptions.registered import Stand, Subject


def print_subjects(console: Console, found: Sequence[Subject], *, registered: bool) -> None:
    """A line each, and what comes of all."""
    counts = Counter(each.stand for each in found)
    done = registered and not counts[Stand.INCOMPATIBLE]
    for each in found:
        how = f"registered as {each.id}" if done and each.stand is not Stand.SAME else f"{each.stand}{f' ({each.id})' if each.id else ''}"
        console.print(f"{each.name}: {how}", markup=False, soft_wrap=True)
        for why in each.why:
            console.print(f"  {why}", markup=False, soft_wrap=True)
    if counts[Stand.INCOMPATIBLE]:
        console.print("Not compatible with what the registry has: nothing is registered. Look at the subject's compatibility there.")
    elif not registered and counts[Stand.SAME] < len(found):
        console.print("--register registers what is new or has changed.")
