"""What was read, and whether both sides really show the same."""

from collections.abc import Sequence
from typing import Any

from consumers.answers.looking.covering import coverage_of, cycles_of
from consumers.answers.looking.drifting import drift_of
from consumers.audit.compare import Class
from consumers.console.ground import Ground
from consumers.console.tables.links import record_link
from consumers.console.tables.table import Column, Shape, Table

_DRIFTED = 168
_ASKED = 500


async def _cycles(ground: Ground, most: int) -> Sequence[Any]:
    return await cycles_of(ground.settings, "", only_missed=False, most=min(most, _ASKED))


async def _holes(ground: Ground, _most: int) -> Sequence[Any]:
    return (await coverage_of(ground.settings, hours=_DRIFTED)).holes


async def _drift(ground: Ground, most: int) -> Sequence[Any]:
    return (await drift_of(ground.settings, None, list(Class), most=most)).differences


async def _proofs(ground: Ground, _most: int) -> Sequence[Any]:
    return (await drift_of(ground.settings, None, list(Class), most=1)).proofs


TABLES: tuple[Table, ...] = (
    Table(
        name="cycles",
        title="Cycles",
        words="Each pass of the five-minute polls: what it read, and what of it the stream had missed.",
        teaches="No poll has finished a pass yet. The first comes within minutes of a worker's start.",
        ask=_cycles,
        columns=(
            Column(key="source", title="Poll", get=lambda row: row.source, choices=True),
            Column(key="ago_s", title="Seconds ago", get=lambda row: round(row.ago_ms / 1000)),
            Column(key="read", title="Read", get=lambda row: row.read, shape=Shape.COUNT),
            Column(key="known", title="Known", get=lambda row: row.known, shape=Shape.COUNT),
            Column(key="missed", title="Missed", get=lambda row: row.missed if row.judged else None, shape=Shape.COUNT),
            Column(key="repaired", title="Repaired", get=lambda row: row.repaired if row.judged else None, shape=Shape.COUNT),
            Column(key="held", title="Held", get=lambda row: row.held if row.judged else None, shape=Shape.COUNT),
            Column(key="calls", title="Calls", get=lambda row: row.calls, shape=Shape.COUNT),
            Column(key="why", title="Why missed", get=lambda row: row.why, shape=Shape.PLAIN),
        ),
    ),
    Table(
        name="holes",
        title="Holes",
        words="Stretches of time that a source has not told of, and what was done about each. The last seven days, and all that are open.",
        teaches="No hole: whatever either system told in the last seven days was read.",
        ask=_holes,
        columns=(
            Column(key="id", title="Number", get=lambda row: row.id),
            Column(key="source", title="Source", get=lambda row: row.source, choices=True),
            Column(key="standing", title="Standing", get=lambda row: str(row.standing), choices=True),
            Column(key="since_ms", title="From", get=lambda row: row.since_ms, shape=Shape.WHEN),
            Column(key="until_ms", title="To", get=lambda row: row.until_ms, shape=Shape.WHEN),
            Column(key="why", title="Why", get=lambda row: row.reason, shape=Shape.PLAIN),
            Column(key="collapsed", title="Only latest values known", get=lambda row: row.collapsed, shape=Shape.COUNT),
        ),
    ),
    Table(
        name="drift",
        title="Drift",
        words="What differs between both sides, by what explains it. True drift is what nothing explains.",
        teaches="Nothing differs that has been compared. The audit goes on in the background with a small part of the day's calls.",
        ask=_drift,
        columns=(
            Column(key="record", title="Record", get=lambda row: row.record, link=record_link()),
            Column(key="field", title="Field", get=lambda row: row.field or "the whole record", choices=True),
            Column(key="class", title="Class", get=lambda row: str(row.klass).replace("_", " "), choices=True),
            Column(key="salesforce", title="Salesforce", get=lambda row: row.salesforce, shape=Shape.VALUE),
            Column(key="agreed", title="Agreed", get=lambda row: row.agreed, shape=Shape.VALUE),
            Column(key="marketo", title="Marketo", get=lambda row: row.marketo, shape=Shape.VALUE),
            Column(key="why", title="Why", get=lambda row: row.why, shape=Shape.PLAIN),
            Column(key="remedy", title="What helps", get=lambda row: row.remedy, shape=Shape.PLAIN),
        ),
    ),
    Table(
        name="proofs",
        title="How far the comparison has come",
        words="Every record of both sides is compared in rounds; days to a full proof, by the calls that the audit may make.",
        teaches="No record has been compared yet.",
        ask=_proofs,
        columns=(
            Column(key="object", title="Records of", get=lambda row: row.object),
            Column(key="rounds", title="Whole rounds", get=lambda row: row.rounds, shape=Shape.COUNT),
            Column(key="records", title="Compared", get=lambda row: row.records, shape=Shape.COUNT),
            Column(key="proven_ms", title="Proven as of", get=lambda row: row.proven_ms, shape=Shape.WHEN),
            Column(key="why", title="Can't be compared", get=lambda row: row.why, shape=Shape.PLAIN),
            Column(key="days", title="Days to a full proof", get=lambda row: round(row.days, 2)),
        ),
    ),
)  # fmt: skip
