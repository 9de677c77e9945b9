"""The sandbox at size, for `make bench`, and by itself: `python -m tests.benchmarks.sandbox_size [--people N] [--only marketo]`."""

import argparse
import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.benchmarks import sandbox_marketo, sandbox_salesforce

PEOPLE = 1_000_000
_SYSTEMS = {"marketo": sandbox_marketo.measure, "salesforce": sandbox_salesforce.measure}
_SERVER_MS_MAX = 40


async def at_size(people: int, say: Callable[[str], None], systems: frozenset[str] = frozenset(_SYSTEMS)) -> dict[str, Any]:
    """The figures of each system, one after the other: `{"marketo": {...}, "salesforce": {...}}`."""
    return {name: await measure(people, say) for name, measure in _SYSTEMS.items() if name in systems}


def rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What `at_size` found as rows of the report: what, measured, aim."""
    for system, told in found.items():
        head = f"sandbox {system}, {told['people']:,} people"
        yield f"{head}: load through the bulk API", f"{told['load_s']:,} s, {told['load_per_s']:,}/s", "minutes"
        what, key = ("sync of 300", "sync_300") if system == "marketo" else ("collection of 200", "collection_200")
        server, seen = told[f"{key}_server_ms"], told[f"{key}_ms"]
        yield f"{head}: {what}, server time", f"{server} ms (caller: p50 {seen['p50']}, p99 {seen['p99']})", f"< {_SERVER_MS_MAX} ms"
        crowd = told["clients_50_ms"]
        yield f"{head}: 50 clients at once", f"{told['clients_50_calls_per_s']:,} calls/s, p99 {crowd['p99']} ms", ""
        yield f"{head}: memory; restart", f"{told['memory_mib']:,} MiB; {told['restart_s']} s", ""


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sandbox_size", description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE, help="default: %(default)s")
    parser.add_argument("--only", choices=sorted(_SYSTEMS), help="one system")
    options = parser.parse_args()
    systems = frozenset({options.only} if options.only else _SYSTEMS)
    found = asyncio.run(at_size(options.people, lambda line: print(line, flush=True), systems))
    print(json.dumps(found, indent=1))
    for row in rows(found):
        print(" | ".join(row))


if __name__ == "__main__":
    main()
