"""Every table that there is, by the page on which it stands: its columns, and what is said where it has no row."""

from consumers.console.tables import audit, backlog, conflicts, coverage, errors, rules, streams
from consumers.console.tables.table import Table

TABLES: tuple[Table, ...] = (
    *errors.TABLES,
    *conflicts.TABLES,
    *backlog.TABLES,
    *coverage.TABLES,
    *streams.TABLES,
    *rules.TABLES,
    *audit.TABLES,
)
BY_NAME = {table.name: table for table in TABLES}
