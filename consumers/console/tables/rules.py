"""What is kept in step, and who wins."""

from collections.abc import Sequence
from typing import Any

from consumers.answers.logs.trying import versions_of
from consumers.answers.looking.sight import visibility_of
from consumers.console.ground import Ground
from consumers.console.tables.table import Column, Shape, Table
from consumers.fitting.visibility import Sight
from consumers.reports.records.mapped import mapped


async def _versions(ground: Ground, most: int) -> Sequence[Any]:
    return await versions_of(ground.settings, most)


async def _hidden(ground: Ground, most: int) -> Sequence[Any]:
    return [each for each in await visibility_of(ground.settings) if each.sight in (Sight.HIDDEN, Sight.STOPPED)][:most]


async def _rules(ground: Ground, _most: int) -> Sequence[Any]:
    return mapped(ground.settings)


TABLES: tuple[Table, ...] = (
    Table(
        name="versions",
        title="Versions of the rules",
        words="The rules that workers have run under, numbered whenever they changed; decisions carry the number.",
        teaches="No worker has started yet: the first one numbers its rules.",
        ask=_versions,
        columns=(
            Column(key="number", title="Version", get=lambda row: row.number, link=lambda row: f"/rules/{row.number}"),
            Column(key="since_ms", title="In use since", get=lambda row: row.since_ms, shape=Shape.WHEN),
            Column(key="changed", title="What it changed", get=lambda row: "; ".join(row.changed)),
        ),
    ),
    Table(
        name="hidden",
        title="What is hidden",
        words="What is mapped, and a system doesn't show Tandem's user, or doesn't flow as the mapping says; and what helps.",
        teaches="Nothing that is mapped is hidden.",
        ask=_hidden,
        columns=(
            Column(key="object", title="Records of", get=lambda row: row.object, choices=True),
            Column(key="system", title="In", get=lambda row: str(row.system), shape=Shape.SYSTEM, choices=True),
            Column(key="field", title="Field", get=lambda row: row.field or "all of it"),
            Column(key="sight", title="How it stands", get=lambda row: str(row.sight), choices=True),
            Column(key="why", title="Why", get=lambda row: str(row.why), choices=True),
            Column(key="told", title="What helps", get=lambda row: row.told),
        ),
    ),
    Table(
        name="rules",
        title="Mapping and rules",
        words="Which field is which, where edits flow, and who wins a conflict. It stands in the configuration file.",
        teaches="No field is mapped.",
        ask=_rules,
        columns=(
            Column(key="object", title="Records of", get=lambda row: str(row.object), choices=True),
            Column(key="salesforce", title="In Salesforce", get=lambda row: row.salesforce or "Tandem's own"),
            Column(key="direction", title="Flows", get=lambda row: str(row.direction).replace("_", " "), choices=True),
            Column(key="marketo", title="In Marketo", get=lambda row: row.marketo),
            Column(key="type", title="Type", get=lambda row: str(row.type), choices=True),
            Column(key="conflict", title="In a conflict", get=lambda row: row.conflict, choices=True),
        ),
    ),
)  # fmt: skip
