"""The shapes that Marketo's REST answers are given at our border."""

from dataclasses import dataclass, field
from typing import Any

from streams.wire.events import Value

APPLIED = frozenset({"created", "updated", "deleted", "added"})
"""Record statuses that say it was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one record of a batch: `created`, `updated`, `deleted`, or `skipped` with Marketo's code and words."""

    id: str | None
    status: str
    code: str = ""
    message: str = ""

    @property
    def applied(self) -> bool:
        """Whether the record was written."""
        return self.status in APPLIED


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncAnswer:
    """Results in input order. `request_id` holds several ids, comma-separated, when the batch needed more than one call."""

    request_id: str
    results: list[ItemResult]
    until: int = 0
    """The latest moment at which the last of it may have been done (ms, the server's clock)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """One person, or another record, as a read showed it, typed as JSON gave it, at some moment from `at` to `until` (server clock, ms).

    Every requested field is present; one that Marketo left out is None (an absent field is an empty one).
    """

    id: str
    fields: dict[str, Value]
    at: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a feed. `token` leads on, also after the last page (`more` false): keep it for the next poll."""

    rows: list[Any]
    token: str
    more: bool
    at: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PagingToken:
    """A token minted from a date, and the server's clock when it was."""

    token: str
    server_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldInfo:
    """One field of an object. `number`: its numeric id as activities use it (only `describe` tells)."""

    name: str
    label: str
    type: str
    length: int | None = None
    updateable: bool = True
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """An object: its fields, the fields (or sets of them) that can be searched by, and those that name a record."""

    fields: list[FieldInfo]
    searchable: list[list[str]]
    id_field: str = "id"
    dedupe: list[str] = field(default_factory=list)
    """By which two records are known to be one; of people the caller says by which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityType:
    """One type of the activity log."""

    id: int
    name: str
    attributes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Calls of the current day, in all and by API user."""

    date: str
    total: int
    users: dict[str, int]
