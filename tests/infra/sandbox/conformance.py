"""Which client that we did not write uses what of the sandbox, and whether that works: the table in infra/sandbox/CONFORMANCE.md.

A contract test tells what its client called, by the sandbox's own meters: `conformance.met("client 1.2", "marketo", rows)`. A pair of
endpoint and client has passed when every test that made the call passed. The table is written by

    pytest -p tests.infra.sandbox.conformance --conformance tests/infra/sandbox

and is no part of an ordinary run.
"""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

TARGET = Path("infra/sandbox/CONFORMANCE.md")
_RECORDS = pytest.StashKey["Records"]()
_PASSED = pytest.StashKey[bool]()
_ITEM = pytest.StashKey["Records"]()

Endpoint = tuple[str, str, str]
"""System, resource, verb."""


@dataclass(slots=True)
class Records:
    """What was called by whom: (system, resource, verb) -> client -> whether all tests with it passed."""

    results: dict[Endpoint, dict[str, bool]] = field(default_factory=dict)

    def served(self, system: str, endpoints: Iterable[tuple[str, str]]) -> None:
        """(verb, resource) of all that the system serves: what no client called shows up as such."""
        for verb, resource in endpoints:
            self.results.setdefault((system, resource, verb), {})

    def met(self, client: str, system: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """The rows of the system's meters after a client's work; what was refused before it reached an endpoint does not count."""
        for row in rows:
            verb, _, resource = str(row["endpoint"]).partition(" ")
            if row["calls"] and resource.startswith("/"):
                self.results.setdefault((system, resource, verb), {})[client] = True

    def add(self, other: "Records", *, passed: bool) -> None:
        for endpoint, clients in other.results.items():
            mine = self.results.setdefault(endpoint, {})
            for client in clients:
                mine[client] = mine.get(client, True) and passed

    def markdown(self) -> str:
        lines = ["# What works with clients that we did not write", ""]
        intro = (
            "Generated from the contract suites: `pytest -p tests.infra.sandbox.conformance --conformance tests/infra/sandbox`. "
            "`yes`: the client made the call and its tests passed; `NO`: they failed; blank: that client does not call it. "
            "A row without any mark is served, and tested with requests of our own only. "
            "A path that is not here answers an error that says so, never an empty success."
        )
        lines += [intro, ""]
        for system in sorted({system for system, _, _ in self.results}):
            rows = {key: clients for key, clients in sorted(self.results.items()) if key[0] == system}
            names = sorted({client for clients in rows.values() for client in clients})
            heads = ["resource", "verb", *names]
            lines += [f"## {system.capitalize()}", "", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
            for (_, resource, verb), clients in rows.items():
                marks = ["" if name not in clients else "yes" if clients[name] else "NO" for name in names]
                lines.append("| " + " | ".join([f"`{resource}`", verb, *marks]) + " |")
            called = sum(bool(clients) for clients in rows.values())
            lines += ["", f"{called} of {len(rows)} endpoints are called by these clients.", ""]
        return "\n".join(lines)


@pytest.fixture
def conformance(request: pytest.FixtureRequest) -> Records:
    """Where a contract test says what its client called."""
    records = request.node.stash[_ITEM] = Records()
    return records


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--conformance", action="store_true", help=f"write {TARGET} from the contract suites that this run passes through")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RECORDS] = Records()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        item.stash[_PASSED] = report.passed
    if call.when == "teardown" and _ITEM in item.stash:  # fixtures may add to the records as late as that
        item.config.stash[_RECORDS].add(item.stash[_ITEM], passed=item.stash.get(_PASSED, False))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--conformance"):
        (session.config.rootpath / TARGET).write_text(session.config.stash[_RECORDS].markdown(), encoding="utf-8")
