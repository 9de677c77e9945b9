"""What becomes of a row that a system refused: passing or final. The systems' codes are classified beside their clients."""

import re
from collections.abc import Sequence

from consumers.merge.plan import Delete, Merge
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.wire.errors import Retry, SyncError, Unknown


def passes(errors: Sequence[SyncError], reason: str) -> Outcome | None:
    """The outcome of a row with these errors, if one of them may pass; None: they are all final.

    Where a final one stands beside a passing one, the row is tried again, and the final one is told then.
    """
    waits = [error.after_seconds for error in errors if isinstance(error, Retry)]
    if not waits:
        return None
    doubtful = any(isinstance(error, Unknown) for error in errors)
    return Outcome(fate=Fate.UNKNOWN if doubtful else Fate.BUSY, reason=reason, after_seconds=max(waits))


def blamed(item: Item, message: str) -> frozenset[str]:
    """The one written field that the message names, if it names just one: Marketo has no list of fields beside its words."""
    if isinstance(item.order, (Delete, Merge)):
        return frozenset()
    named = [
        out.key
        for out in item.order.fields
        if re.search(rf"""['"]{re.escape(out.name)}['"]|\bfield {re.escape(out.name)}\b""", message, re.IGNORECASE)
    ]
    return frozenset(named) if len(named) == 1 else frozenset()
