"""Conventions of the Asset API: form parameters, loose JSON in them, offset pages, a warning where nothing is found, odd times."""

import ast
import json
import re
from collections.abc import Iterable
from typing import Any

from infra.sandbox.marketo.border.call import Answer, Call, parse_datetime
from infra.sandbox.marketo.border.errors import ApiError

NOTHING = "No assets found for the given search criteria."
PAGE_MAX, PAGE_DEFAULT = 200, 20


def answer(rows: list[Any]) -> Answer:
    """An asset envelope; without rows it has a warning instead of a result (Asset API)."""
    if not rows:
        return {"errors": [], "warnings": [NOTHING]}
    return {"errors": [], "warnings": [], "result": rows}


def page(call: Call, rows: Iterable[Any]) -> Answer:
    """The rows from `offset` on, at most `maxReturn` of them."""
    size, start = _number(call, "maxReturn", PAGE_DEFAULT), _number(call, "offset", 0)
    if not 1 <= size <= PAGE_MAX or start < 0:
        raise ApiError("1003", f"maxReturn must be between 1 and {PAGE_MAX}, offset not negative")
    found = list(rows)[start : start + size]
    call.records = len(found)
    return answer(found)


def updated_within(call: Call, updated_at: str) -> bool:
    """Whether an asset passes the call's `earliestUpdatedAt` and `latestUpdatedAt`."""
    earliest, latest = call.params.get("earliestUpdatedAt"), call.params.get("latestUpdatedAt")
    at = parse_datetime(updated_at)
    return (not earliest or parse_datetime(earliest) <= at) and (not latest or at <= parse_datetime(latest))


def time_of(stamp: str) -> str:
    """A stamp as this API writes it: `2015-05-21T22:45:13Z+0000`."""
    return f"{stamp.removesuffix('Z')}Z+0000"


def folder_of(call: Call, name: str = "folder") -> tuple[int, str]:
    """The id and type of a folder parameter, which clients write as JSON or nearly so. ApiError 1002 without one."""
    text = call.required(name)
    number, kind = re.search(r"id\W+(\d+)", text), re.search(r"type\W+([A-Za-z]+)", text)
    if text.isdecimal():
        return int(text), "Folder"
    if number is None:
        raise ApiError("1003", f"Invalid value for '{name}'")
    return int(number[1]), kind[1].capitalize() if kind else "Folder"


def listed(call: Call, name: str) -> list[dict[str, Any]] | None:
    """A parameter that holds a JSON array of objects (Python's quotes are taken too); None when it is absent."""
    text = call.params.get(name)
    if not text:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError):
            continue
        if isinstance(found, list) and all(isinstance(one, dict) for one in found):
            return found
    raise ApiError("1003", f"Invalid value for '{name}'")


def _number(call: Call, name: str, default: int) -> int:
    found = call.numbers(name)
    return found[0] if found else default
