"""A part of the log applied to the present, on a real ledger: what is newer stays, what was missed is owed, twice is once."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from consumers.desk.doing import Doing
from consumers.desk.replaying import Applied, Applying
from consumers.ledger.postgres.ledger import PostgresLedger
from consumers.subscriptions.message import Message, message_of
from consumers.subscriptions.topics import Content
from streams.wire.codec import encode
from streams.wire.events import ChangeEvent
from tests.consumers.desk.test_desk_on_postgres import NOW, Read, both_read, fill, ledger, state_of
from tests.consumers.merge.person_pair import MK, SF, T, agreed, event, terms
from tests.consumers.pairs_in_memory import ids, owing, renamed

pytestmark = pytest.mark.integration
__all__ = ["ledger"]


@pytest.fixture
async def doing(postgres: str, ledger: PostgresLedger) -> AsyncIterator[Doing]:
    pool = await asyncpg.create_pool(postgres, min_size=1, max_size=2)
    yield Doing(pool, ledger, terms(), lambda: NOW, who="ann")
    await pool.close()


async def in_step(doing: Doing, title: str) -> int:
    (pair,) = await fill(doing, renamed(owing(1, MK, title), 1))
    async with doing.ledger.transaction() as tx:
        known = (await tx.by_id([pair]))[pair]
        known.state = doing.terms.with_due(known.state.with_fields({"title": agreed(title, 1)}), T)
        await tx.save([known], T)
    return pair


def message(told: ChangeEvent) -> Message:
    return message_of(Content.CHANGES, "crm.salesforce.lead.v1", 0, 7, T, key=b"x", value=encode(told), headers=iter(()))


async def apply(doing: Doing, reader: Any, *events: ChangeEvent, done: bool) -> Applied:
    output = Applying(doing, reader, apply=done)
    for each in events:
        await output.put(None, message(each))
    await output.kept()
    return output.applied


def titles(told: Applied) -> list[tuple[str, Any]]:
    """What is written of the title, and where."""
    writes = [write for each in told.outcomes for write in each.writes]
    return [(str(each.system), value) for each in writes for name, value in each.fields.items() if name.casefold() == "title"]


async def test_an_old_day_changes_nothing_that_is_newer(doing: Doing) -> None:
    pair = await in_step(doing, "today's")
    old = [event(SF, {"Title": f"of {hour} o'clock"}, T - 86_400_000 + hour, id=ids(1)[SF]) for hour in range(3)]
    told = await apply(doing, both_read(("today's", "today's")), *old, done=True)
    assert titles(told) == []
    assert (await state_of(doing, pair)).fields["title"].value == "today's"


async def test_what_was_missed_and_still_stands_is_planned_then_owed_and_only_once(doing: Doing) -> None:
    pair, reader = await in_step(doing, "a"), both_read(("missed", "a"))
    old = event(SF, {"Title": "long ago"}, T - 86_400_000, id=ids(1)[SF])
    planned = await apply(doing, reader, old, old, done=False)
    assert titles(planned) == [("marketo", "missed")]
    assert planned.changes == 1
    assert (await state_of(doing, pair)).fields["title"].value == "a", "it was only planned"
    done = await apply(doing, reader, old, done=True)
    assert titles(done) == titles(planned)
    assert (await state_of(doing, pair)).fields["title"].value == "missed"
    again = await apply(doing, reader, old, done=True)
    assert (titles(again), again.in_step) == ([], 1), "what is owed already is not told of again"


async def test_what_is_not_known_is_counted_and_what_is_not_there_said(doing: Doing) -> None:
    await in_step(doing, "a")
    stranger, ours = event(SF, {"Title": "x"}, T, id="00Q5f00000zzzzzEAY"), event(SF, {"Title": "x"}, T, id=ids(1)[SF])
    told = await apply(doing, Read({}), stranger, ours, done=True)
    assert told.unknown == 1
    assert [each.why for each in told.outcomes] == ["neither system shows its record now"]
