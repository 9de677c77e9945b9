"""The figures as a table."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.console_speed import rows as console_rows
from tests.benchmarks.copy_speed import rows as copy_rows
from tests.benchmarks.drift_audit import rows as drift_rows
from tests.benchmarks.logs_speed import rows as logs_rows
from tests.benchmarks.object_speed import rows as object_rows
from tests.benchmarks.sandbox_size import rows as sandbox_rows

Row = tuple[str, str, str]


def show(found: dict[str, Any]) -> None:
    """Prints what was measured beside what is aimed at."""
    machine = found["machine"]
    title = f"{machine['cores']} cores {machine['cpu']}, {machine['memory_gib']} GiB, load {machine['load_average'][0]}"
    table = Table("what", "measured", "aim", title=title)
    for row in _rows(found):
        table.add_row(*row)
    Console().print(table)


def _rows(found: dict[str, Any]) -> Iterator[Row]:
    if "observe" in found:
        yield from _observe(found["observe"])
    if "peers" in found:
        yield from _peers(found["peers"])
    if "settle" in found:
        yield from _settle(found["settle"])
    for rate, directions in found.get("added_latency_ms", {}).items():
        for direction, told in directions.items():
            alone = told["limit_alone_ms"]
            least = f"; Marketo's limit alone: p50 {alone['p50']}, p99 {alone['p99']}" if alone else ""
            aim = f"p50 <= 50, p99 <= 250{least}" if direction == "salesforce_to_marketo" else ""
            what = f"{rate} edits/s, {direction.replace('_', ' ')}: latency less {told['taken_off_ms']} ms of the systems' own calls"
            yield what, f"p50 {told['p50']} ms, p99 {told['p99']} ms", aim
    for way, rates in found.get("told_latency_ms", {}).items():
        for rate, directions in rates.items():
            whole = directions["marketo_to_salesforce"]["whole"]
            what = f"{rate} edits/s, marketo to salesforce, told by {way.replace('_', ' ')}: latency, the systems' own calls included"
            yield what, f"p50 {whole['p50']} ms, p99 {whole['p99']} ms", "p99 <= 1000"
    for size, told in found.get("idle", {}).items():
        yield f"idle: worker with {int(size):,} pairs", f"{told['rss_mib']} MiB, {told['calls']:g} calls a cycle", "the same at every size"
    yield from drift_rows(found.get("drift", {}))
    if "copy" in found:
        yield from copy_rows(found["copy"])
    yield from console_rows(found.get("console", {}))
    yield from logs_rows(found.get("logs", {}))
    yield from object_rows(found.get("objects", {}))
    yield from sandbox_rows(found.get("sandbox", {}))


def _observe(told: dict[str, Any]) -> Iterator[Row]:
    yield "observe: events/s into the ledger", f"{told['events_per_s']:,}", "> 20,000-23,000 (upserts without judging)"
    yield "observe: share of a plain read's rate", f"{told['ratio_to_plain_read']:.2f}", ""
    yield "observe: times one transaction an event", f"{told['ratio_to_one_by_one']:.1f}", ""


def _peers(told: dict[str, Any]) -> Iterator[Row]:
    for name, what in (("observe", "Tandem's observe, judging and deciding"), ("debezium", "Debezium's JDBC sink, plain upserts")):
        each = told[name]
        costs = f"{each['cpu_us']} us an event, PostgreSQL {each['database_us']} us"
        yield f"peers: {what}: events/s", f"{each['events_per_s']:,} ({costs})", ""
    yield "peers: observe's rate by Debezium's", f"{told['ratio']:.2f} (rounds: {', '.join(map(str, told['ratios']))})", ">= 1.2"


def _settle(told: dict[str, Any]) -> Iterator[Row]:
    yield (
        "settle: records/s into Marketo while writing",
        f"{told['records_per_s']:,} = {told['share_of_limit']:.0%} of the limit",
        ">= 85 %",
    )
    used = told["allowed_calls_used"]
    yield "settle: allowed calls used throughout", "too short to tell" if used is None else f"{used:.0%}", ">= 95 %"
    yield "settle: calls in all", f"{told['calls']} = {told['times_least_calls']:.2f} x the least", "<= 1.1 x"
