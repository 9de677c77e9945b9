"""What an administrator does once before Tandem can start: Tandem's key in Salesforce, and `tandem setup` for Marketo's fields.

The sandbox's control API stands in for Salesforce's set-up pages. Doing it again changes nothing.
"""

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from infra.process import StartError
from infra.setup.found import ROOT

KEY = {"name": "Marketo_Person_Id__c", "type": "string", "length": 18, "external_id": True, "unique": True}
_SECONDS = 60


async def prepare(sandbox: str, config: Path, told: Mapping[str, str]) -> None:
    """Make the fields that Tandem needs in the sandbox systems at `sandbox`. Raises StartError with what the systems said."""
    for object_name in ("Lead", "Contact"):
        await asyncio.to_thread(_verb, f"{sandbox}/salesforce/define_field", {"object": object_name, "field": KEY})
    await asyncio.to_thread(_set_up, config, told)


def _verb(url: str, body: object) -> None:
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310 - as above
            pass
    except OSError as error:
        raise StartError(f"the sandbox refused {url}: {error}") from error


def _set_up(config: Path, told: Mapping[str, str]) -> None:
    environment = {**os.environ, **told, "TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0"}
    command = [sys.executable, "-m", "consumers.cli", "setup", "--yes", "--config", str(config)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise StartError(f"tandem setup ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-800:]}")
