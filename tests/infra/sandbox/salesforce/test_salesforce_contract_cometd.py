"""cometd, the JavaScript client of the CometD project, run by Node against the org's stream."""

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
    """What the script says, a line each; what it asks for on the way is done."""
    node = shutil.which("node")
    assert node is not None, "set-up installs Node"
    process = await asyncio.create_subprocess_exec(
        *(node, str(FOLDER / "cometd.mjs"), *steps),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=FOLDER,
        env={"PATH": os.environ["PATH"], "SANDBOX_URL": org.url, "SANDBOX_TOKEN": org.token},
    )
    assert process.stdout is not None
    lines = []
    try:
        async with asyncio.timeout(SECONDS):
            async for line in process.stdout:
                lines.append(line.decode().strip())
                if lines[-1].startswith('{"ask"'):
                    await org.fault({"type": json.loads(lines[-1])["ask"]})
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, "\n".join(lines)
    return lines


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("node") is None, reason="no Node here, and set-up could not install it")
@pytest.mark.skipif(
    not (FOLDER / "node_modules" / "cometd").is_dir(), reason="the Node clients are not here, and set-up could not install them"
)
async def test_cometd_finds_what_it_expects(org: Client, conformance: Records) -> None:
    steps = ["replay", "session", "refusals"]
    said = await run(org, *steps)
    assert [line for line in said if '"step"' in line] == [f'{{"step":"{step}"}}' for step in steps], said
    rows = (await org.control("GET", "meters")).body["rows"]
    served = [row for row in rows if sum(row["errors"].values()) < row["calls"]]
    conformance.met(f"cometd {json.loads((FOLDER / 'package.json').read_text())['dependencies']['cometd']}", "salesforce", served)
