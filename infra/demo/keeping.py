"""What is left running after the demo, for whoever wants to look: where, and how it is stopped."""

from pathlib import Path

from infra.demo.checker.report import Outcome, a_conflict
from infra.demo.telling import Teller
from infra.stack.command import DEMO, KEPT, RUN_DIR
from infra.stack.endpoints import where_to_look
from infra.stack.stack import Stack


async def say_where(stack: Stack, outcome: Outcome, teller: Teller) -> None:
    """The addresses, a link into the console, and what to try with a record of this run."""
    link = await stack.console.link() if stack.console is not None else ""
    lines = ["To look at:", "", *where_to_look(stack.endpoints(), link), ""]
    if _is_default(stack.run_dir) and (chosen := a_conflict(outcome)) is not None:
        pair, field = chosen
        lines += [f"  to try         ./tandem record {pair.salesforce}", f"                 ./tandem explain {pair.salesforce} {field}", ""]
    teller.say_all(lines)


def say_kept(run_dir: Path, teller: Teller) -> None:
    """Noted for whoever stops it, and said how."""
    (run_dir / KEPT).touch()
    down = "make down" if _is_default(run_dir) else f"python -m infra.stack down --run-dir {run_dir}"
    teller.say(f"everything is left running; `{down}` stops it")


def _is_default(run_dir: Path) -> bool:
    return run_dir == RUN_DIR / DEMO
