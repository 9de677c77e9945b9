"""What has still to be done, and the calls for it."""

from collections.abc import Sequence
from typing import Any

from consumers.answers.looking.ledger import list_of, spent_of
from consumers.console.ground import Ground
from consumers.console.tables.links import record_link
from consumers.console.tables.table import Column, Shape, Table
from consumers.reports.standing.lists import Queue


async def _owed(ground: Ground, most: int) -> Sequence[Any]:
    return await list_of(ground.settings, Queue.OWED, most=most)


async def _due(ground: Ground, _most: int) -> Sequence[Any]:
    return (await ground.status()).due


async def _calls(ground: Ground, _most: int) -> Sequence[Any]:
    told = (await spent_of(ground.settings)).systems
    return [(each.system, lane, calls) for each in told for lane, calls in each.by_purpose.items()]


TABLES: tuple[Table, ...] = (
    Table(
        name="due",
        title="To do",
        words="What is to be written, or looked at, by system and lane: live before repair before first copy.",
        teaches="Nothing is owed: both sides show what was agreed. What Tandem has still to write would be counted here.",
        ask=_due,
        columns=(
            Column(key="what", title="What", get=lambda row: row.what, choices=True),
            Column(key="system", title="System", get=lambda row: row.system, shape=Shape.SYSTEM, choices=True),
            Column(key="lane", title="Lane", get=lambda row: row.lane, choices=True),
            Column(key="pairs", title="Records", get=lambda row: row.pairs, shape=Shape.COUNT),
            Column(key="due", title="Due now", get=lambda row: row.due, shape=Shape.COUNT),
            Column(key="oldest_ms", title="Oldest, seconds", get=lambda row: round(max(0, row.oldest_ms) / 1000, 1)),
        ),
    ),
    Table(
        name="owed",
        title="Owed changes",
        words="Which record is owed what, the next first.",
        teaches="Nobody is owed a change.",
        ask=_owed,
        columns=(
            Column(key="person", title="Record", get=lambda row: row.person, link=record_link()),
            Column(key="system", title="In", get=lambda row: row.system, shape=Shape.SYSTEM, choices=True),
            Column(key="field", title="Field", get=lambda row: row.field or "the whole record", choices=True),
            Column(key="value", title="Value", get=lambda row: row.value, shape=Shape.VALUE),
            Column(key="why", title="Why", get=lambda row: row.why, shape=Shape.PLAIN),
            Column(key="since_ms", title="Due since", get=lambda row: row.since_ms, shape=Shape.WHEN),
        ),
    ),
    Table(
        name="calls",
        title="What today's calls were for",
        words="By system, lane and purpose, since midnight UTC.",
        teaches="No call has been made today.",
        ask=_calls,
        columns=(
            Column(key="system", title="System", get=lambda row: row[0], shape=Shape.SYSTEM, choices=True),
            Column(key="purpose", title="What for", get=lambda row: row[1]),
            Column(key="calls", title="Calls", get=lambda row: row[2], shape=Shape.COUNT),
        ),
    ),
)  # fmt: skip
