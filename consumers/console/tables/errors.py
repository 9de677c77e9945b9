"""What went wrong."""

from collections.abc import Sequence
from typing import Any

from consumers.answers.desk.waiting import holds_of, letters_of
from consumers.answers.looking.ledger import list_of
from consumers.console.ground import Ground
from consumers.console.tables.links import record_link
from consumers.console.tables.table import Column, Shape, Table
from consumers.desk.waiting import Group, grouped, letters_grouped
from consumers.reports.standing.lists import Queue


async def _letters(ground: Ground, most: int) -> Sequence[Any]:
    return await letters_of(ground.settings, cause="", most=most)


async def _refused(ground: Ground, most: int) -> Sequence[Any]:
    return await list_of(ground.settings, Queue.REFUSED, most=most)


async def _error_groups(ground: Ground, most: int) -> Sequence[Group]:
    holds = [line for line in await holds_of(ground.settings, cause="", most=most) if line.listed.system]
    return [*grouped(holds), *letters_grouped(await letters_of(ground.settings, cause="", most=most))]


TABLES: tuple[Table, ...] = (
    Table(
        name="causes",
        title="By cause",
        words="What happened, how often, and what helps.",
        teaches="Nothing is refused, and every change could be used. A refusal would stand here in plain words, with what helps.",
        ask=_error_groups,
        columns=(
            Column(key="what", title="What happened", get=lambda row: row.what, shape=Shape.PLAIN),
            Column(key="count", title="How often", get=lambda row: row.count, shape=Shape.COUNT),
            Column(key="since_ms", title="Since", get=lambda row: row.since_ms, shape=Shape.WHEN),
            Column(key="remedy", title="What helps", get=lambda row: row.remedy, shape=Shape.PLAIN),
        ),
    ),
    Table(
        name="refused",
        title="Refused by a system",
        words="Values that a system didn't take, in its own words. Each is tried again when anything in the record, the mapping or the "
        "rules changes.",
        teaches="Neither system refuses anything. A value that breaks a validation rule, say, would stand here with the rule's words.",
        ask=_refused,
        columns=(
            Column(key="person", title="Record", get=lambda row: row.person, link=record_link()),
            Column(key="system", title="By", get=lambda row: row.system, shape=Shape.SYSTEM, choices=True),
            Column(key="field", title="Field", get=lambda row: row.field or "the whole record", choices=True),
            Column(key="why", title="In its words", get=lambda row: row.why, shape=Shape.PLAIN),
            Column(key="since_ms", title="Since", get=lambda row: row.since_ms, shape=Shape.WHEN),
        ),
    ),
    Table(
        name="dead-letters",
        title="Dead letters",
        words="Changes that could not be used. The record waits alone and is read again; everything else flows.",
        teaches="Every change could be used. One that can't be read would be kept here with its bytes and the reason.",
        ask=_letters,
        columns=(
            Column(key="number", title="Number", get=lambda row: row.number),
            Column(key="at", title="When", get=lambda row: row.at, shape=Shape.WHEN),
            Column(key="stage", title="Where", get=lambda row: row.stage, choices=True),
            Column(key="why", title="Why", get=lambda row: row.reason, shape=Shape.PLAIN),
            Column(key="topic", title="Topic", get=lambda row: row.topic, choices=True),
            Column(key="remedy", title="What helps", get=lambda row: row.cause.remedy, shape=Shape.PLAIN),
        ),
    ),
)  # fmt: skip
