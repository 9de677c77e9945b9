"""Salesforce delivers so many change events in any 24 hours; without them changes are only found by the polls."""

from collections.abc import Sequence
from typing import Any

from consumers.ledger.allowances import events_of
from consumers.troubles.trouble import Grade, Trouble
from streams.budget.reckoning.allowance import Allowance


async def events_scarce(connection: Any, expected: Any) -> Sequence[Trouble]:
    """One trouble, when they don't last."""
    told = await events_of(connection, expected.now_ms)
    if told is None or (told.used_up_ms is None and not told.saving):
        return []
    return [Trouble(where="events.salesforce", what=scarce(told, expected.now_ms), grade=Grade.ATTENTION)]


def scarce(told: Allowance, now_ms: int) -> str:
    """What it comes to, and what can be done."""
    counted = f"{told.used:,} of {told.most:,} in 24 hours"
    hours = max(0.0, ((told.used_up_ms or now_ms) - now_ms) / 3_600_000)
    when = f"are used up at this rate in {hours:.1f} h" if told.left else "are used up"
    if told.saving:
        return (
            f"Salesforce's delivered change events run short ({counted}): until there are plenty again Tandem follows the channel without "
            f"its own writes (salesforce.quiet_channel), and reads what it is about to write"
        )
    return (
        f"Salesforce's delivered change events {when} ({counted}); until some come free again changes there are found by the polls alone. "
        f"Tandem's own writes come back as events, too: buy more of them, or make a channel that leaves them out (salesforce.quiet_channel)"
    )
