"""`python -m infra.stack up|down|clean|status`: what `make up`, `make down`, `make clean` and `make status` run."""

import argparse
import asyncio
import fcntl
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from infra.kafka.admin import AdminError
from infra.postgres.migrate import MigrationError
from infra.process import StartError
from infra.stack.command import DEMO, KEPT, RUN_DIR
from infra.stack.endpoints import read_endpoints, where_to_look
from infra.stack.part import as_json
from infra.stack.stack import CONFIG, PARTS, Stack
from streams.wire.errors import SyncError


def main() -> int:
    arguments = _arguments()
    arguments.run_dir.mkdir(parents=True, exist_ok=True)
    config = arguments.config.resolve()
    stack = Stack(
        arguments.run_dir.resolve(),
        parts=arguments.parts,
        config=config,
        latency_ms=arguments.latency_ms,
        people=not arguments.empty,
        console="tandem" in arguments.parts,
        say=_say,
    )
    if arguments.action == "status":
        return _status(stack, json=arguments.json)
    try:
        with _alone(arguments.run_dir):
            works: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
                "up": partial(_up, stack),
                "down": partial(_down, stack),
                "clean": partial(_clean, stack),
            }
            asyncio.run(works[arguments.action]())
    except (StartError, AdminError, MigrationError, SyncError) as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stack: stopped", file=sys.stderr)
        return 130
    return 0


async def _up(stack: Stack) -> None:
    endpoints = await stack.up()
    print(f"everything is up; addresses and credentials: {stack.run_dir / 'endpoints.json'}")
    if "sandbox" not in endpoints or "tandem" not in endpoints:
        return
    print(to_try(endpoints, await stack.console.link() if stack.console else ""))


async def _down(stack: Stack) -> None:
    await stack.down()
    if (kept := _kept(stack)) is not None:
        await kept.down()
        (kept.run_dir / KEPT).unlink()


async def _clean(stack: Stack) -> None:
    await stack.clean()
    if (kept := _kept(stack)) is not None:
        await kept.clean()
        (kept.run_dir / KEPT).unlink()


def _kept(stack: Stack) -> Stack | None:
    """What a demo has left running, where it does so unless it is told another place; a demo that runs is let be."""
    folder = stack.run_dir / DEMO
    if not (folder / KEPT).exists():
        return None
    return Stack(folder, config=folder / "tandem.yaml", console=True, say=_say)


def to_try(endpoints: Mapping[str, Any], link: str = "") -> str:
    """Where to look, and what to try first. `link`: signs in to the console."""
    return "\n".join(
        (
            "",
            *where_to_look(endpoints, link),
            "",
            "  to try         ./tandem status",
            "                 ./tandem record ada@example.com",
            "                 ./tandem record emmy@example.com  (and then the account that she belongs to)",
            "                 ./tandem explain ada@example.com title",
            "",
        )
    )


def _status(stack: Stack, *, json: bool) -> int:
    states = {name: _state(stack, name) for name in stack.parts}
    if json:
        print(as_json(states), end="")
    else:
        for name, state in states.items():
            print(f"{name:10} {state}")
        try:
            print("endpoints: " + ", ".join(read_endpoints(stack.run_dir)))
        except FileNotFoundError:
            print("endpoints: none; nothing is up")
    return 0 if all(state == "healthy" for state in states.values()) else 3


def _state(stack: Stack, name: str) -> str:
    part = stack.parts[name]
    if not part.process.running():
        return "not running"
    return "healthy" if part.ready() else "running, not healthy"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m infra.stack",
        description="Kafka, PostgreSQL, the sandbox systems and Tandem, on this machine.",
    )
    parser.add_argument("action", choices=["up", "down", "clean", "status"])
    parser.add_argument("--run-dir", type=Path, default=RUN_DIR, help="where data, logs, secrets and endpoints.json are (default: .run)")
    parser.add_argument("--parts", type=lambda text: set(text.split(",")), default=set(PARTS), help="some of: kafka,postgres,sandbox")
    parser.add_argument("--config", type=Path, default=CONFIG, help="Tandem's configuration")
    parser.add_argument("--latency-ms", type=int, default=0, help="what a call to the sandbox systems takes (default 0)")
    parser.add_argument("--empty", action="store_true", help="without the twenty people that a fresh sandbox starts with")
    parser.add_argument("--json", action="store_true", help="status as JSON")
    return parser.parse_args()


@contextmanager
def _alone(run_dir: Path) -> Iterator[None]:
    """One `up` or `down` at a time; another waits."""
    with (run_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
