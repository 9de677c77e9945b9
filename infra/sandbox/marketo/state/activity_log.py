"""The activity log: rows in commit order, paging tokens, pages as the server scans them.

A page scans one block of all activities and returns those that were asked for, so `moreResult` may come with few or no rows. A token is a
place in commit order together with the date below which rows are left out (for a token made from a date).
"""

import base64
import binascii
import struct
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.border.origin import Origin

NEW_LEAD, CHANGE_VALUE, MERGE_LEADS, DELETE_LEAD = 12, 13, 32, 37
ADD_TO_LIST, REMOVE_FROM_LIST = 24, 25
ADD_TO_OPPORTUNITY, REMOVE_FROM_OPPORTUNITY, UPDATE_OPPORTUNITY = 34, 35, 36
CHANGE_SCORE = 22
REQUEST_CAMPAIGN, CHANGE_PARTITION, CHANGE_STATUS, CALL_WEBHOOK = 47, 100, 104, 110
CHANGE_MEMBER_DATA, PUSH_LEAD = 123, 145
FIRST_CUSTOM_TYPE = 100_001
"""Ids of custom activity types and of "Add to ..." a custom object begin here."""
BLOCK_ROWS = 1000
"""How many activities of any kind one call scans."""
_DAY_SECONDS = 86_400
RETENTION_SECONDS = {
    DELETE_LEAD: 14 * _DAY_SECONDS,
    **dict.fromkeys((CHANGE_VALUE, CHANGE_SCORE, ADD_TO_LIST, UPDATE_OPPORTUNITY, REQUEST_CAMPAIGN), 90 * _DAY_SECONDS),
}
"""After this long a row of the type may be pruned (activities reference; data retention policy). Other types here are kept."""

_TOKEN = struct.Struct(">BQqI")


class Activity(msgspec.Struct, frozen=True, gc=False):
    id: int
    lead_id: int
    at_s: int
    type: int
    origin: Origin
    primary_id: int | None = None
    primary: str | None = None
    old: str | None = None
    new: str | None = None
    extra: tuple[tuple[str, Any], ...] = ()
    """Attributes that only this type has."""


@dataclass(slots=True)
class Page:
    rows: list[Activity]
    token: str
    more: bool


@dataclass(slots=True)
class ActivityLog:
    rows: list[Activity] = field(default_factory=list)
    commits: list[Activity] = field(default_factory=list)
    """The same rows in the order in which they were committed: what data streams carry."""
    _latest: "array[int]" = field(default_factory=lambda: array("q"))
    """Latest date among the rows up to this one."""

    def append(self, row: Activity) -> None:
        self.rows.append(row)
        self.commits.append(row)
        self._latest.append(max(row.at_s, self._latest[-1]) if self._latest else row.at_s)

    def insert_by_date(self, row: Activity) -> None:
        """Puts a late row where its date belongs: tokens that have passed that place never show it."""
        self.commits.append(row)
        at = bisect_right(self._latest, row.at_s)
        self.rows.insert(at, row)
        self._latest.insert(at, row.at_s if at == 0 else max(row.at_s, self._latest[at - 1]))

    def token_since(self, at_s: int) -> str:
        return _token(bisect_left(self._latest, at_s), at_s)

    def page(self, token: str, wanted: Callable[[Activity], bool], batch: int, now_s: int) -> Page:
        """The next rows that are `wanted`. ApiError 1003 for a token that is none of ours."""
        position, since_s = _place(token)
        if position > len(self.rows):
            raise ApiError("1003", "Invalid nextPageToken")
        end = min(position + BLOCK_ROWS, len(self.rows))
        found: list[Activity] = []
        while position < end and len(found) < batch:
            row = self.rows[position]
            position += 1
            if row.at_s >= since_s and wanted(row) and now_s - row.at_s <= RETENTION_SECONDS.get(row.type, now_s):
                found.append(row)
        return Page(found, _token(position, since_s), position < len(self.rows))


def _token(position: int, since_s: int) -> str:
    body = _TOKEN.pack(1, position, since_s, zlib.crc32(struct.pack(">Qq", position, since_s)))
    return base64.b32encode(body).decode()


def _place(token: str) -> tuple[int, int]:
    try:
        _, position, since_s, crc = _TOKEN.unpack(base64.b32decode(token))
    except (binascii.Error, struct.error, ValueError) as error:
        raise ApiError("1003", "Invalid nextPageToken") from error
    if crc != zlib.crc32(struct.pack(">Qq", position, since_s)):
        raise ApiError("1003", "Invalid nextPageToken")
    return int(position), int(since_s)
