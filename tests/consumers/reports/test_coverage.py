"""The ledger of coverage: what was read without a break, the holes, who closed them, and what can't be known any more."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from consumers.cli.text.looking.coverage import timeline
from consumers.reconcile.acceptance import accept
from consumers.reconcile.gaps import Gaps
from consumers.reports.standing.coverage import Coverage, Hole, Standing, Stretch, coverage, sources_by_kind
from streams.relay.positions import OpenGap, PostgresPositions
from streams.wire.errors import Cause, Reject
from streams.wire.systems import CONTACT, LEAD

SOURCES = sources_by_kind({LEAD: True, CONTACT: True})
STREAM = "salesforce.cdc"
LOST = OpenGap(id=0, source=STREAM, object="", since_ms=2_000, reason="the stream no longer holds position 7", cause=Cause.REPLAY_ID)


@pytest.fixture
async def pool(postgres: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(postgres, min_size=1, max_size=3) as made:
        yield made


async def told(pool: Any) -> Coverage:
    async with pool.acquire() as connection:
        return await coverage(connection, SOURCES, 10_000, 0)


async def broken(pool: Any, now: list[int]) -> PostgresPositions:
    """A stream that was read from 1,000 to 2,000, lost its position, and goes on at 8,000."""
    positions = PostgresPositions(pool, now_ms=lambda: now[0])
    standing = await positions.take(STREAM)
    await positions.save(standing, "6", 1_000)
    await positions.save(standing, "7", 2_000)
    now[0] = 8_000
    await positions.open_gap(standing, LOST, "-2")
    await positions.save(standing, "41", 2_000, caught_up=False)
    await positions.save(standing, "42", 9_000)
    return positions


@pytest.mark.integration
async def test_a_stretch_ends_where_the_position_is_lost_and_another_begins_behind_it(pool: Any) -> None:
    await broken(pool, [1_000])
    found = await told(pool)
    stretches = [each for each in found.stretches if each.source == STREAM]
    assert [(each.from_ms, each.until_ms, each.from_position, each.until_position, each.goes_on) for each in stretches] == [
        (1_000, 2_000, "6", "7", False),
        (8_000, 9_000, "-2", "42", True),
    ]
    (hole,) = found.holes
    assert (hole.standing, hole.cause, hole.from_position, hole.until_position) == (Standing.OPEN, "replay_id", "7", "-2")
    assert (hole.since_ms, hole.opened_ms, hole.kinds) == (2_000, 8_000, ("lead", "contact"))
    assert hole.waits_for == ("salesforce.poll.lead", "salesforce.poll.contact")
    assert found.open == 1


@pytest.mark.integration
async def test_a_hole_in_one_kind_breaks_the_stretch_of_no_other(pool: Any) -> None:
    positions = PostgresPositions(pool, now_ms=lambda: 5_000)
    standing = await positions.take(STREAM)
    await positions.save(standing, "6", 1_000)
    overflow = OpenGap(id=0, source=STREAM, object="lead", since_ms=900, reason="too many", cause=Cause.OVERFLOW)
    await positions.open_gap(standing, overflow, "7")
    await positions.save(standing, "8", 6_000)
    found = await told(pool)
    assert [(each.from_ms, each.until_ms) for each in found.stretches] == [(1_000, 6_000)]
    assert found.holes[0].kinds == ("lead",)


@pytest.mark.integration
async def test_a_hole_is_closed_by_those_who_read_it_again_and_says_what_it_has_collapsed(pool: Any) -> None:
    positions = await broken(pool, [1_000])
    gaps = Gaps(pool, positions, (LEAD, CONTACT), lambda: 9_500)
    number = (await told(pool)).holes[0].id
    await gaps.covered("salesforce.poll.lead", [number], ["00Q2", "00Q1"])
    half = (await told(pool)).holes[0]
    assert (half.standing, half.waits_for) == (Standing.OPEN, ("salesforce.poll.contact",))
    await gaps.covered("salesforce.poll.contact", [number])
    whole = (await told(pool)).holes[0]
    assert (whole.standing, whole.collapsed, whole.readings[1].records) == (Standing.CLOSED, 2, ("00Q1", "00Q2"))


@pytest.mark.integration
async def test_an_open_hole_can_be_accepted_by_somebody_for_a_reason_and_not_be_deleted(pool: Any, postgres: str) -> None:
    positions = await broken(pool, [1_000])
    number = (await told(pool)).holes[0].id
    with pytest.raises(asyncpg.RaiseError, match="accepted"):
        await pool.execute("delete from gaps")
    for by, why in (("", "a test org"), ("Ada", "  ")):
        with pytest.raises(Reject, match="nothing was done"):
            await accept(postgres, number, by=by, why=why)
    with pytest.raises(Reject, match="no hole 99"):
        await accept(postgres, 99, by="Ada", why="a test org")
    await accept(postgres, number, by="Ada", why="a test org")
    assert await positions.open_gaps() == []
    hole = (await told(pool)).holes[0]
    assert (hole.standing, hole.accepted_by, hole.accepted_why) == (Standing.ACCEPTED, "Ada", "a test org")
    with pytest.raises(Reject, match="open no more"):
        await accept(postgres, number, by="Eve", why="to be rid of it")
    await pool.execute("delete from gaps where id = $1", number)


def hole(standing: Standing, since_ms: int, opened_ms: int, **changes: Any) -> Hole:
    values: dict[str, Any] = {
        "id": 1, "source": STREAM, "object": "", "kinds": ("lead",), "standing": standing, "cause": "", "reason": "lost",
        "since_ms": since_ms,
        "until_ms": 0, "from_position": "", "until_position": "", "missed": 0, "opened_ms": opened_ms, "closed_ms": 0, "accepted_by": "",
        "accepted_why": "", "waits_for": (), "readings": (),
    }  # fmt: skip
    return Hole(**(values | changes))


def test_the_timeline_shows_what_is_known_and_never_hides_a_hole() -> None:
    stretch = Stretch(source=STREAM, by="stream", from_ms=0, until_ms=600, from_position="", until_position="", goes_on=True)  # type: ignore[arg-type]
    holes = (hole(Standing.OPEN, 100, 101), hole(Standing.CLOSED, 90, 299), hole(Standing.ACCEPTED, 400, 409))
    ledger = Coverage(at_ms=1_200, since_ms=0, sources=SOURCES, stretches=(stretch,), holes=holes)
    assert timeline(ledger, "lead", STREAM, 0, 1_200) == "=" * 4 + "oXooooooooo" + "=" * 5 + "a" + "=" * 10 + "." * 29
    assert timeline(ledger, "contact", STREAM, 0, 1_200) == "=" * 31 + "." * 29
    assert timeline(ledger, "lead", "salesforce.poll.lead", 0, 1_200) == "." * 60
    assert timeline(ledger, "lead", STREAM, 150, 1_200).startswith("o")
