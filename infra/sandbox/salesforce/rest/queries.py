"""query, queryAll and their pages (REST API guide, query)."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from infra.sandbox.salesforce.rest.call import Call, Reply, json_reply
from infra.sandbox.salesforce.rest.rendering import query_render
from infra.sandbox.salesforce.schema.types import Row
from infra.sandbox.salesforce.soql.grammar.parser import parse
from infra.sandbox.salesforce.soql.run import run
from infra.sandbox.salesforce.wire import ids
from infra.sandbox.salesforce.wire.errors import ApiError

CURSOR_MS = 2 * 24 * 3600 * 1000
"""A query locator lives two days (App limits cheat sheet, query cursors)."""
CURSORS_MAX = 200
"""So many results are kept at most; a real org sets no count, this machine's memory does."""
BATCH_LEAST, BATCH_MOST = 200, 2000


class Cursor(msgspec.Struct):
    rows: list[Row]
    render: Callable[[Row], dict[str, Any]]
    user_id: str
    made_ms: int
    batch: int


class Queries:
    """Runs queries and keeps their results for the pages after the first; not durable, as a restart ends a real cursor too."""

    def __init__(self) -> None:
        self._cursors: OrderedDict[str, Cursor] = OrderedDict()
        self._made = 0

    def query(self, call: Call) -> Reply:
        return self._run(call, deleted_too=False)

    def query_all(self, call: Call) -> Reply:
        call.org.expire_bin()
        return self._run(call, deleted_too=True)

    def more(self, call: Call) -> Reply:
        """The page that a `nextRecordsUrl` names. Raises INVALID_QUERY_LOCATOR."""
        name, _, offset = call.params["locator"].rpartition("-")
        cursor = self._cursors.get(name)
        now_ms = call.org.clock.now_ms()
        if cursor is None or not offset.isdigit() or cursor.user_id != call.caller.user_id or now_ms - cursor.made_ms > CURSOR_MS:
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(call, name, cursor, int(offset))

    def _run(self, call: Call, *, deleted_too: bool) -> Reply:
        source = call.query.get("q")
        if source is None:
            raise ApiError(400, "MALFORMED_QUERY", "SOQL query is required: parameter q is missing")
        answer = run(parse(source), call.view, call.org.store, call.org.today, deleted_too=deleted_too)
        if answer.count_only:
            call.records = 1
            return json_reply({"totalSize": answer.total, "done": True, "records": []})
        if answer.records is not None:
            call.records = len(answer.records)
            return json_reply({"totalSize": len(answer.records), "done": True, "records": answer.records})
        render = query_render(answer, call.org.schema, call.base)
        batch = _batch(call)
        cursor = Cursor(answer.rows, render, call.caller.user_id, call.org.clock.now_ms(), batch)
        name = ""
        if len(answer.rows) > batch:
            self._made += 1
            name = ids.make("01g", self._made)
            self._cursors[name] = cursor
            if len(self._cursors) > CURSORS_MAX:
                self._cursors.popitem(last=False)
        return self._page(call, name, cursor, 0)

    @staticmethod
    def _page(call: Call, name: str, cursor: Cursor, offset: int) -> Reply:
        end = offset + cursor.batch
        records = [cursor.render(row) for row in cursor.rows[offset:end]]
        call.records = len(records)
        page: dict[str, Any] = {"totalSize": len(cursor.rows), "done": end >= len(cursor.rows)}
        if not page["done"]:
            page["nextRecordsUrl"] = f"{call.base}/query/{name}-{end}"
        return json_reply({**page, "records": records})


def _batch(call: Call) -> int:
    match = re.search(r"batchSize=(\d+)", call.headers.get("sforce-query-options", ""))
    most = call.org.options.query_batch
    return most if match is None else min(max(int(match.group(1)), min(BATCH_LEAST, most)), BATCH_MOST, max(most, BATCH_LEAST))
