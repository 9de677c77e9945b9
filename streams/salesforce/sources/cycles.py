"""A cycle of the poll as values: where it is, and what it came to."""

import msgspec

from streams.wire.systems import Object


class CycleReport(msgspec.Struct, frozen=True, kw_only=True):
    """One complete cycle. Counts are rows; `start_ms`..`end_ms` is the window on the server's clock; `covered`: gaps that are read now."""

    object: Object
    start_ms: int
    end_ms: int
    read: int
    known: int
    relayed: int
    deleted: int
    calls: int
    seconds: float
    covered: tuple[int, ...] = ()


class PollMark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The position: complete up to `done_ms`; within the window `start_ms`..`end_ms` the rows up to (`stamp_ms`, `id`) were yielded.

    `ahead_ms`: by so much the window reaches beyond what will be complete after it.
    """

    object: Object
    done_ms: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    stamp_ms: int = 0
    id: str = ""
    ahead_ms: int = 0

    def text(self) -> str:
        """As saved."""
        return msgspec.json.encode(self).decode()


class Count(msgspec.Struct):
    """Rows so far."""

    read: int = 0
    relayed: int = 0
    deleted: int = 0
