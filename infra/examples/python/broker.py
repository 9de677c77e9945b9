"""Where Kafka is: as told on the command line, else where `make up` has started it."""

import json
from collections.abc import Sequence
from pathlib import Path

ENDPOINTS = Path(__file__).parents[3] / ".run" / "endpoints.json"


def broker(arguments: Sequence[str]) -> str:
    """`host:port`."""
    if arguments:
        return arguments[0]
    if not ENDPOINTS.exists():
        raise SystemExit("no broker: name one (HOST:PORT), or run `make up` first")
    return str(json.loads(ENDPOINTS.read_text())["kafka"]["bootstrap_servers"])
