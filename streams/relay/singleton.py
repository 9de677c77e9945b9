"""One of a kind in a fleet: whoever has the lease does the work, the others stand by."""

import asyncio
import os
import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol

import asyncpg
import structlog

from streams.ground.database import AWAY

TAKE = """
insert into leases as l (name, holder, until, backend, backend_start)
select $1, $2, clock_timestamp() + make_interval(secs => $3), pid, backend_start from pg_stat_activity where pid = pg_backend_pid()
on conflict (name) do update
set holder = excluded.holder, until = excluded.until, backend = excluded.backend, backend_start = excluded.backend_start
where l.until <= clock_timestamp() or not exists (
    select 1 from pg_stat_activity as a where a.pid = l.backend and (a.backend_start is null or a.backend_start = l.backend_start)
)
returning 1
"""
"""A holder whose session has ended is gone: nobody need wait for the end of its term."""
KEEP = """
update leases as l set until = clock_timestamp() + make_interval(secs => $3), backend = a.pid, backend_start = a.backend_start
from pg_stat_activity as a where a.pid = pg_backend_pid() and l.name = $1 and l.holder = $2 returning 1
"""
LET_GO = "delete from leases where name = $1 and holder = $2"
TERM_SECONDS = 10.0
"""A holder that has not been heard of for so long (a stopped process, a lost machine) is none any more."""
_BEATS_A_TERM, _STANDBY_SECONDS, _ANSWER_SECONDS, _GOODBYE_SECONDS = 4, 0.5, 3.0, 1.0
_log = structlog.get_logger("streams.relay.singleton")


class Singleton(Protocol):
    """The right to be the only one under a name."""

    def hold(self, name: str) -> AbstractAsyncContextManager[asyncio.Event]:
        """Wait for the right, for as long as another has it, and keep it till the block ends. The event is set when it is lost."""
        ...


class PostgresSingleton:
    """`Singleton` by a lease in the table `leases`, kept by a heartbeat; all leases of one of these share a connection.

    A holder that can't beat any more takes the lease for lost before anybody else can have it, unless the process itself was stopped:
    then two believe for a moment that they hold it, until the one that wakes up looks at its clock. What they write must carry an epoch.
    An outage of PostgreSQL that is shorter than the term is none.
    """

    def __init__(self, dsn: str, *, term_seconds: float = TERM_SECONDS) -> None:
        self._dsn, self._term = dsn, term_seconds
        self._connection: Any = None
        self._asking = asyncio.Lock()
        self._users = 0

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[asyncio.Event]:
        """See `Singleton`. While PostgreSQL is away it waits for that, too."""
        holder = f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(4)}"
        self._users += 1
        try:
            until = await self._taken(name, holder)
            lost = asyncio.Event()
            keeping = asyncio.create_task(self._keep(name, holder, until, lost), name=f"heartbeat of {name}")
            try:
                yield lost
            finally:
                keeping.cancel()
                await asyncio.wait({keeping})
        finally:
            await asyncio.shield(self._let_go(name, holder))

    async def _taken(self, name: str, holder: str) -> float:
        """Until when (monotonic) the lease is ours."""
        failures = 0
        while True:
            asked = time.monotonic()
            try:
                if await self._ask(TAKE, name, holder, self._term) is not None:
                    return asked + self._term
                failures = 0
                await asyncio.sleep(_STANDBY_SECONDS * random.uniform(0.5, 1.0))
            except AWAY as error:
                failures += 1
                _log.warning("no lease: PostgreSQL is away", name=name, error=str(error))
                await asyncio.sleep(random.uniform(0.1, min(10.0, 0.2 * 2.0 ** min(failures, 10))))

    async def _keep(self, name: str, holder: str, until: float, lost: asyncio.Event) -> None:
        """Beat until somebody else has it, or might."""
        try:
            while (left := until - time.monotonic()) > 0:
                await asyncio.sleep(min(left, self._term / _BEATS_A_TERM))
                asked = time.monotonic()
                if asked >= until:
                    return
                try:
                    async with asyncio.timeout(until - asked):
                        kept = await self._ask(KEEP, name, holder, self._term)
                except AWAY as error:
                    _log.warning("a beat is missed: PostgreSQL is away", name=name, error=str(error))
                    continue
                if kept is None:
                    return
                until = asked + self._term
        finally:
            lost.set()

    async def _let_go(self, name: str, holder: str) -> None:
        """Free at once for whoever stands by; where that can't be said, with the end of the session or of the term."""
        with suppress(*AWAY):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._ask(LET_GO, name, holder)
        self._users -= 1
        if self._users == 0:
            self._hang_up()

    async def _ask(self, sql: str, *values: object) -> Any:
        async with self._asking:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    if self._connection is None or self._connection.is_closed():
                        self._connection = await asyncpg.connect(self._dsn, timeout=10, server_settings={"application_name": "tandem"})
                    return await self._connection.fetchval(sql, *values)
            except AWAY:
                self._hang_up()
                raise

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
