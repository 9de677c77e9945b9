"""Numbered migrations, each applied once, in order, in a transaction of its own. Also `tandem-migrate`."""

import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg

from consumers.configuration.alone import postgres_in
from consumers.configuration.reading.places import ConfigurationError
from infra import step
from streams.ground.database import connected
from streams.wire.errors import SyncError

PROG, ADDRESS = "tandem-migrate", "TANDEM_POSTGRES_DSN"
MIGRATIONS = Path(__file__).with_name("migrations")
NAME = re.compile(r"(?P<number>\d{4})_[a-z0-9_]+\.sql")
LOCK = 0x74616E64_656D0001  # any number that only Tandem's migrations use
TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""

RECORD = "INSERT INTO schema_migrations (number, name, sha256) VALUES ($1, $2, $3)"


class MigrationError(Exception):
    """The migrations and the database don't fit together; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file `NNNN_name.sql`."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


def read_migrations(directory: Path = MIGRATIONS) -> list[Migration]:
    """The migrations in order. Raises MigrationError for a wrong name, a number used twice or left out, or a file without a statement."""
    migrations = []
    for file in sorted(directory.glob("*.sql")):
        match = NAME.fullmatch(file.name)
        if match is None:
            raise MigrationError(f"{file.name}: a migration is named NNNN_name.sql, in lower case")
        sql = file.read_text(encoding="utf-8")
        if not re.sub(r"--[^\n]*|/\*.*?\*/", "", sql, flags=re.DOTALL).strip(" \t\r\n;"):
            raise MigrationError(f"{file.name}: holds no statement")
        migrations.append(Migration(number=int(match["number"]), name=file.stem, sql=sql))
    for position, migration in enumerate(migrations, start=1):
        if migration.number != position:
            raise MigrationError(f"{migration.name}: number {position:04} is expected here; numbers run from 0001 without a gap")
    return migrations


async def migrate(dsn: str, *, migrations: Sequence[Migration] | None = None, lock_timeout_seconds: float = 60.0) -> list[str]:
    """Applies what is missing and returns the names. Two at once: the second waits, then finds nothing to do.

    Raises `Retry` where nothing answers there, `Fatal` where it refuses. Raises MigrationError when the database has a
    migration that is not here, or one that has been changed since it was applied,
    when a statement fails (that migration leaves nothing behind), or when the lock is not free in time.
    """
    wanted = read_migrations() if migrations is None else migrations
    connection = await connected(dsn, application_name="tandem-migrate")
    try:
        await _lock(connection, lock_timeout_seconds)
        await connection.execute(TABLE)
        rows = await connection.fetch("SELECT number, name, sha256 FROM schema_migrations ORDER BY number")
        todo = pending(wanted, {row["number"]: (row["name"], row["sha256"]) for row in rows})
        for migration in todo:
            await _apply(connection, migration)
        return [migration.name for migration in todo]
    finally:
        await connection.close()


def pending(wanted: Sequence[Migration], applied: Mapping[int, tuple[str, str]]) -> list[Migration]:
    """What is still to be applied, given what the database says it has. Raises MigrationError when the two contradict each other."""
    known = {migration.number: migration for migration in wanted}
    for number, (name, digest) in sorted(applied.items()):
        migration = known.get(number)
        if migration is None:
            raise MigrationError(
                f"the database has migration {name}, which this version doesn't know: it is older than the database; update it"
            )
        if migration.sha256 != digest:
            raise MigrationError(f"migration {name} has been changed since it was applied; put it back and write a new one")
    return [migration for migration in wanted if migration.number not in applied]


async def _lock(connection: Any, timeout_seconds: float) -> None:
    """The session's advisory lock; it ends with the connection, however that ends."""
    await connection.execute(f"SET lock_timeout = '{int(timeout_seconds * 1000)}ms'")
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    except asyncpg.LockNotAvailableError as error:
        raise MigrationError(f"somebody else has been migrating for more than {timeout_seconds:.0f} s") from error


async def _apply(connection: Any, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (number, name, sha256) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.sha256,
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(f"migration {migration.name} failed and left nothing behind: {error}") from error


def main() -> None:
    """`tandem-migrate`: applies the migrations. Exit code 1 when they don't fit, 2 without a way in, 3 when the database is away."""
    parser = step.parser(PROG, "Applies the migrations to Tandem's database.", ADDRESS)
    arguments, environ = parser.parse_args(), step.environment()
    try:
        dsn = step.settings_of(arguments.config, environ, ADDRESS, lambda path: postgres_in(path, environ).dsn.reveal(), str)
        if dsn is None:
            parser.error(
                f"there is no tandem.yaml here; name the configuration with --config, or set {ADDRESS} to the database's address, "
                "postgresql://user:password@host:port/database"
            )
        names = asyncio.run(migrate(dsn))
    except (MigrationError, SyncError, ConfigurationError, OSError, asyncpg.PostgresError) as error:
        step.end(PROG, error)
    sys.stdout.write(f"{PROG}: {', '.join(names) if names else 'nothing to do'}\n")


if __name__ == "__main__":
    main()
