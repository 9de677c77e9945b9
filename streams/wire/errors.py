"""The three ways in which work on a system can fail, and the one in which it can end in doubt.

Adapters translate whatever a system or a library raises into these at their border; loops catch these and nothing broader.
"""

from enum import StrEnum


class Cause(StrEnum):
    """Why changes were not told: the words of the ledger of coverage."""

    REPLAY_ID = "replay_id"
    """A position of the stream that its server does not hold: too old, never its own, or saved so that it can't be read."""
    NUMBERING = "numbering"
    """The stream's positions have begun anew, or belong to another channel."""
    OVERFLOW = "overflow"
    """More changes in one transaction than the stream tells of."""
    WILDCARD = "wildcard"
    """Records that the stream does not name."""
    SILENT = "silent"
    """The stream was read to its end, and had not told of changes that a poll has found."""
    TOKEN = "token"  # noqa: S105 - a cause, not a secret
    """A paging token that is lost; or the saved position of a poll or a feed that can't be read."""
    PRUNED = "pruned"
    """Not read for longer than the system keeps it."""
    OFFSETS = "offsets"
    """Kafka does not hold what comes next."""
    TOPIC = "topic"
    """A topic is another one than was read."""
    SIGHT = "sight"
    """What Tandem's user could not see for a time, or what was not mapped."""


class SyncError(Exception):
    """Root of what adapters raise. The message says what, where and why, and never holds a secret or personal data."""


class Retry(SyncError):  # noqa: N818 - a verdict on a call, read as a word of the design
    """Nothing was changed; the same call may succeed later.

    `after_seconds`: how long to wait at least. `everyone`: the whole system is concerned (quota, outage, throttling),
    not only this call, so other callers should wait as well.
    """

    def __init__(self, message: str, *, after_seconds: float = 1.0, everyone: bool = False) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds
        self.everyone = everyone


class Unknown(Retry):
    """The call may or may not have been applied (answer lost, timeout, Marketo 502/604/611): a read or the feed must tell."""


class Reject(SyncError):  # noqa: N818 - a verdict on a call, read as a word of the design
    """The system refuses this request for good: `code` and the message are the system's own words."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Fatal(SyncError):  # noqa: N818 - a verdict on a call, read as a word of the design
    """Wrong configuration, missing permission, broken credentials: a person has to act. `remedy` says what to do."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.remedy = remedy


class Unprepared(Fatal):
    """The configuration is right and everything answers, but a step of setting up has not been done; `remedy` names its command."""


class Gap(SyncError):  # noqa: N818 - a verdict on a call, read as a word of the design
    """A source can't continue from its position: everything since `since_ms` (server clock) must be read again.

    Raised for an expired replay id, a lost paging token, offsets out of range, an overflow.
    `resume`: the position to go on from once the gap is recorded for good (None: from the source's beginning).
    `object`: the kind of record concerned, as on the topics (empty: all of this source). `cause`: None where it is none of the known.
    """

    def __init__(
        self,
        message: str,
        *,
        since_ms: int | None = None,
        resume: str | None = None,
        object: str = "",  # noqa: A002 - the word of the topics
        cause: Cause | None = None,
    ) -> None:
        super().__init__(message)
        self.since_ms = since_ms
        self.resume = resume
        self.object = object
        self.cause = cause
