"""What a first copy costs: from how much there is and what the systems allow. Pure."""

from collections.abc import Sequence
from math import ceil

import msgspec

from streams.marketo.api.bulk import RANGE_MS
from streams.wire.systems import MARKETO, SALESFORCE, System

SALESFORCE_PAGE, MARKETO_PIECE_BYTES, MARKETO_BATCH = 10_000, 4 << 20, 300
JOB_CALLS = 3
"""Of a query in Salesforce beside its pages: made, and looked at twice."""
EXTRACT_CALLS = 7
"""Of an extract in Marketo beside its file: made, put into the queue, and looked at; its status moves once a minute."""
_LOOKUPS, _LINKS = 2, 2
"""Calls to look for 300 people in Marketo before they are made: by id, and by e-mail. Of who was made in Salesforce Marketo is told two
things: id and type."""
_FEEDS = 2
"""Marketo's changes and its deletions are read page by page; both go through every activity."""
_EXTRACT_SECONDS = 65.0
_EXTRACTS_AT_ONCE = 2
_HOUR = 3600.0


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of one sort of record. `by`: `bulk`, `rest`; `jobs`: of bulk."""

    system: System
    object: str
    rows: int
    by: str
    jobs: int
    calls: int
    bytes: int


class Matches(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom people are expected to meet, worked out from `sampled` of Marketo's; of all when these are all."""

    people: int = 0
    """In Salesforce."""
    marketo_people: int = 0
    sampled: int = 0
    stored: int = 0
    """On both sides, by the id that Marketo keeps."""
    email: int = 0
    ambiguous: int = 0
    """Several have the same e-mail: they are held, until a person says who is whom."""
    alone: int = 0
    """In Salesforce only: they are made in Marketo."""
    to_marketo: int = 0
    """Of those on both sides: who is written to in Marketo, since something differs."""
    to_salesforce: int = 0
    made_in_salesforce: int = 0
    """In Marketo only, and qualified: they are made in Salesforce."""
    marketo_fields: int = 0
    """Fields that are written to those on both sides in Marketo: its feed tells of each that was changed."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the systems allow: calls a day and as many as are left of today's, calls a second, bytes a day."""

    salesforce_left: int
    salesforce_day: int
    marketo_left: int
    marketo_day: int
    marketo_second: float = 5.0
    export_bytes_day: int = 500 << 20


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The whole. `since_ms`, `until_ms`: Marketo's people are read who were created between these."""

    parts: list[Part]
    matches: Matches
    since_ms: int
    until_ms: int
    marketo_writes: int
    """Records written to Marketo, of people and of whatever goes there."""
    salesforce_writes: int
    read_calls: dict[System, int]
    write_calls: dict[System, int]
    bytes: dict[System, int]
    hours: float
    limit: str
    """What it waits for most."""


def salesforce_part(obj: str, rows: int, row_bytes: float) -> Part:
    """One query; its rows in pages."""
    calls = JOB_CALLS + max(1, ceil(rows / SALESFORCE_PAGE))
    return Part(system=SALESFORCE, object=obj, rows=rows, by="bulk", jobs=1, calls=calls, bytes=round(rows * row_bytes))


def people_part(obj: str, rows: int, row_bytes: float, since_ms: int, until_ms: int) -> Part:
    """Marketo's people: extracts of 31 days each, or page by page where that takes fewer calls."""
    jobs = ceil(max(1, until_ms - since_ms + 1) / RANGE_MS)
    size = round(rows * row_bytes)
    bulk = jobs * EXTRACT_CALLS + max(jobs, ceil(size / MARKETO_PIECE_BYTES))
    rest = 1 + 2 * max(1, ceil(rows / MARKETO_BATCH))
    if rest <= bulk:
        return Part(system=MARKETO, object=obj, rows=rows, by="rest", jobs=0, calls=rest, bytes=0)
    return Part(system=MARKETO, object=obj, rows=rows, by="bulk", jobs=jobs, calls=bulk, bytes=size)


def members_part(obj: str, programs: int, rows: int, row_bytes: float) -> Part:
    """Members: an extract for each linked program."""
    size = round(rows * row_bytes)
    calls = programs * EXTRACT_CALLS + max(programs, ceil(size / MARKETO_PIECE_BYTES))
    return Part(system=MARKETO, object=obj, rows=rows, by="bulk", jobs=programs, calls=calls, bytes=size)


def quoted(parts: Sequence[Part], matches: Matches, limits: Limits, *, others_to_marketo: int, since_ms: int, until_ms: int) -> Quote:
    """`others_to_marketo`: records beside people that are made in Marketo."""
    made, linked = matches.alone, matches.to_marketo + matches.made_in_salesforce
    to_marketo = made + linked + others_to_marketo
    to_salesforce = matches.to_salesforce + matches.made_in_salesforce
    activities = made + matches.marketo_fields + _LINKS * matches.made_in_salesforce
    read = {system: sum(part.calls for part in parts if part.system is system) for system in System}
    write = {
        MARKETO: sum(ceil(each / MARKETO_BATCH) for each in (made, linked, others_to_marketo))
        + _LOOKUPS * ceil(made / MARKETO_BATCH)
        + _FEEDS * ceil(activities / MARKETO_BATCH),
        SALESFORCE: ceil(to_salesforce / 200),
    }
    size = {system: sum(part.bytes for part in parts if part.system is system) for system in System}
    waits = _waits(parts, read, write, size, limits)
    longest = max(waits, key=lambda each: waits[each])
    return Quote(
        parts=list(parts), matches=matches, since_ms=since_ms, until_ms=until_ms, marketo_writes=to_marketo,
        salesforce_writes=to_salesforce, read_calls=read, write_calls=write, bytes=size, hours=waits[longest] / _HOUR, limit=longest,
    )  # fmt: skip


def _waits(
    parts: Sequence[Part], read: dict[System, int], write: dict[System, int], size: dict[System, int], limits: Limits
) -> dict[str, float]:
    """Seconds that each limit alone would have it take."""
    extracts = sum(part.jobs for part in parts if part.system is MARKETO)
    calls = {system: read[system] + write[system] for system in System}
    return {
        "Marketo's calls in 20 seconds, and its extracts": calls[MARKETO] / limits.marketo_second
        + ceil(extracts / _EXTRACTS_AT_ONCE) * _EXTRACT_SECONDS,
        "Marketo's calls a day": _days(calls[MARKETO], limits.marketo_left, limits.marketo_day),
        "Marketo's bytes of extracts a day": _days(size[MARKETO], limits.export_bytes_day, limits.export_bytes_day),
        "Salesforce's calls a day": _days(calls[SALESFORCE], limits.salesforce_left, limits.salesforce_day),
    }


def _days(wanted: float, left: float, day: float) -> float:
    """Seconds of waiting for another day's allowance."""
    return 86_400.0 * ceil(max(0.0, wanted - left) / max(1.0, day))
