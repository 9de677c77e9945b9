"""What waits for a person."""

from collections.abc import Sequence
from typing import Any

from consumers.answers.desk.waiting import conflicts_of, holds_of
from consumers.console.ground import Ground
from consumers.console.tables.links import listed_link
from consumers.console.tables.table import Column, Shape, Table


def _candidates(row: Any) -> str:
    """Where one of several is chosen."""
    return f"/match/{row.listed.pair}" if row.cause.name == "ambiguous" else ""


async def _holds(ground: Ground, most: int) -> Sequence[Any]:
    return await holds_of(ground.settings, cause="", most=most)


async def _conflicts(ground: Ground, most: int) -> Sequence[Any]:
    return await conflicts_of(ground.settings, cause="", field="", most=most)


TABLES: tuple[Table, ...] = (
    Table(
        name="contested",
        title="Conflicts",
        words="Fields for which a rule leaves the decision to a person, or which something keeps changing back.",
        teaches="No conflict waits for you: the rules have decided all of them. A field with the rule `review` would ask here.",
        ask=_conflicts,
        columns=(
            Column(key="person", title="Record", get=lambda row: row.listed.person, link=listed_link),
            Column(key="field", title="Field", get=lambda row: row.listed.field, choices=True,
                   link=lambda row: f"/conflict/{row.listed.pair}/{row.listed.field}"),
            Column(key="value", title="Agreed so far", get=lambda row: row.listed.value, shape=Shape.VALUE),
            Column(key="why", title="Why", get=lambda row: row.listed.why, shape=Shape.PLAIN),
            Column(key="cause", title="Cause", get=lambda row: row.cause.name, choices=True),
        ),
    ),
    Table(
        name="held",
        title="Holds",
        words="Records that wait as a whole: for a fact, or for a person.",
        teaches="No record is held. One that may be either of two people, for instance, would wait here for you to choose.",
        ask=_holds,
        columns=(
            Column(key="person", title="Record", get=lambda row: row.listed.person, link=listed_link),
            Column(key="cause", title="Cause", get=lambda row: row.cause.name, choices=True, link=_candidates),
            Column(key="what", title="What it means", get=lambda row: row.cause.what, shape=Shape.PLAIN),
            Column(key="why", title="Why", get=lambda row: row.listed.why, shape=Shape.PLAIN),
            Column(key="remedy", title="What helps", get=lambda row: row.cause.remedy, shape=Shape.PLAIN),
        ),
    ),
)  # fmt: skip
