"""Duplicate rules: a record that equals another in certain fields is refused (REST API guide, duplicate rule header)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from infra.sandbox.salesforce.access.caller import DuplicateHeader
from infra.sandbox.salesforce.records.store import Table
from infra.sandbox.salesforce.schema.types import ObjectType, Row
from infra.sandbox.salesforce.wire.errors import RecordError


class DuplicateRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two records are duplicates when all of `fields` hold equal values (without case). `allow_save`: the header may let one pass."""

    name: str
    object: str
    fields: tuple[str, ...]
    allow_save: bool = True
    message: str = "Use one of these records?"


def check_duplicates(rules: Iterable[DuplicateRule], table: Table, proposed: Row, record_id: str | None, header: DuplicateHeader) -> None:
    """Raises DUPLICATES_DETECTED, with the answer's `duplicateResut` (the API's own spelling) in the error."""
    for rule in rules:
        if rule.object != table.kind.name or (rule.allow_save and header.allow_save):
            continue
        found = _matches(table, rule, proposed, record_id)
        if found:
            raise RecordError("DUPLICATES_DETECTED", rule.message, [], {"duplicateResut": _result(rule, table.kind, found, header)})


def _matches(table: Table, rule: DuplicateRule, proposed: Row, record_id: str | None) -> list[Row]:
    if any(name not in proposed for name in rule.fields):
        return []
    indexed = next((name for name in rule.fields if table.indexed(name)), None)
    rows = table.rows.values() if indexed is None else table.find(indexed, proposed[indexed])
    wanted = {name: str(proposed[name]).casefold() for name in rule.fields}
    return [
        row for row in rows
        if "IsDeleted" not in row and row["Id"] != record_id
        and all(str(row.get(name, "")).casefold() == value for name, value in wanted.items())
    ]  # fmt: skip


def _result(rule: DuplicateRule, kind: ObjectType, found: list[Row], header: DuplicateHeader) -> dict[str, Any]:
    def record(row: Row) -> dict[str, Any]:
        attributes = {"type": kind.name, "url": f"/services/data/v66.0/sobjects/{kind.name}/{row['Id']}"}
        shown = {name: row.get(name) for name in rule.fields} if header.details else {}
        return {"attributes": attributes, "Id": row["Id"], **shown}

    matches = [{"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0, "record": record(row)} for row in found]
    return {
        "allowSave": rule.allow_save,
        "duplicateRule": rule.name,
        "duplicateRuleEntityType": kind.name,
        "errorMessage": rule.message,
        "matchResults": [{
            "entityType": kind.name, "errors": [], "matchEngine": "ExactMatchEngine", "matchRecords": matches,
            "rule": rule.name, "size": len(found), "success": True,
        }],
    }  # fmt: skip
