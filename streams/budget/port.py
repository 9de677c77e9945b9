"""The port through which every call to a system asks for leave: the limits are the system's, shared by all workers."""

from contextlib import AbstractAsyncContextManager
from enum import IntEnum
from typing import Protocol


class Lane(IntEnum):
    """What a call is for. The numbers are stored, with pairs and with what was spent; `LANES` says who goes first when calls are short.

    Owed writes are in the first three only. Whoever makes calls says for each what it is for: `async with budget.call(Lane.AUDIT): ...`,
    or by the `lane` that every call of `MarketoRest` and `SalesforceRest` takes.
    """

    LIVE = 0
    """An edit that somebody has just made, and hearing of it."""
    REPAIR = 1
    """What is in doubt, or may have been missed."""
    COPY = 2
    """The first copy, and what it owes."""
    RECONCILE = 3
    """The polls that come by every few minutes and look whether anything was missed."""
    AUDIT = 4
    """The comparison of both sides, and what else has all the time in the world."""


LANES = (Lane.LIVE, Lane.REPAIR, Lane.RECONCILE, Lane.COPY, Lane.AUDIT)
"""In the order in which they go when calls are short."""
MISSED = (Lane.REPAIR, Lane.RECONCILE)
"""Those that find and mend what was missed: where the live lane would take everything they get a share, since what they read may be what
others have edited."""
OWED = (Lane.LIVE, Lane.REPAIR, Lane.COPY)
"""Those that owed writes are in; their numbers are in this order."""


class Ticket(Protocol):
    """Leave for one call."""

    def sent(self) -> None:
        """The call goes out only now, some time after the leave: from now on it counts."""
        ...

    def taken(self) -> None:
        """The system took the call, whatever else is wrong with it (credentials that have expired): no limit is reached any more. Who ends
        without an error need not say so."""
        ...


class Budget(Protocol):
    """Leave to make one call to one system.

    `async with budget.call(lane): ...` waits until the system's rate, concurrency and daily quota allow one more call,
    whatever other workers do, and holds the place in flight until the block ends. Raises `Retry(everyone=True)` when the day's
    quota is gone (its `after_seconds` reaches to the reset).
    """

    def call(self, lane: Lane) -> AbstractAsyncContextManager[Ticket | None]:
        """Wait for leave, hold it for one call. Whoever makes the call later than at once tells the ticket, if there is one."""
        ...

    async def used_up(self, seconds: float) -> None:
        """The system itself said that a limit is reached (606, 607, 615, REQUEST_LIMIT_EXCEEDED): nobody calls for that long."""
        ...

    async def seen(self, used: int, limit: int) -> None:
        """The system told how much of the day is spent (Salesforce's `Sforce-Limit-Info`)."""
        ...
