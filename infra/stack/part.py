"""What a part of the stack can do, and parts that are Python programs with a health page."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from infra.process import Process
from infra.setup.found import ROOT


class Part(Protocol):
    """A part: Kafka, PostgreSQL, the sandbox, a worker of Tandem. All methods block; the stack calls them in threads."""

    @property
    def process(self) -> Process: ...

    def start(self) -> None:
        """Returns when it is healthy; does nothing when it runs. Raises StartError."""

    def stop(self) -> bool:
        """Orderly end; True when it needed no force."""

    def kill(self) -> None:
        """`kill -9`."""

    def ready(self) -> bool:
        """Whether it is healthy now."""

    def remove(self) -> None:
        """Stops it and deletes its data."""


def python_program(module: str, *arguments: str) -> list[str]:
    """The command line for one of our own programs, in this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def program_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Our environment with `extra`, without stale variables of an earlier Tandem, so that programs are told everything explicitly."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("TANDEM_")}
    path = os.pathsep.join(filter(None, [str(ROOT), inherited.get("PYTHONPATH")]))
    return inherited | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"} | dict(extra)


def healthy(url: str, *, timeout_seconds: float = 2.0) -> bool:
    """Whether `url` answers 200. No proxy is asked: everything is on this machine."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_seconds) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def write_secret(file: Path, content: str) -> None:
    """Writes a file that only its owner may read, from its first byte on, in one step."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.write(content)
    new.replace(file)


def as_json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
