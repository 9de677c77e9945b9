"""Seals: what has been decided is chained, and now and then the end of the chain is told to everybody, so that nobody can make it anew.

Behind the outbox: a block that is published is final, and every block before it is there. So no decision waits for its hash. What is
changed between its commit and its seal, a second or so, is not found.
"""

from typing import Any

import msgspec

from consumers.ledger.postgres.blocks import day_of
from consumers.ledger.postgres.chain import BEGINNING, LAST_LINK, LINK, UNCHAINED, Block, links
from consumers.publish.carrier import Carrier, Message
from streams.ground.database import away_is_retry
from streams.relay.publisher import Producer
from streams.wire import cloud
from streams.wire.errors import Retry
from streams.wire.topics import ANCHORS

_PUBLISHED = "select coalesce(max(published), 0) from outbox where relation = 'decision_blocks'"
BLOCKS_MAX = 200
"""Of a step: some megabytes at the most."""
_ANCHOR_MS = 60_000


class Anchor(msgspec.Struct, frozen=True, gc=False):
    """The end of the chain of decisions at a moment: whoever kept it can tell whether anything before it was changed since."""

    block: int
    """The last block of decisions that is chained."""
    day: int
    """Its day: days since 1970-01-01, UTC."""
    at: int
    """When this was said (ms)."""
    hash: str
    """The block's hash, hexadecimal; it depends on every block before it."""


class Seals(Carrier):
    """Chains blocks and tells where the chain ends, until stopped. One in a fleet works, the others stand by."""

    name = "seals"
    _told: int | None = None
    _told_at = 0

    async def publish(self, producer: Producer) -> int:
        """One pass: everything that is published is chained; an anchor, if it is time for one. How many anchors it was."""
        with away_is_retry("chaining decisions"):
            row = await self._pool.fetchrow(LAST_LINK)
            last, before = (row["block"], row["hash"]) if row else (0, BEGINNING)
            until = await self._pool.fetchval(_PUBLISHED)
            while last < until:
                rows = await self._pool.fetch(UNCHAINED, last, until, BLOCKS_MAX)
                if not rows:
                    break
                last, before = await self._link(last, before, rows)
        return await self._anchor(producer, last, before) if last else 0

    async def _link(self, last: int, before: bytes, rows: list[Any]) -> tuple[int, bytes]:
        blocks = [Block(id=row["id"], at=row["at"], count=row["count"], body=row["body"]) for row in rows]
        hashes = links(before, blocks)
        done = await self._pool.execute(LINK, last, [block.id for block in blocks], hashes)
        if done != f"INSERT 0 {len(blocks)}":
            raise Retry("somebody else chains decisions as well; they go on from there", after_seconds=1.0)
        return blocks[-1].id, hashes[-1]

    async def _anchor(self, producer: Producer, last: int, before: bytes) -> int:
        now = self._now_ms()
        if self._told == last or now - self._told_at < _ANCHOR_MS:
            return 0
        anchor = Anchor(block=last, day=day_of(last), at=now, hash=before.hex())
        body = msgspec.json.encode(anchor)
        about = cloud.headers(identity=f"{last}-{anchor.hash[:16]}", source=cloud.LEDGER, type_="crm.anchor.sealed", at=now)
        await self._send(ANCHORS, producer, [Message(str(anchor.day).encode(), body, about)])
        self._told, self._told_at = last, now
        return 1
