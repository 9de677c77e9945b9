"""What travels on the change topics: one event for one record, as its system told it."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated, Protocol

import msgspec

from streams.wire.systems import Object, System

Value = str | int | float | bool | None
"""A typed field value as its system gives it in JSON: Salesforce REST shapes, Marketo lead API shapes."""

Moment = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]
"""Milliseconds since the epoch, up to the end of the year 9999. Checked where events are decoded."""
Place = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A place in a feed."""
WireValue = str | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | float | bool | None
"""A `Value` of a size that everything behind the border can keep; the codec makes text of a longer number."""


class Happened(StrEnum):
    """What a source says happened."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    UNDELETED = "undeleted"
    READ = "read"
    """The record as a read showed it (poll row, re-read, first copy): no author, ahead of the feed."""
    GAP = "gap"
    """Something happened to this record, the feed can't say what: read it."""


class ChangeEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One record, one change (or one reading of it). The value of a message on a change topic, as JSON.

    Times are milliseconds since the epoch on the *record's system's* clock.
    """

    system: System
    object: Object
    id: str
    kind: Happened
    source: str
    """Which source: `cdc`, `activities`, `poll`, `read`, `replay`."""
    at: Moment
    """Feed: when the change was made, as the system stamps it (often to the second). Read: the earliest moment the reading may show."""
    until: Moment = 0
    """Read: the latest moment the reading may show. Feed: 0."""
    seq: Place = 0
    """Salesforce: the replay id, growing along the feed of one record. Marketo: 0 (its order is `at`, then `before` -> `fields`)."""
    epoch: Place = 0
    """Salesforce: which numbering `seq` belongs to; another channel, or an org that was moved, begins another one."""
    ref: str = ""
    """The system's own name of this change, for recognising a redelivery: Marketo GUIDs (comma-separated), else empty."""
    author: str | None = None
    """Salesforce: `commitUser`, 18 characters. Marketo: `Modifying User` where the instance delivers it."""
    call: str | None = None
    """What names the call or transaction: Salesforce `transactionKey`, Marketo `Request Id`."""
    origin: str | None = None
    """How it was changed, in the system's words: Salesforce `changeOrigin`, Marketo `Source` / `Reason`."""
    fields: dict[str, WireValue] = {}
    """Field -> value after the change, by API name, only what the source told; null = empty."""
    before: dict[str, WireValue] | None = None
    """Field -> value before the change where the feed tells it (Marketo's Old Value, decoded)."""
    relayed_at: Moment = 0
    """When the relay took it in, on our clock (for latencies only)."""
    into: str = ""
    """The record that this one is part of from now on, on the same system: a converted lead's contact, a merge's winner. Else empty."""
    into_object: str = ""
    """Its object, where it is another one than `object`."""
    modified_by: str | None = None
    """Read: who changed the record last, whichever of its fields: Salesforce `LastModifiedById`, 18 characters. Else None."""
    modified_at: Moment = 0
    """Read: when that was, as the system stamps it: Salesforce `LastModifiedDate`. 0: not told."""

    @property
    def is_read(self) -> bool:
        """Whether this is a reading of the record rather than a change in the feed."""
        return self.kind is Happened.READ


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What a source yields: events, the position behind the last of them, and what could not be decoded.

    `position` is opaque text to everyone but the source; it is saved only once all events and dead letters are acknowledged
    by Kafka. `caught_up` says that nothing more was waiting (for latency of the live source and for tests).
    """

    events: list[ChangeEvent]
    position: str
    dead: list["DeadLetter"] = []
    caught_up: bool = False


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that cannot be used, with what is needed to try again. The value of a message on `crm.dead-letters.v1`."""

    stage: str
    """Where it failed: `salesforce.cdc`, `marketo.activities`, `observe`, ..."""
    reason: str
    """What, where, why and what to do, in one sentence; no personal data."""
    original: bytes
    """The bytes as received (JSON of what a library had already parsed). Base64 on the wire."""
    key: str = ""
    topic: str = ""
    partition: int = -1
    offset: int = -1
    at: int = 0


class Source(Protocol):
    """A stream of change events out of a system.

    Contract: `batches(position)` starts after `position` (None = from the configured beginning), yields in the source's own
    order, never skips: an event may be yielded again after a restart, none may be left out. Raises `Gap` when it can't go on
    from `position`, `Retry` / `Fatal` otherwise. Cancelling the iteration releases everything.
    """

    name: str

    def batches(self, position: str | None) -> "AsyncBatches":
        """Iterate from `position`, for ever (live sources) or until done (one cycle)."""
        ...


class AsyncBatches(Protocol):
    """An asynchronous iterator of batches (an async generator is one)."""

    def __aiter__(self) -> AsyncIterator[Batch]: ...
    async def __anext__(self) -> Batch: ...
    async def aclose(self) -> None: ...
