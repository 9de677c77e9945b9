"""All that is kept for a time, by the settings. What is not here needs no keeper: its rows are as many as there are pairs, partitions,
sources, kinds or systems, or go by themselves once they are done with (`tests/consumers/retention` says of each table which)."""

from collections.abc import Callable
from typing import Any

from consumers.configuration.groups.upkeep import RetentionSettings
from consumers.ledger.port import Ledger
from consumers.retention.people import people
from consumers.retention.shelf import Shelf
from consumers.retention.tables import (
    AUDIT_LOG,
    CALLS,
    COVERAGE,
    CYCLES,
    DEAD_LETTERS,
    DIFFERENCES,
    ERRANDS,
    GAPS,
    LEASES,
    WORKERS,
    decisions,
    rows,
)

NAMES = (
    "decisions",
    "dead_letters",
    "cycles",
    "gaps",
    "coverage",
    "differences",
    "audit_log",
    "calls",
    "errands",
    "workers",
    "leases",
    "deleted_people",
)
_SILENT_DAYS = 1
"""A worker, or the holder of a lease, that has not been heard of for so long: nothing is asked of it any more."""


def shelves(pool: Any, ledger: Ledger, settings: RetentionSettings, now_ms: Callable[[], int]) -> list[Shelf]:
    """In the order of a round. `pool`: an asyncpg pool."""
    days = {
        "dead_letters": (settings.dead_letters_days, DEAD_LETTERS, "old dead letters"),
        "cycles": (settings.cycles_days, CYCLES, "old reports of cycles"),
        "gaps": (settings.gaps_days, GAPS, "gaps closed long ago"),
        "coverage": (settings.gaps_days, COVERAGE, "what was read long ago"),
        "differences": (settings.differences_days, DIFFERENCES, "differences that have ended"),
        "audit_log": (settings.audit_log_days, AUDIT_LOG, "the old audit log"),
        "calls": (settings.calls_days, CALLS, "what calls were for"),
        "errands": (settings.errands_days, ERRANDS, "what was asked for long ago"),
        "workers": (_SILENT_DAYS, WORKERS, "workers that are gone"),
        "leases": (_SILENT_DAYS, LEASES, "leases that nobody holds"),
    }
    tables = [Shelf(name=name, days=each, let_go=rows(pool, statement, what)) for name, (each, statement, what) in days.items()]
    return [
        Shelf(name="decisions", days=settings.decisions_days, let_go=decisions(pool)),
        *tables,
        Shelf(name="deleted_people", days=settings.deleted_people_days, let_go=people(ledger, now_ms)),
    ]
