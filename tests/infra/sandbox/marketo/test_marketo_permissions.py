"""An API user may do what its role permits, endpoint by endpoint; all else is 603."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.sandbox.kernel.meters import Meters
from infra.sandbox.marketo.border import permissions
from infra.sandbox.marketo.border.in_flight import InFlight
from infra.sandbox.marketo.border.limits import Limits
from infra.sandbox.marketo.bulk.jobs import BulkJobs
from infra.sandbox.marketo.endpoints import all_routes
from infra.sandbox.marketo.state.instance import Instance

USER = "people@example.com"


def endpoints(instance: Instance, folder: Path) -> Iterator[tuple[str, str]]:
    for method, path, _ in all_routes(instance, InFlight(), Limits(meters=Meters()), BulkJobs(instance, folder)):
        yield method, path


def test_every_endpoint_has_its_permissions(instance: Instance, tmp_path: Path) -> None:
    for method, path in endpoints(instance, tmp_path / "bulk"):
        wanted = permissions.needed(f"{method} {path}")
        assert wanted <= permissions.PERMISSIONS
        assert bool(wanted) == ("/stats/" not in path)
        if wanted and method != "GET" and "/export" not in path:
            assert not any(one.startswith("Read-Only") for one in wanted), path


@pytest.mark.parametrize(
    ("endpoint", "wanted"),
    [
        ("POST /rest/v1/leads.json", {"Read-Write Lead"}),
        ("GET /rest/v1/leads/describe2.json", {"Read-Only Lead", "Read-Write Lead"}),
        ("GET /rest/v1/leads/{id}/programMembership.json", {"Read-Only Assets", "Read-Write Assets"}),
        ("POST /rest/v1/leads/schema/fields.json", {"Read-Write Schema Custom Field"}),
        ("GET /rest/v1/companies/schema/fields.json", {"Read-Write Schema Standard Field", "Read-Write Schema Custom Field"}),
        ("GET /rest/v1/activities/leadchanges.json", {"Read-Only Activity", "Read-Write Activity"}),
        ("POST /rest/v1/activities/external.json", {"Read-Write Activity"}),
        ("POST /rest/v1/activities/external/type.json", {"Read-Write Activity Metadata"}),
        ("POST /rest/v1/campaigns/{id}/trigger.json", {"Execute Campaign"}),
        ("POST /rest/v1/programs/{id}/members/status.json", {"Read-Write Lead"}),
        ("POST /rest/v1/opportunities/roles.json", {"Read-Write Opportunity"}),
        ("GET /rest/v1/customobjects/{name}.json", {"Read-Only Custom Object", "Read-Write Custom Object"}),
        ("POST /bulk/v1/activities/export/create.json", {"Read-Only Activity", "Read-Write Activity"}),
        ("POST /bulk/v1/leads.json", {"Read-Write Lead"}),
    ],
)
def test_permissions_as_published(endpoint: str, wanted: set[str]) -> None:
    assert permissions.needed(endpoint) == wanted


async def code(server: Any, method: str, path: str, *, who: str = "u", **more: Any) -> str | None:
    envelope = await server.call(method, path, who=who, **more)
    return str(envelope["errors"][0]["code"]) if not envelope["success"] else None


async def test_a_user_without_a_permission_is_refused_and_changes_nothing(server: Any) -> None:
    body = {"input": [{"email": "a@x.example"}]}
    assert await code(server, "POST", "leads.json", json=body) is None
    held = await server.verb("permissions", {"user": USER, "permissions": ["Read-Only Lead", "Read-Only Activity"]})
    assert held == {"user": USER, "permissions": ["Read-Only Activity", "Read-Only Lead"]}
    assert await code(server, "POST", "leads.json", json={"input": [{"email": "b@x.example"}]}) == "603"
    assert await code(server, "GET", "lead/1.json") is None
    assert await code(server, "GET", "companies.json", params={"filterType": "id", "filterValues": "1"}) == "603"
    assert await code(server, "GET", "stats/usage.json") is None
    assert await code(server, "POST", "leads.json", who="t", json={"input": [{"email": "c@x.example"}]}) is None
    assert [row["email"] for row in server.running.system.dump("Lead")] == ["a@x.example", "c@x.example"]
    errors = (await server.call("GET", "stats/errors.json"))["result"][0]["errors"]
    assert errors == [{"errorCode": "603", "count": 2}]


async def test_permissions_are_taken_one_by_one_and_given_back(server: Any) -> None:
    await server.verb("permissions", {"user": USER, "without": ["Read-Write Lead"]})
    assert await code(server, "POST", "leads.json", json={"input": [{"email": "a@x.example"}]}) == "603"
    assert await code(server, "GET", "leads/describe.json") is None
    await server.verb("permissions", {"user": USER, "permissions": None})
    assert await code(server, "POST", "leads.json", json={"input": [{"email": "a@x.example"}]}) is None
    with pytest.raises(Exception, match="Read-Write Lead"):
        await server.verb("permissions", {"user": USER, "permissions": ["Everything"]})
