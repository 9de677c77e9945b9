"""The chain over the blocks of decisions: for each block a hash of it and of the hash before, so that a row that is changed, taken out, put
in or moved does not go unseen.

The hashes are made after the fact, from what is published (`consumers.publish.seals`): deciding costs nothing more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

HASH_BYTES = 32
BEGINNING = bytes(HASH_BYTES)
"""Stands before the first block."""
LAST_LINK = "select block, hash from decision_links order by block desc limit 1"
UNCHAINED = "select id, at, count, body from decision_blocks where id > $1 and id <= $2 order by id limit $3"
LINK = """
insert into decision_links (block, hash) select * from unnest($2::bigint[], $3::bytea[])
where $1 = (select coalesce(max(block), 0) from decision_links) on conflict do nothing
"""
"""Only on to the end that was read: of two who chain, one finds that it was not alone."""
LINKS_AFTER = "select block, hash from decision_links where block > $1 order by block limit $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A row of `decision_blocks`, as it is stored."""

    id: int
    at: int
    count: int
    body: bytes


def linked(before: bytes, block: Block) -> bytes:
    """The hash of a block that comes after the one with that hash."""
    head = b"%d %d %d " % (block.id, block.at, block.count)
    return blake2b(before + head + block.body, digest_size=HASH_BYTES).digest()


def links(before: bytes, blocks: Iterable[Block]) -> list[bytes]:
    """The hashes of blocks that follow each other."""
    found = []
    for block in blocks:
        before = linked(before, block)
        found.append(before)
    return found
