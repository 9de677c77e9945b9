"""What each part of a stack has used of the processor: says which of them a measurement waited for."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from infra.stack.stack import Stack

_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(stack: Stack) -> dict[str, float]:
    """By part, seconds since it began; of the sandbox each system by itself."""
    found: dict[str, float] = {}
    for name, part in stack.parts.items():
        if not part.process.pidfile.exists():
            continue
        pid = int(json.loads(part.process.pidfile.read_text())["pid"])
        for child, used in _family(pid).items():
            found[_name(name, child)] = round(found.get(_name(name, child), 0.0) + used, 1)
    return found


def between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was used in between."""
    return {name: round(used - before.get(name, 0.0), 1) for name, used in after.items()}


def _name(part: str, pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return part  # it has just ended
    system = next((word.decode().removeprefix("infra.sandbox.") for word in words if word.startswith(b"infra.sandbox.")), "")
    return f"{part} {system}" if system else part


def _family(pid: int) -> dict[int, float]:
    """A process and all that it has started, each with its seconds."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return {}  # it has just ended
    found = {pid: (int(fields[11]) + int(fields[12])) / _TICKS}
    for child in children:
        found |= _family(int(child))
    return found
