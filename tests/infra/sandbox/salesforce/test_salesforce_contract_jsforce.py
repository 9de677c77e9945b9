"""jsforce, run by Node, against the org: what its users call is what they get."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.infra.sandbox.conformance import Records
from tests.infra.sandbox.salesforce.conftest import Client

FOLDER = Path(__file__).parents[1] / "node"
SECONDS = 60.0


async def run(org: Client, *steps: str) -> list[str]:
    node = shutil.which("node")
    assert node is not None, "set-up installs Node"
    process = await asyncio.create_subprocess_exec(
        *(node, str(FOLDER / "contract.js"), *steps),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=FOLDER,
        env={"PATH": os.environ["PATH"], "SANDBOX_URL": org.url, "SANDBOX_TOKEN": org.token},
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, output.decode()
    return output.decode().split()


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("node") is None, reason="no Node here, and set-up could not install it")
@pytest.mark.skipif(not (FOLDER / "node_modules").is_dir(), reason="the Node clients are not here, and set-up could not install them")
async def test_jsforce_finds_what_it_expects(org: Client, conformance: Records) -> None:
    await org.verb("define_field", {"object": "Contact", "field": {"name": "Ext__c", "type": "string", "external_id": True}})
    steps = ["rows", "collections", "queries", "bulk", "streaming", "soap", "more", "jobs", "tooling"]
    assert await run(org, *steps) == [f'{{"step":"{step}"}}' for step in steps]
    rows = (await org.control("GET", "meters")).body["rows"]
    endpoints = {row["endpoint"] for row in rows}
    soap = {f"POST /services/Soap {verb}" for verb in ("merge", "convertLead", "undelete")}
    assert soap | {"bulk insert", "bulk query"} <= endpoints
    served = [row for row in rows if sum(row["errors"].values()) < row["calls"]]
    conformance.met(f"jsforce {json.loads((FOLDER / 'package.json').read_text())['dependencies']['jsforce']}", "salesforce", served)
