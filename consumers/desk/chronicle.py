"""Decisions read in bulk: those since some moment, and the chains of many pairs side by side.

A block holds what one transaction decided, of hundreds of pairs; so the chains of many pairs are walked together, and a block is fetched
once for all who are in it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from consumers.ledger.postgres.blocks import NO_BLOCK, unpacked
from consumers.merge.pair.decision import Decision, decode
from streams.ground.database import away_is_retry

DAY_MS = 86_400_000
_PAGE = 100
_STRETCH = "select id, body from decision_blocks where id > $1 and at >= $2 order by id limit $3"
_HEADS = "select id, told_in from pairs where id = any($1::bigint[])"
_SOME = "select id, body from decision_blocks where id = any($1::bigint[])"


async def decided_since(connection: Any, since: int) -> AsyncIterator[Decision]:
    """What was decided from then on (ms, ours; 0: from the beginning), in its order, as far as it is kept."""
    after = (since // DAY_MS << 40) - 1
    rows: Sequence[Any] = [None] * _PAGE
    while len(rows) == _PAGE:
        with away_is_retry("read decisions"):
            rows = await connection.fetch(_STRETCH, after, since, _PAGE)
        for row in rows:
            after = row["id"]
            for entry in unpacked(row["body"]):
                yield decode(entry.told)


async def decided_about(connection: Any, pairs: Sequence[int]) -> Mapping[int, list[Decision]]:
    """What was decided about each of these pairs, oldest first, as far as it is kept."""
    found: dict[int, list[Decision]] = {pair: [] for pair in pairs}
    with away_is_retry("read decisions"):
        place: dict[int, int] = {row["id"]: row["told_in"] for row in await connection.fetch(_HEADS, list(pairs)) if row["told_in"]}
    while place:
        wanted = sorted(set(place.values()))[-_PAGE:]
        with away_is_retry("read decisions"):
            bodies = {row["id"]: unpacked(row["body"]) for row in await connection.fetch(_SOME, wanted)}
        here: dict[int, set[int]] = {}
        for pair, block in place.items():
            here.setdefault(block, set()).add(pair)
        for block in wanted:
            entries, concerned = bodies.get(block, []), here[block]
            before = dict.fromkeys(concerned, NO_BLOCK)
            for entry in reversed(entries):
                if entry.pair in concerned:
                    found[entry.pair].append(decode(entry.told))
                    before[entry.pair] = entry.before
            for pair, earlier in before.items():
                if NO_BLOCK < earlier < block:
                    place[pair] = earlier
                else:
                    del place[pair]
    return {pair: decisions[::-1] for pair, decisions in found.items()}
