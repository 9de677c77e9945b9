"""The links as a process knows them: read from the database once a second at most."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog

from streams.ground.database import away_is_retry
from streams.ground.pause import pause
from streams.wire.errors import Retry
from streams.wire.systems import System

ALL = "select campaign, program, winner, backwards, linked_ms from campaign_links order by linked_ms, campaign"
KEPT = """
select l.program from campaign_links as l join pairs as p on p.marketo_object = 'program' and p.marketo_id = l.program
where p.salesforce_id = l.campaign and not p.gone
"""
_HEIRS = """
select f.id, p.marketo_id from former as f join pairs as p on p.id = f.pair
where f.system = 'marketo' and f.object = 'person' and f.id = any($1::text[]) and p.marketo_id is not null and not p.gone
"""
_MEMBERS = """
select marketo_id from pairs where marketo_object = 'member' and not gone
and marketo_id collate "C" > $1 and marketo_id collate "C" < $2 order by marketo_id collate "C" limit $3
"""
_FRESH_SECONDS = 1.0
HEARD_SECONDS = 3.0
"""After so long every worker has heard of a link."""
_log = structlog.get_logger(__name__)


class Backwards(StrEnum):
    """What happens to a member whose status goes back in Salesforce, since Marketo lets nobody go back."""

    REFUSE = "refuse"
    """It stays as it is in Marketo, shown as refused."""
    AGAIN = "again"
    """The member leaves the program and comes in again with it: Marketo forgets since when it was one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One campaign and its program."""

    campaign: str
    program: str
    winner: System
    backwards: Backwards
    linked_ms: int


class Links:
    """What is linked. Raises `Retry` while the database is away."""

    def __init__(self, pool: Any, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._monotonic = pool, monotonic
        self._until = 0.0
        self.now: tuple[Link, ...] = ()
        """As last read."""
        self._kept: frozenset[str] = frozenset()
        """The programs whose pairs were there then."""

    async def all(self) -> tuple[Link, ...]:
        """As they are, or were a moment ago."""
        if self._monotonic() >= self._until:
            with away_is_retry("read what is linked"):
                kept = await self._pool.fetch(KEPT)
                self.now = links_in(await self._pool.fetch(ALL))
            self._kept = frozenset(row[0] for row in kept)
            self._until = self._monotonic() + _FRESH_SECONDS
        return self.now

    async def campaigns(self) -> Sequence[str]:
        """The linked campaigns."""
        return [link.campaign for link in await self.all()]

    async def programs(self) -> Mapping[str, int]:
        """The linked programs whose members are anybody's: by each, the link, as the moment when it was made.

        Of a link that was just made there is no pair yet, of one whose campaign and program are both gone none any more, and what is
        told of its members is nobody's. So they are read once there is one, as if nobody had ever read them.
        """
        return {link.program: link.linked_ms for link in await self.all() if link.program in self._kept}

    def goes_back(self, program: str) -> bool:
        """Whether members of this program are taken out and put in again."""
        return any(link.program == program and link.backwards is Backwards.AGAIN for link in self.now)

    def winner_of(self, program: str) -> System | None:
        """Whose value stands in a conflict about members of this program."""
        return next((link.winner for link in self.now if link.program == program), None)

    async def follow(self, stop: asyncio.Event) -> None:
        """Keep `now` fresh, until stopped."""
        while not stop.is_set():
            try:
                await self.all()
            except Retry as error:
                _log.warning("what is linked can't be read", error=str(error))
            await pause(_FRESH_SECONDS, stop)

    async def heirs(self, people: Sequence[str]) -> Mapping[str, str]:
        """Of people in Marketo who were merged: whom into."""
        with away_is_retry("look for people who were merged"):
            return {row[0]: row[1] for row in await self._pool.fetch(_HEIRS, list(people))}

    async def members(self, program: str, after: str, most: int) -> list[str]:
        """The next members of a program that the ledger knows, by name."""
        with away_is_retry("look for the members of a program"):
            rows = await self._pool.fetch(_MEMBERS, max(after, f"{program}."), f"{program}/", most)
        return [row[0] for row in rows]


def links_in(rows: Sequence[Any]) -> tuple[Link, ...]:
    """Rows as `ALL` gives them."""
    return tuple(
        Link(campaign=row[0], program=row[1], winner=System(row[2]), backwards=Backwards(row[3]), linked_ms=row[4]) for row in rows
    )
