"""Merges as the writers make them: what a system says of one that names a record which isn't there. Pure."""

from collections.abc import Collection
from dataclasses import replace

from consumers.merge.writing.plan import Merge
from consumers.settle.writers.port import Fate, Item, Outcome


def after_refusal(item: Item, there: Collection[str], refused: Outcome) -> Outcome:
    """What became of a merge that was refused because a record of it is gone. `there`: those of its records that aren't.

    Where all the losers are gone, it was made before, by us or somebody else. Where only some are, it is planned again once that is told.
    """
    order = item.order
    assert isinstance(order, Merge)  # noqa: S101 - for the type checker
    if order.id not in there:
        return replace(refused, fate=Fate.GONE)
    if not any(loser in there for loser in order.losers):
        return Outcome(fate=Fate.DONE, id=order.id, reason="merged before")
    return replace(refused, fate=Fate.REJECTED, gone=tuple(loser for loser in order.losers if loser not in there))
