"""One of a kind in a fleet: whoever holds a PostgreSQL advisory lock does the work, the others stand by."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import blake2b
from typing import Any, Protocol

import asyncpg
import structlog

from streams.database import AWAY

LOCK = "select pg_advisory_lock($1)"
_HEARTBEAT_SECONDS = 3.0
_ANSWER_SECONDS = 5.0
_log = structlog.get_logger("streams.singleton")


class Singleton(Protocol):
    """The right to be the only one under a name."""

    def hold(self, name: str) -> AbstractAsyncContextManager[asyncio.Event]:
        """Wait for the right, for as long as another has it, and keep it till the block ends. The event is set when it is lost."""
        ...


class PostgresSingleton:
    """`Singleton` by a session lock on a connection of its own: it ends with the connection, so with the process.

    Waiting is one blocking query, no polling. A lost connection is noticed at once where the server or its machine says so, else
    by a heartbeat that stays unanswered; the server forgets a silent client within the same time (TCP keepalive), so that for
    some seconds two may believe that they hold it: what they write must carry an epoch.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[asyncio.Event]:
        """See `Singleton`. While PostgreSQL is away it waits for that, too."""
        connection = await self._locked(name)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        if connection.is_closed():
            lost.set()
        heartbeat = asyncio.create_task(_beat(connection, lost), name=f"heartbeat of {name}")
        try:
            yield lost
        finally:
            heartbeat.cancel()
            connection.terminate()

    async def _locked(self, name: str) -> Any:
        failures = 0
        while True:
            try:
                return await self._lock(name)
            except AWAY as error:
                failures += 1
                _log.warning("no lock: PostgreSQL is away", name=name, error=str(error))
                await asyncio.sleep(random.uniform(0.1, min(10.0, 0.2 * 2.0 ** min(failures, 10))))

    async def _lock(self, name: str) -> Any:
        keepalive = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3", "tcp_user_timeout": "10000"}
        # a blocked session notices that its client died only by looking; a dead one in the queue would be next
        unlimited = {"lock_timeout": "0", "statement_timeout": "0", "client_connection_check_interval": "2000"}
        connection = await asyncpg.connect(self._dsn, timeout=10, server_settings={**keepalive, **unlimited, "application_name": "tandem"})
        try:
            await connection.execute(LOCK, lock_key(name))
        except BaseException:
            connection.terminate()
            raise
        return connection


def lock_key(name: str) -> int:
    """The 64 bits under which PostgreSQL knows the name."""
    return int.from_bytes(blake2b(f"tandem {name}".encode(), digest_size=8).digest(), signed=True)


async def _beat(connection: Any, lost: asyncio.Event) -> None:
    """Ask now and then whether the other end is still there."""
    while not lost.is_set():
        await asyncio.sleep(_HEARTBEAT_SECONDS)
        try:
            await connection.fetchval("select 1", timeout=_ANSWER_SECONDS)
        except AWAY:
            lost.set()
