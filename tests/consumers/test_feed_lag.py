"""How far behind Marketo's feed is read, as its relay saved it."""

from typing import Any

import msgspec
import pytest

from consumers.settle.conditions.feed_lag import FeedLag, too_far
from streams.marketo.sources.activities import LAG_MAX_MS, Place
from streams.wire.errors import Retry

NOW = 1_772_445_600_000


class Pool:
    """Holds one row, counts who asks."""

    def __init__(self, row: dict[str, Any] | None) -> None:
        self.row, self.asked = row, 0

    async def fetchrow(self, _: str, source: str) -> dict[str, Any] | None:
        assert source == "marketo.activities"
        self.asked += 1
        if self.row is not None and self.row.get("away"):
            raise ConnectionRefusedError
        return self.row


def row(behind: int, saved_ago_ms: int) -> dict[str, Any]:
    place = Place(changes="a", deletions="a", time=NOW, deleted=NOW, behind=behind)
    return {"position": msgspec.json.encode(place).decode(), "saved_ms": NOW - saved_ago_ms}


@pytest.mark.parametrize(
    ("stored", "lag_ms", "read"),
    [
        (None, 0, False),
        ({"position": None, "saved_ms": None}, 0, False),
        (row(0, 15_000), 0, False),
        (row(45_000, 1_000), 45_000, True),
        (row(45_000, 80_000), 105_000, True),
        (row(45_000, 320_000), 345_000, False),
    ],
)
async def test_the_lag_is_what_was_behind_and_how_long_ago_that_was(stored: dict[str, Any] | None, lag_ms: int, *, read: bool) -> None:
    pool = Pool(stored)
    lag = FeedLag(pool, lambda: NOW)
    assert await lag.ms() == lag_ms
    assert await lag.behind() is read, "behind is who reads and has more to read"
    assert pool.asked == 1, "once a second at most"


async def test_without_the_database_nobody_knows() -> None:
    with pytest.raises(Retry):
        await FeedLag(Pool({"away": True}), lambda: NOW).ms()


def test_from_some_minutes_on_the_feed_goes_first() -> None:
    assert not too_far(LAG_MAX_MS)
    assert too_far(LAG_MAX_MS + 1)
