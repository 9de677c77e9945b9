"""The ledger on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import structlog

from consumers.ledger.port import Awaited, Duty
from consumers.ledger.postgres import sql
from consumers.ledger.postgres.blocks import Days
from consumers.ledger.postgres.border import LOST, border, commit_border
from consumers.ledger.postgres.queue import Queue
from consumers.ledger.postgres.transaction import PostgresTransaction
from consumers.ledger.postgres.write_ids import WriteIds
from consumers.merge.lives.naming import told_of
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import unpack
from streams.wire.systems import Object, System

SESSION = {
    "application_name": "tandem-ledger",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "idle_in_transaction_session_timeout": "10s",
}
"""Every statement here walks an index for a handful of rows. Planned once, and never as if the tables were as empty as on the first day.
What a stopped process has locked is let go after some seconds."""

_CLOSE_SECONDS = 0.5


class PostgresLedger:
    """The ledger's port on a pool of connections. Made by `open_ledger`; `close` it at the end."""

    def __init__(self, pool: Any, transactions_max: int) -> None:
        self._pool = pool
        self._room = asyncio.Semaphore(transactions_max)
        self._write_ids = WriteIds()
        self._days = Days(pool)
        self._queue = Queue()
        self._refill = asyncio.Lock()
        self._log = structlog.get_logger("consumers.ledger")

    def transaction(self, *, durable: bool = True) -> AbstractAsyncContextManager[PostgresTransaction]:
        """As the port says."""
        return self._transaction(sql.BEGIN if durable else sql.BEGIN_UNSURE)

    async def write_id(self) -> int:
        """As the port says. Ids come in blocks; what a stopped worker had left of its block is never given."""
        while (number := self._write_ids.take()) is None:
            async with self._refill:
                if (number := self._write_ids.take()) is not None:
                    break
                with border("take write ids"):
                    self._write_ids.begin(await self._pool.fetchval(sql.WRITE_IDS))
        return number

    async def awaited(self, after: str, most: int, objects: Sequence[Object]) -> Awaited:
        """As the port says."""
        with border("look for who is waited for"):
            rows = await self._pool.fetch(sql.AWAITED, after, most, list(objects))
        there = tuple(parent for parent, _, there, _ in rows if there)
        unknown = tuple((parent, role) for parent, known, _, role in rows if not known)
        unborn = tuple(parent for parent, known, there, _ in rows if known and not there and told_of(parent))
        return Awaited(there=there, unknown=unknown, unborn=unborn, last=rows[-1][0] if len(rows) == most else "")

    async def states(self, system: System, obj: Object, ids: Sequence[str]) -> dict[str, PairState]:
        """As the port says."""
        with border("read pairs"):
            if system is System.SALESFORCE:
                rows = await self._pool.fetch(sql.STATES_SALESFORCE, list(ids))
            else:
                rows = await self._pool.fetch(sql.STATES_MARKETO, list(ids), obj)
        states: dict[str, PairState] = {}
        for record, packed in rows:
            try:
                states[record] = unpack(packed)
            except Exception as error:  # noqa: BLE001 - whoever asks goes on with the others
                self._log.error("state.unreadable", system=system, error=type(error).__name__)
        return states

    async def waiting(self, duty: Duty, now: int) -> int | None:
        """As the port says."""
        with border("look for work"):
            lane: int | None = await self._pool.fetchval(sql.WAITING, int(duty), now)
        return lane

    async def looked_for(self, duty: Duty, now: int, after: int, limit: int) -> list[int]:
        """As the port says."""
        with border("look for calls"):
            rows = await self._pool.fetch(sql.LOOKED_FOR, int(duty), now, after, limit)
        return [row[0] for row in rows]

    async def refused(self, after: int, limit: int) -> list[int]:
        """As the port says."""
        with border("look for refusals"):
            rows = await self._pool.fetch(sql.REFUSED, after, limit)
        return [row[0] for row in rows]

    async def gone(self, after: int, limit: int) -> dict[int, int]:
        """As the port says."""
        with border("look for deleted people"):
            rows = await self._pool.fetch(sql.GONE, after, limit)
        return {row[0]: row[1] for row in rows}

    async def anything_left(self) -> bool:
        """As the port says."""
        with border("look for what was left"):
            return bool(await self._pool.fetchval(sql.ANYTHING_LEFT))

    async def offset(self, topic: str, partition: int) -> int | None:
        """As the port says."""
        with border("read an offset"):
            found: int | None = await self._pool.fetchval(sql.OFFSET, topic, partition)
        return found

    async def last_read(self, topic: str, partition: int) -> tuple[int, int] | None:
        """As the port says."""
        with border("read an offset"):
            row = await self._pool.fetchrow(sql.LAST_READ, topic, partition)
        return None if row is None or row[1] is None else (row[0] - 1, row[1])

    async def close(self) -> None:
        """Wait a moment for open transactions, then close all connections."""
        try:
            await asyncio.wait_for(self._pool.close(), _CLOSE_SECONDS)
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[PostgresTransaction]:
        async with self._room:
            with border("reach the ledger"):
                connection = await self._pool.acquire()
            try:
                with border("begin"):
                    await connection.execute(begin)
                try:
                    transaction = PostgresTransaction(connection, self._write_ids, self._days, self._queue)
                    yield transaction
                    await transaction.finish()
                    with commit_border():
                        await connection.execute(sql.COMMIT)
                except BaseException:
                    await self._roll_back(connection)
                    raise
            finally:
                await self._release(connection)

    async def _roll_back(self, connection: Any) -> None:
        """What can't be rolled back any more was so by the database when the connection was lost, or is when its release cuts it."""
        try:
            if connection.is_in_transaction():
                await connection.execute(sql.ROLLBACK)
        except (asyncpg.PostgresError, *LOST) as error:
            self._log.warning("a connection could not roll back", error=type(error).__name__)

    async def _release(self, connection: Any) -> None:
        try:
            await self._pool.release(connection)
        except (asyncpg.PostgresError, *LOST) as error:
            self._log.warning("a connection was lost on its way back", error=type(error).__name__)


async def open_ledger(dsn: str, *, transactions_max: int = 8, answer_seconds: float = 30.0) -> PostgresLedger:
    """The ledger behind `dsn` (a secret: it holds the password). Raises `Retry` while it can't be reached, `Fatal` when it refuses.

    `transactions_max`: how many transactions may be open at once; more wait. One connection beyond them is for what is read outside
    of transactions, so that nobody waits for a connection while holding one. `answer_seconds`: an answer that takes longer counts as lost.
    """
    with border("reach the ledger"):
        pool = await asyncpg.create_pool(
            dsn,
            min_size=0,
            max_size=transactions_max + 1,
            timeout=10.0,
            command_timeout=answer_seconds,
            statement_cache_size=100,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=0,
            max_queries=10_000_000,
            max_inactive_connection_lifetime=300.0,
            server_settings=SESSION,
            reset=_keep,
        )
        try:
            await pool.execute(sql.REACHABLE)
        except BaseException:
            pool.terminate()
            raise
    return PostgresLedger(pool, transactions_max)


async def _keep(connection: Any) -> None:
    """A connection goes back as it is: whatever is set here is set for a transaction only, so there is nothing to reset."""
    del connection
