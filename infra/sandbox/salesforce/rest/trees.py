"""sObject tree: records with their children in one call, all or none (REST API guide, sObject tree)."""

from __future__ import annotations

from typing import Any

from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.rest.call import Call, Reply, json_reply
from infra.sandbox.salesforce.rest.input import attributes_of, read_values
from infra.sandbox.salesforce.saving.transaction import Transaction
from infra.sandbox.salesforce.wire.errors import ApiError, RecordError

RECORDS_MAX, DEPTH_MAX = 200, 5
Node = dict[str, Any]


def create_tree(call: Call) -> Reply:
    """201 with an id for each reference, or 400 with the errors and nothing made."""
    seen = call.object(call.params["object"])
    records = call.json_object().get("records")
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise ApiError(400, "JSON_PARSER_ERROR", "The records member must be an array of objects.")
    if sum(_count(each, 1) for each in records) > RECORDS_MAX:
        raise ApiError(400, "LIMIT_EXCEEDED", f"The request can't contain more than {RECORDS_MAX} records")
    results: list[Node] = []
    with call.transaction() as transaction:
        mark = transaction.mark
        for record in records:
            _Tree(call, transaction, results).create(seen, record, {})
        failed = [each for each in results if "errors" in each]
        if failed:
            transaction.rollback(mark)
            return json_reply({"hasErrors": True, "results": failed}, 400)
    call.records = len(results)
    return json_reply({"hasErrors": False, "results": results}, 201)


class _Tree:
    """Creates records and what hangs on them; puts down an id or errors for each."""

    def __init__(self, call: Call, transaction: Transaction, results: list[Node]) -> None:
        self._call = call
        self._transaction = transaction
        self._results = results

    def create(self, seen: VisibleObject, node: Node, link: Node) -> None:
        reference = attributes_of(node).get("referenceId")
        nested = {name: value for name, value in node.items() if isinstance(value, dict) and isinstance(value.get("records"), list)}
        try:
            if not reference:
                raise RecordError("INVALID_INPUT", "Include a reference ID for each record in the request.")  # noqa: TRY301
            values = {**{name: value for name, value in node.items() if name not in nested}, **link}
            record_id = self._transaction.create(seen.kind.name, read_values(seen, values, "create"))
        except RecordError as refused:
            self._results.append({"referenceId": reference, "errors": [refused.item()]})
            return
        self._results.append({"referenceId": reference, "id": record_id})
        relationships = {name: (child, field) for name, child, field in self._call.view.children(seen.kind)}
        for name, value in nested.items():
            child, field = relationships.get(name, ("", ""))
            inside = self._call.view.object(child)
            if inside is None:
                problem = RecordError("INVALID_FIELD", f"No such relationship '{name}' on sobject of type {seen.kind.name}")
                self._results.append({"referenceId": reference, "errors": [problem.item()]})
                continue
            for each in value["records"]:
                if not isinstance(each, dict):
                    raise ApiError(400, "JSON_PARSER_ERROR", "The records member must be an array of objects.")
                self.create(inside, each, {field: record_id})


def _count(node: Node, depth: int) -> int:
    """How many records the node holds. Raises when they are nested too deeply."""
    if depth > DEPTH_MAX:
        raise ApiError(400, "LIMIT_EXCEEDED", f"Records can be nested {DEPTH_MAX} levels deep")
    lists = [value["records"] for value in node.values() if isinstance(value, dict) and isinstance(value.get("records"), list)]
    inside = [each for records in lists for each in records if isinstance(each, dict)]
    return 1 + sum(_count(each, depth + 1) for each in inside)
