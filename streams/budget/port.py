"""The port through which every call to a system asks for leave: the limits are the system's, shared by all workers."""

from contextlib import AbstractAsyncContextManager
from enum import IntEnum
from typing import Protocol


class Lane(IntEnum):
    """What a call is for. Lower goes first when calls are short; the same order as the lanes of owed writes."""

    LIVE = 0
    REPAIR = 1
    COPY = 2


class Ticket(Protocol):
    """Leave for one call."""

    def sent(self) -> None:
        """The call goes out only now, some time after the leave: from now on it counts."""
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
