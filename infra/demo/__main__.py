"""`python -m infra.demo`: what `make demo` runs. Exit code 0 only when nothing differs, nothing was lost and nobody exists twice."""

import argparse
import asyncio
import sys
from pathlib import Path
from random import SystemRandom

from infra.demo.run import Wish, run
from infra.kafka.admin import AdminError
from infra.postgres.migrate import MigrationError
from infra.process import StartError
from infra.setup.found import ROOT
from streams.wire.errors import SyncError


def main() -> int:
    arguments = _arguments()
    seed = SystemRandom().randrange(1_000_000) if arguments.seed is None else arguments.seed
    wish = Wish(
        seed=seed,
        people=arguments.people,
        keep=arguments.keep,
        json=arguments.json,
        stream=arguments.stream == "on",
        run_dir=arguments.run_dir.resolve(),
        report=arguments.report,
    )
    try:
        passed = asyncio.run(run(wish))
    except (StartError, AdminError, MigrationError, SyncError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130
    if arguments.json:
        print(arguments.report.read_text(), end="")
    return 0 if passed else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.demo", description=__doc__)
    parser.add_argument("--seed", type=int, help="the same people and edits again (default: a new one)")
    parser.add_argument("--people", type=_people, default=400, help="people in each system (default 400)")
    parser.add_argument("--keep", action="store_true", help="leave everything running, to look at")
    parser.add_argument("--json", action="store_true", help="print the report as JSON, nothing else")
    parser.add_argument("--stream", choices=("on", "off"), default="on", help="off: no change event leaves Salesforce, the poll finds all")
    parser.add_argument("--run-dir", type=Path, default=ROOT / ".run" / "demo", help="where its data and logs are (default .run/demo)")
    parser.add_argument("--report", type=Path, default=ROOT / ".run" / "demo.json", help="where the report goes (default .run/demo.json)")
    return parser.parse_args()


def _people(text: str) -> int:
    count = int(text)
    if not 100 <= count <= 5_000:
        raise argparse.ArgumentTypeError("from 100 to 5000")
    return count


if __name__ == "__main__":
    sys.exit(main())
