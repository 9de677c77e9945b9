"""`python -m infra.stack up|down|clean|status|tandem`: what `make up`, `make down`, `make clean`, `make status` and `make tandem` run."""

import argparse
import asyncio
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.kafka.admin import AdminError
from infra.postgres.migrate import MigrationError
from infra.process import StartError
from infra.setup.found import ROOT
from infra.stack.endpoints import read_endpoints
from infra.stack.part import as_json
from infra.stack.stack import CONFIG, PARTS, Stack

RUN_DIR = ROOT / ".run"


def main() -> int:
    arguments = _arguments()
    arguments.run_dir.mkdir(parents=True, exist_ok=True)
    config = arguments.config.resolve()
    stack = Stack(arguments.run_dir.resolve(), parts=arguments.parts, config=config, latency_ms=arguments.latency_ms, say=_say)
    if arguments.action == "status":
        return _status(stack, json=arguments.json)
    if arguments.action == "tandem":
        return _tandem(stack, config, arguments.command)
    try:
        with _alone(arguments.run_dir):
            asyncio.run({"up": _up, "down": Stack.down, "clean": Stack.clean}[arguments.action](stack))
    except (StartError, AdminError, MigrationError) as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stack: stopped", file=sys.stderr)
        return 130
    return 0


async def _up(stack: Stack) -> None:
    await stack.up()
    print(f"everything is up; addresses and credentials: {stack.run_dir / 'endpoints.json'}")


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


def _tandem(stack: Stack, config: Path, command: list[str]) -> int:
    """A command of Tandem's, told where this stack is; its exit code."""
    try:
        told = stack.told()
    except (StartError, OSError) as error:
        print(f"stack: nothing is up here ({error}); `make up` starts it", file=sys.stderr)
        return 1
    web = {"TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0"}
    environment = {**os.environ, **told, **web, "TANDEM_CONFIG": str(config)}
    return subprocess.run([sys.executable, "-m", "consumers.cli", *command], env=environment, cwd=ROOT, check=False).returncode


def _state(stack: Stack, name: str) -> str:
    part = stack.parts[name]
    if not part.process.running():
        return "not running"
    return "healthy" if part.ready() else "running, not healthy"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m infra.stack",
        description="Kafka, PostgreSQL, the sandbox systems and Tandem, on this machine.",
        epilog="What follows `--` after the action tandem is a command of Tandem's: tandem -- status --json",
    )
    parser.add_argument("action", choices=["up", "down", "clean", "status", "tandem"])
    parser.add_argument("--run-dir", type=Path, default=RUN_DIR, help="where data, logs, secrets and endpoints.json are (default: .run)")
    parser.add_argument("--parts", type=lambda text: set(text.split(",")), default=set(PARTS), help="some of: kafka,postgres,sandbox")
    parser.add_argument("--config", type=Path, default=CONFIG, help="Tandem's configuration")
    parser.add_argument("--latency-ms", type=int, default=0, help="what a call to the sandbox systems takes (default 0)")
    parser.add_argument("--json", action="store_true", help="status as JSON")
    given = sys.argv[1:]
    split = given.index("--") if "--" in given else len(given)
    arguments = parser.parse_args(given[:split])
    arguments.command = given[split + 1 :]
    return arguments


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
