"""Tandem's process in the simulation: the real loops on a ledger in memory, mortal between any two effects."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from consumers.ledger.memory import MemoryLedger, MemoryTransaction
from consumers.ledger.port import Awaited, Duty, Ledger
from consumers.merge.pair.state import PairState
from streams.wire.systems import Object, System


class Crash(BaseException):
    """The worker dies here."""


@dataclass(slots=True, kw_only=True)
class Fate:
    """How many workers are to die, and where they did."""

    rng: random.Random
    doomed: int = 0
    freezes: int = 0
    """How many times a worker is still to stand still."""
    certain: dict[str, int] = field(default_factory=dict)
    """Points where workers die for certain: how often still."""
    died_at: set[str] = field(default_factory=set)

    def strikes(self, point: str) -> bool:
        """Whether the worker that passes this point dies here."""
        if self.certain.get(point, 0):
            self.certain[point] -= 1
        elif self.doomed and self.rng.random() < 0.3:
            self.doomed -= 1
        else:
            return False
        self.died_at.add(point)
        return True


class Life:
    """One incarnation of a worker: once dead, it does nothing more, whatever code of it still runs."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        self._still_until = 0.0
        self.dead = False

    async def stands_still(self) -> None:
        """Between two steps, never within a transaction: a process that was stopped, or starved, and goes on as if nothing had been."""
        loop, fate = asyncio.get_running_loop(), self._fate
        if fate.freezes and fate.rng.random() < 0.2:
            fate.freezes -= 1
            self._still_until = loop.time() + fate.rng.uniform(1, 200)
        while loop.time() < self._still_until:
            await asyncio.sleep(self._still_until - loop.time())

    def passes(self, point: str) -> None:
        """A point between two effects: the dead stay dead, and one that is doomed may die here."""
        if self.dead:
            raise Crash(point)
        if self._fate.strikes(point):
            self.dead = True
            raise Crash(point)


class SimulatedLedger(MemoryLedger):
    """The database: it outlives every worker; a power cut takes back what was not committed durably."""

    def __init__(self, rng: random.Random, changed: Callable[[], None]) -> None:
        super().__init__()
        self.rng, self.changed = rng, changed
        self.settled_on_disk()

    def settled_on_disk(self) -> None:
        """Everything up to here survives a power cut."""
        self._disk = dict(self.pairs), dict(self.keys), dict(self.offsets), list(self.decisions), list(self.dead)
        self._former = dict(self.former)

    def power_cut(self) -> None:
        """Back to what was on disk. Ids are never given twice all the same."""
        pairs, keys, offsets, decisions, dead = self._disk
        self.pairs, self.keys, self.offsets = dict(pairs), dict(keys), dict(offsets)
        self.decisions, self.dead = list(decisions), list(dead)
        self.former = dict(self._former)


class MortalLedger(Ledger):
    """The database as one incarnation sees it. It may die before and after every commit."""

    def __init__(self, ledger: SimulatedLedger, life: Life, part: str) -> None:
        self._ledger, self._life, self._part = ledger, life, part

    def transaction(self, *, durable: bool = True) -> AbstractAsyncContextManager[MemoryTransaction]:
        """As the port says. The points are named by who asks: `settle.claim`, `look.judged`, ..."""
        return self._mortal(f"{self._part}.{sys._getframe(1).f_code.co_name.strip('_')}", durable=durable)

    @asynccontextmanager
    async def _mortal(self, step: str, *, durable: bool) -> AsyncIterator[MemoryTransaction]:
        ledger, life = self._ledger, self._life
        if life.dead:
            raise Crash(step)
        await life.stands_still()
        async with ledger.transaction(durable=durable) as tx:
            await asyncio.sleep(ledger.rng.uniform(0.001, 0.01))
            before = dict(ledger.pairs)
            yield tx
            life.passes(f"{step}: before the commit")
        if durable:
            ledger.settled_on_disk()
        if any(before.get(number) is not state for number, state in ledger.pairs.items()):
            ledger.changed()
        life.passes(f"{step}: after the commit")

    async def write_id(self) -> int:
        """As the port says."""
        return await self._ledger.write_id()

    async def states(self, system: System, obj: Object, ids: Sequence[str]) -> dict[str, PairState]:
        """As the port says."""
        return await self._ledger.states(system, obj, ids)

    async def waiting(self, duty: Duty, now: int) -> int | None:
        """As the port says."""
        return await self._ledger.waiting(duty, now)

    async def looked_for(self, duty: Duty, now: int, after: int, limit: int) -> list[int]:
        """As the port says."""
        return await self._ledger.looked_for(duty, now, after, limit)

    async def refused(self, after: int, limit: int) -> list[int]:
        """As the port says."""
        return await self._ledger.refused(after, limit)

    async def gone(self, after: int, limit: int) -> dict[int, int]:
        """As the port says."""
        return await self._ledger.gone(after, limit)

    async def awaited(self, after: str, most: int, objects: Sequence[Object]) -> Awaited:
        """As the port says."""
        return await self._ledger.awaited(after, most, objects)

    async def anything_left(self) -> bool:
        """As the port says."""
        return await self._ledger.anything_left()

    async def offset(self, topic: str, partition: int) -> int | None:
        """As the port says."""
        return await self._ledger.offset(topic, partition)

    async def last_read(self, topic: str, partition: int) -> tuple[int, int] | None:
        """As the port says."""
        return await self._ledger.last_read(topic, partition)
