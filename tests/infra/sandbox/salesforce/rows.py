"""A store without server or journal, for tests of SOQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.salesforce.access.views import Permissions, View
from infra.sandbox.salesforce.records.store import Store
from infra.sandbox.salesforce.rest.rendering import query_render
from infra.sandbox.salesforce.schema.standard.objects import standard_objects
from infra.sandbox.salesforce.schema.types import Schema
from infra.sandbox.salesforce.soql.grammar.parser import parse
from infra.sandbox.salesforce.soql.run import run
from infra.sandbox.salesforce.wire import ids

TODAY = date(2026, 8, 12)
STAMP = "2026-08-10T09:00:00.000+0000"


SCHEMA = Schema(standard_objects())
VIEW = View(SCHEMA, Permissions(), "")


class Rows:
    def __init__(self) -> None:
        self.schema = SCHEMA
        self.store = Store(SCHEMA)
        self.view = VIEW

    def add(self, object_name: str, **values: Any) -> str:
        table = self.store.tables[object_name]
        record_id = str(values.pop("Id", None) or table.new_id())
        stamps = {"CreatedDate": STAMP, "LastModifiedDate": STAMP, "SystemModstamp": STAMP}
        row = {"Id": record_id, **stamps, **values}
        self.store.apply(Entry(0, "test", "create", object_name, record_id, None, row))
        return record_id

    def change(self, object_name: str, record_id: str, values: Mapping[str, Any]) -> None:
        self.store.apply(Entry(0, "test", "update", object_name, record_id, {}, dict(values)))

    def records(self, soql: str, *, deleted_too: bool = False) -> list[dict[str, Any]]:
        answer = run(parse(soql), self.view, self.store, TODAY, deleted_too=deleted_too)
        render = query_render(answer, self.schema, "/services/data/v66.0")
        return [render(row) for row in answer.rows]

    def count(self, soql: str) -> int:
        return run(parse(soql), self.view, self.store, TODAY).total

    def column(self, soql: str) -> list[Any]:
        """The values of the last selected field."""
        return [list(record.values())[-1] for record in self.records(soql)]


def lead_ids(numbers: Sequence[int]) -> list[str]:
    return [ids.make("00Q", number) for number in numbers]
