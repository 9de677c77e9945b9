"""What a sandbox system hands to the kernel, and the one way in which its state changes."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.faults import FaultBoard
from infra.sandbox.kernel.journal import Entry, Journal
from infra.sandbox.kernel.meters import Meters

CLOCK_OP = "_clock"


class VerbRefusedError(ValueError):
    """A control verb can't be carried out as asked (the gateway answers 400 with this text)."""


Verb = Callable[[bytes], Awaitable[Any]]
"""Takes the request body as sent (JSON, or NDJSON for loads), returns what is answered as JSON. Raises VerbRefusedError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The parts of one running system. `name` is `salesforce` or `marketo`."""

    name: str
    journal: Journal
    clock: Clock
    faults: FaultBoard
    meters: Meters
    verbs: Mapping[str, Verb]
    """Served as `POST /{name}/{verb}` by the gateway; a verb may contain `/`."""
    objects: Callable[[], Sequence[str]]
    """Names that `dump` knows."""
    dump: Callable[[str], Iterator[Mapping[str, Any]]]
    """Every live record of an object as stored."""
    extra_meters: Callable[[], Mapping[str, Any]] = dict
    """Merged into the meters' report (windows, quotas)."""

    def advance(self, seconds: float) -> int:
        """Moves the clock and journals it; returns the offset in ms. ValueError for a negative number."""
        offset_ms = self.clock.advance(seconds)
        entry = Entry(self.clock.now_ms(), "sandbox", CLOCK_OP, "Clock", "", None, {"offset_ms": offset_ms})
        self.journal.append([entry])
        return offset_ms


def restore(journal: Journal, clock: Clock, apply: Callable[[Entry], None]) -> int:
    """Rebuilds memory from the journal: clock entries set the clock, all others go to `apply`. Returns how many there were.

    A system applies its own live changes through the same `apply`, in the same synchronous section in which it appends them: that is why
    history and data can't disagree.
    """
    count = 0
    for entry in journal.replay():
        count += 1
        if entry.op == CLOCK_OP and entry.after is not None:
            clock.restore(int(entry.after["offset_ms"]))
        else:
            apply(entry)
    return count
