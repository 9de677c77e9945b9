"""Tandem's own commands, as the demo gives them."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence

from infra.setup.found import ROOT
from infra.stack.stack import Stack

_COMMAND_SECONDS = 60.0


class CommandError(Exception):
    """One of Tandem's own commands failed; the message is what it said."""


async def tandem(stack: Stack, *arguments: str, accepted: Sequence[int] = (0,)) -> str:
    """What `tandem ARGUMENTS` prints. Raises CommandError when it ends with another exit code than those."""
    environment = (
        os.environ | stack.told() | {"TANDEM_CONFIG": str(stack.tandem.config), "TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0"}
    )
    command = [sys.executable, "-m", "consumers.cli", *arguments]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False
    )
    if done.returncode not in accepted:
        raise CommandError(f"tandem {' '.join(arguments)} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout
