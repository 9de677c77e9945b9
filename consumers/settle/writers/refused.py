"""What becomes of a row that a system refused: passing or final. The systems' codes are classified beside their clients."""

import re
from collections.abc import Sequence

from consumers.merge.writing.plan import Delete, Merge
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.wire.errors import Retry, SyncError, Unknown
from streams.wire.systems import PERSON

NO_OWNER = "718"
"""A whole call is refused since a record of it names an owner who isn't there."""
_NO_LEAD = "1004"
_NO_PARENT = frozenset({_NO_LEAD, "1013", NO_OWNER})
"""There is no such record (Marketo, record-level error codes)."""


def passes(errors: Sequence[SyncError], reason: str) -> Outcome | None:
    """The outcome of a row with these errors, if one of them may pass; None: they are all final.

    Where a final one stands beside a passing one, the row is tried again, and the final one is told then.
    """
    waits = [error.after_seconds for error in errors if isinstance(error, Retry)]
    if not waits:
        return None
    doubtful = any(isinstance(error, Unknown) for error in errors)
    return Outcome(fate=Fate.UNKNOWN if doubtful else Fate.BUSY, reason=reason, after_seconds=max(waits))


def orphaned(item: Item, code: str, message: str) -> Outcome | None:
    """The outcome of a row that names a parent which isn't there: it was a moment ago. None: that is not what is wrong with it."""
    if code not in _NO_PARENT or isinstance(item.order, (Delete, Merge)):
        return None
    named = [str(out.value) for out in item.order.fields if out.parent and out.value is not None]
    unnamed = code == NO_OWNER or (code == _NO_LEAD and item.order.object != PERSON)
    told = tuple(each for each in named if each in message) or (tuple(named) if unnamed else ())
    return Outcome(fate=Fate.BUSY, reason=f"{code} {message}".strip(), missing=told) if told else None


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
