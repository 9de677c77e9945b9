"""Whatever comes in, the instance answers in its own way: no call of any endpoint fails inside."""

import itertools
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest

from infra.sandbox.kernel.meters import Meters
from infra.sandbox.marketo.border.in_flight import InFlight
from infra.sandbox.marketo.border.limits import Limits
from infra.sandbox.marketo.bulk.jobs import BulkJobs
from infra.sandbox.marketo.endpoints import all_routes
from infra.sandbox.marketo.state.instance import Instance

UGLY: list[Any] = [
    None,
    True,
    -1,
    1.5,
    "",
    "x",
    "🜚",
    "1,2",
    [],
    [None],
    [1],
    ["x"],
    [{}],
    [{"id": {}}],
    [{"id": "x", "name": 5}],
    {},
    {"a": 1},
]
KNOWN = (
    "action", "lookupField", "input", "partitionName", "asyncProcessing", "dedupeBy", "deleteBy", "filterType", "filterValues", "fields",
    "batchSize", "nextPageToken", "name", "apiName", "displayName", "description", "status", "programName", "programStatus", "reason",
    "source", "filter", "format", "columnHeaderNames", "relationships", "statusName", "leadId", "id",
)  # fmt: skip
PARAMETERS = (
    "leadIds", "leadId", "activityTypeIds", "nextPageToken", "sinceDatetime", "batchSize", "filterType", "filterValues", "fields", "id",
    "listId", "name", "offset", "maxReturn", "folder", "type", "root", "maxDepth", "earliestUpdatedAt", "programId", "partitionName",
    "mergeInCRM", "status", "names", "tagType", "tagValue", "statusName", "value", "description",
)  # fmt: skip


@pytest.fixture
def routes(instance: Instance, tmp_path: Path) -> list[tuple[str, str]]:
    made = all_routes(instance, InFlight(), Limits(meters=Meters()), BulkJobs(instance, tmp_path / "bulk"))
    return [(verb, path) for verb, path, _ in made]


async def prepare(server: Any) -> None:
    """Something of each kind, so that what is named in a path is there."""
    await server.verb("limits", {"calls_per_20s": 10**6, "daily": 10**6})
    await server.sync({"email": "a@x.example"}, {"email": "b@x.example"})
    await server.verb("list/create", {"name": "1"})
    await server.verb("program/create", {"name": "P"})
    await server.call("POST", "customobjects/schema.json", json={"apiName": "car_c", "displayName": "Car"})
    key = {"name": "vin", "displayName": "VIN", "dataType": "string", "isDedupeField": True}
    await server.call("POST", "customobjects/schema/car_c/addField.json", json={"input": [key]})
    await server.call("POST", "customobjects/schema/car_c/approve.json")


def paths(pattern: str) -> list[str]:
    ids, names = ("1", "1001", "0", "x", "-1", "99999999999999999999"), ("car_c", "x", "email", "%F0%9F%9C%9A")
    return [pattern.replace("{id}", one).replace("{name}", name) for one, name in itertools.zip_longest(ids, names, fillvalue="1")]


def bodies() -> list[Any]:
    whole = [dict.fromkeys(KNOWN, value) for value in UGLY]
    single = [{name: value} for name in ("input", "filter", "fields", "action", "lookupField", "filterValues") for value in UGLY]
    tagged = [{"input": [dict.fromkeys((*KNOWN, "email", "vin", "leadId", "externalCompanyId"), value)]} for value in UGLY]
    return [*UGLY, *whole[::2], *single[::7], *tagged[::2]]


def told(record: logging.LogRecord) -> str:
    if record.exc_info is None:
        return record.getMessage()
    frame = traceback.extract_tb(record.exc_info[2])[-1]
    return f"{record.exc_info[1]!r} at {Path(frame.filename).name}:{frame.lineno}"


async def test_no_endpoint_fails_inside(server: Any, routes: list[tuple[str, str]], caplog: pytest.LogCaptureFixture) -> None:
    await prepare(server)
    failed: set[str] = set()
    with caplog.at_level(logging.ERROR):
        for verb, pattern in routes:
            for place, path in enumerate(paths(pattern)):
                for number, value in enumerate(["", "x", "-1", "1,x", "2026-13-45", "🜚"]):
                    if verb == "GET" and (number + place) % 3 == 0:
                        await server.raw(verb, path, params=dict.fromkeys(PARAMETERS, value))
            if verb != "GET":
                for body in bodies():
                    await server.raw(verb, paths(pattern)[0], json=body)
                for value in ("", "x", "1,x", '{"id": 1}', "🜚"):
                    await server.raw(verb, paths(pattern)[1], data=dict.fromkeys(PARAMETERS, value))
                for content, kind in (
                    (b"{", "application/json"),
                    (b"\xff\xfe", "application/json"),
                    (b"x", "text/xml"),
                    (b"", "multipart/form-data"),
                ):
                    await server.raw(verb, paths(pattern)[0], data=content, headers={"Content-Type": kind})
            if caplog.records:
                failed |= {f"{verb} {pattern}: {told(record)}" for record in caplog.records}
                caplog.clear()
    assert not failed, "\n".join(sorted(failed))
