"""Composite: up to 25 calls in one, later ones referring to the answers of earlier ones (REST API guide, composite)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from infra.sandbox.salesforce.rest.call import Call, Reply, json_reply
from infra.sandbox.salesforce.saving.transaction import Transaction
from infra.sandbox.salesforce.wire.errors import ApiError

PARTS_MAX, HEAVY_MAX = 25, 5
GRAPHS_MAX, NODES_MAX = 75, 500
_REFERENCE = re.compile(r"@\{([A-Za-z_]\w*)\.([^}]+)\}")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
Dispatch = Callable[[Call], Reply]


class _UnresolvedError(Exception):
    pass


def composite(call: Call, dispatch: Dispatch) -> Reply:
    """Runs the parts in order. With `allOrNone` they share a transaction, which one failure undoes; else each is on its own."""
    body = call.json_object()
    parts = body.get("compositeRequest")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise ApiError(400, "JSON_PARSER_ERROR", "compositeRequest must be an array of objects")
    _check_size(parts)
    return json_reply({"compositeResponse": _together(call, parts, dispatch, all_or_none=body.get("allOrNone") is True)})


def graph(call: Call, dispatch: Dispatch) -> Reply:
    """Graphs of parts, each all or none, and none of them bound to another (REST API guide, composite graphs)."""
    graphs = call.json_object().get("graphs")
    if not isinstance(graphs, list) or not all(_is_graph(each) for each in graphs):
        raise ApiError(400, "JSON_PARSER_ERROR", "graphs must be an array of objects with a graphId and a compositeRequest")
    parts = [part for each in graphs for part in each["compositeRequest"]]
    if len(graphs) > GRAPHS_MAX or len(parts) > NODES_MAX or len({each["graphId"] for each in graphs}) < len(graphs):
        message = f"The request can't contain more than {GRAPHS_MAX} graphs with ids of their own and {NODES_MAX} nodes."
        raise ApiError(400, "LIMIT_EXCEEDED", message)
    for each in graphs:
        _check_references(each["compositeRequest"])
    results = [(each["graphId"], _together(call, each["compositeRequest"], dispatch, all_or_none=True)) for each in graphs]
    return json_reply({
        "graphs": [
            {"graphId": graph_id, "graphResponse": {"compositeResponse": found},
             "isSuccessful": all(one["httpStatusCode"] < 400 for one in found)}
            for graph_id, found in results
        ]
    })  # fmt: skip


def _is_graph(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("graphId"), str):
        return False
    parts = value.get("compositeRequest")
    return isinstance(parts, list) and all(isinstance(part, dict) for part in parts)


def _together(call: Call, parts: list[dict[str, Any]], dispatch: Dispatch, *, all_or_none: bool) -> list[dict[str, Any]]:
    shared = call.org.transaction(call.caller) if all_or_none else None
    try:
        results = _run_parts(call, parts, dispatch, shared)
    except BaseException:
        if shared is not None:
            shared.rollback()
        raise
    if shared is not None:
        if any(result["httpStatusCode"] >= 400 for result in results):
            shared.rollback()
            results = [_halted(result) if result["httpStatusCode"] < 300 else result for result in results]
        else:
            shared.commit()
    return results


def _run_parts(call: Call, parts: list[dict[str, Any]], dispatch: Dispatch, shared: Transaction | None) -> list[dict[str, Any]]:
    answers: dict[str, Any] = {}
    results = []
    for part in parts:
        result = _run_part(call, part, answers, dispatch, shared)
        results.append(result)
        if 200 <= result["httpStatusCode"] < 300:
            answers[part["referenceId"]] = result["body"]
    return results


def batch(call: Call, dispatch: Dispatch) -> Reply:
    """Up to 25 calls that don't know of each other (REST API guide, composite batch)."""
    body = call.json_object()
    parts = body.get("batchRequests")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise ApiError(400, "JSON_PARSER_ERROR", "batchRequests must be an array of objects")
    if len(parts) > PARTS_MAX:
        raise ApiError(400, "LIMIT_EXCEEDED", f"The request can't contain more than {PARTS_MAX} operations.")
    results: list[dict[str, Any]] = []
    halted = False
    for part in parts:
        if halted:
            problem = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}]
            results.append({"statusCode": 412, "result": problem})
            continue
        url = str(part.get("url", "")).lstrip("/")
        inner = {**part, "url": f"/services/data/{url.removeprefix('services/data/')}", "referenceId": "", "body": part.get("richInput")}
        found = _run_part(call, inner, {}, dispatch, None)
        results.append({"statusCode": found["httpStatusCode"], "result": found["body"]})
        halted = body.get("haltOnError") is True and found["httpStatusCode"] >= 400
    return json_reply({"hasErrors": any(each["statusCode"] >= 400 for each in results), "results": results})


def _check_size(parts: list[dict[str, Any]]) -> None:
    if len(parts) > PARTS_MAX:
        raise ApiError(400, "LIMIT_EXCEEDED", f"The request can't contain more than {PARTS_MAX} operations.")
    heavy = [part for part in parts if re.search(r"/(query|queryAll|composite/sobjects)", str(part.get("url", "")))]
    if len(heavy) > HEAVY_MAX:
        raise ApiError(400, "LIMIT_EXCEEDED", f"The request can't contain more than {HEAVY_MAX} query or collection operations.")
    _check_references(parts)


def _check_references(parts: list[dict[str, Any]]) -> None:
    references = [part.get("referenceId") for part in parts]
    if not all(isinstance(each, str) for each in references) or len(set(references)) != len(references):
        raise ApiError(400, "INVALID_INPUT", "Each subrequest needs a referenceId of its own.")


def _run_part(
    call: Call, part: Mapping[str, Any], answers: Mapping[str, Any], dispatch: Dispatch, shared: Transaction | None
) -> dict[str, Any]:
    reference = part["referenceId"]
    try:
        url = urlsplit(_resolve(str(part.get("url", "")), answers))
        body = _resolve(part.get("body"), answers)
    except (_UnresolvedError, ValueError) as problem:
        return _result(reference, 400, [{"errorCode": "PROCESSING_HALTED", "message": str(problem)}])
    match = re.fullmatch(r"/services/data/v(\d+\.0)(/.*)", url.path)
    if match is None:
        return _result(reference, 404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])
    given = part.get("httpHeaders")
    headers = {name.lower(): str(value) for name, value in given.items()} if isinstance(given, dict) else {}
    inner = replace(
        call, method=str(part.get("method", "GET")).upper(), path=match.group(2).rstrip("/"), version=match.group(1),
        query=dict(parse_qsl(url.query, keep_blank_values=True)), headers={**call.headers, **headers},
        body=b"" if body is None else orjson.dumps(body), shared=shared, records=0,
    )  # fmt: skip
    try:
        reply = dispatch(inner)
    except ApiError as refused:
        reply = Reply(status=refused.status, body=refused.body())
    call.records += inner.records
    return _result(reference, reply.status, orjson.loads(reply.body) if reply.body else None, reply.headers)


def _result(reference: str, status: int, body: Any, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"body": body, "httpHeaders": dict(headers or {}), "httpStatusCode": status, "referenceId": reference}


def _halted(result: Mapping[str, Any]) -> dict[str, Any]:
    message = "The transaction was rolled back since another operation in the same transaction failed."
    return _result(result["referenceId"], 400, [{"errorCode": "PROCESSING_HALTED", "message": message}])


def _resolve(value: Any, answers: Mapping[str, Any]) -> Any:
    """The value with every `@{reference.path}` in its strings replaced. Raises `_UnresolvedError`."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: str(_look_up(match.group(1), match.group(2), answers)), value)
    if isinstance(value, list):
        return [_resolve(each, answers) for each in value]
    if isinstance(value, dict):
        return {name: _resolve(each, answers) for name, each in value.items()}
    return value


def _look_up(reference: str, path: str, answers: Mapping[str, Any]) -> Any:
    here: Any = answers.get(reference)
    for name, index in _STEP.findall(path):
        try:
            here = here[int(index)] if index else here[name]
        except (KeyError, IndexError, TypeError):
            raise _UnresolvedError(f"Invalid reference specified. No value for {reference}.{path} found in {reference}") from None
    return here
