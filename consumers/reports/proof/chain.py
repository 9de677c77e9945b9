"""Whether anybody has changed what was decided: every block is hashed again and held against its link in the chain, and the chain against
the anchors that were told to everybody. In pages: the memory is that of a page.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from consumers.ledger.postgres.blocks import day_of
from consumers.ledger.postgres.chain import BEGINNING, LINKS_AFTER, UNCHAINED, Block, linked

FAULTS_MAX = 100
"""So many are named; all are counted."""
_LINKS_MAX, _BLOCKS_MAX = 2_000, 200
_PUBLISHED = "select coalesce(max(published), 0) from outbox where relation = 'decision_blocks'"
_OLDEST_DAY = """
select min(c.relname) from pg_inherits as i join pg_class as c on c.oid = i.inhrelid where i.inhparent = 'decision_blocks'::regclass
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is not as it was chained. `block`: its id; `day`: of its decisions."""

    block: int
    day: str
    why: str


@dataclass(slots=True, kw_only=True)
class Chained:
    """What came of it. `unsealed`: blocks that are not chained yet; `since_ms`: the oldest one that is proved (0: none is)."""

    blocks: int = 0
    decisions: int = 0
    since_ms: int = 0
    until_ms: int = 0
    unsealed: int = 0
    anchors: int = 0
    anchors_asked: bool = False
    faults: int = 0
    examples: list[Fault] = field(default_factory=list)

    def wrong(self, block: int, why: str) -> None:
        """One more."""
        self.faults += 1
        if len(self.examples) < FAULTS_MAX:
            self.examples.append(Fault(block=block, day=_day(block), why=why))


async def verify_chain(
    connection: Any, anchors: Mapping[int, str] | None = None, progress: Callable[[int], None] = lambda _: None
) -> Chained:
    """`anchors`: by block, the hashes that were told; None: they were not asked for. `progress`: told the number of blocks done."""
    told = Chained(anchors_asked=anchors is not None)
    untold = dict(anchors or {})
    oldest = await _oldest_block(connection)
    until = await connection.fetchval(_PUBLISHED)
    blocks = _Blocks(connection, until)
    before, began = BEGINNING, False
    async for link, stored in _links(connection):
        told.anchors += _anchored(told, untold, link, stored)
        if not began and link < oldest:
            before = stored  # its day was let go whole: what comes after it hangs on this
            continue
        began = True
        async for stranger in blocks.before(link):
            told.wrong(stranger.id, "it was put in: it is not in the chain")
        block = await blocks.take(link)
        if block is None:
            told.wrong(link, "it is missing: it was taken out")
        else:
            _prove(told, before, block, stored)
        before = stored
        if told.blocks % _LINKS_MAX == 0:
            progress(told.blocks)
    async for _ in blocks.rest():
        told.unsealed += 1
    for block_id in untold:
        if block_id >= oldest:
            told.wrong(block_id, "an anchor tells of it, and the chain has no such block: it was cut short or made anew")
    return told


def _prove(told: Chained, before: bytes, block: Block, stored: bytes) -> None:
    told.blocks += 1
    told.decisions += block.count
    told.since_ms = told.since_ms or block.at
    told.until_ms = block.at
    if linked(before, block) != stored:
        told.wrong(block.id, "it is not what was chained: it was changed, or another one stands in its place")


def _anchored(told: Chained, untold: dict[int, str], link: int, stored: bytes) -> int:
    said = untold.pop(link, None)
    if said is None:
        return 0
    if said != stored.hex():
        told.wrong(link, "the chain itself is another one than was told when it was sealed")
    return 1


async def _oldest_block(connection: Any) -> int:
    """The first id that a kept day may have. What is before it was let go as whole days."""
    name = await connection.fetchval(_OLDEST_DAY)
    if name is None:
        return 0
    return ((date.fromisoformat(name.rpartition("_")[2]) - date(1970, 1, 1)).days) << 40


async def _links(connection: Any) -> AsyncGenerator[tuple[int, bytes]]:
    after, rows = 0, [None] * _LINKS_MAX
    while len(rows) == _LINKS_MAX:
        rows = await connection.fetch(LINKS_AFTER, after, _LINKS_MAX)
        for row in rows:
            after = row["block"]
            yield after, row["hash"]


class _Blocks:
    """The blocks in their order, read ahead by pages."""

    def __init__(self, connection: Any, until: int) -> None:
        self._connection, self._until = connection, until
        self._page: list[Block] = []
        self._after, self._over = 0, False

    async def before(self, block: int) -> AsyncGenerator[Block]:
        """Those before this one."""
        while (head := await self._head()) is not None and head.id < block:
            yield self._page.pop(0)

    async def take(self, block: int) -> Block | None:
        """That one, if it is there."""
        head = await self._head()
        return self._page.pop(0) if head is not None and head.id == block else None

    async def rest(self) -> AsyncGenerator[Block]:
        """All that are left."""
        while await self._head() is not None:
            yield self._page.pop(0)

    async def _head(self) -> Block | None:
        if not self._page and not self._over:
            rows = await self._connection.fetch(UNCHAINED, self._after, self._until, _BLOCKS_MAX)
            self._page = [Block(id=row["id"], at=row["at"], count=row["count"], body=row["body"]) for row in rows]
            self._over = len(rows) < _BLOCKS_MAX
            self._after = rows[-1]["id"] if rows else self._after
        return self._page[0] if self._page else None


def _day(block: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day_of(block))).date().isoformat()
