"""The first copy of people out of the sandbox's Marketo, interrupted after each batch."""

import secrets
from contextlib import aclosing

import msgspec
import pytest

from streams.marketo.sources.copy import ExtractSource, Part, by_creation
from streams.marketo.sources.decode import read_event
from streams.wire.systems import PERSON
from tests.streams.marketo.test_marketo_sandbox import TYPES, Instance, instance  # noqa: F401 - a fixture

pytestmark = pytest.mark.integration
_DAY_MS = 86_400_000


async def test_every_person_comes_once_however_often_it_is_interrupted(instance: Instance) -> None:  # noqa: F811
    await instance.control("/marketo/options", {"bulk": {"status_seconds": 0, "queued_seconds": 0, "running_seconds": 0}})
    mark = secrets.token_hex(6)
    people = [
        await instance.person(instance.ours, lastName=f'{mark}"\n{number}', leadScore=number, unsubscribed=False) for number in range(5)
    ]
    now_ms = (await instance.ours.paging_token(0)).server_ms
    parts = by_creation(now_ms - 40 * _DAY_MS, now_ms + 60_000)
    assert len(parts) == 2

    async def told() -> list[Part]:
        return parts

    async def soon(_: float) -> None:
        """Nobody waits here."""

    def source() -> ExtractSource:
        return ExtractSource(
            instance.ours.bulk, PERSON, told, key="id", types=TYPES, piece_bytes=4096, wait=soon,
            reading=lambda _, lead: msgspec.structs.replace(read_event(lead), source="copy"),
        )  # fmt: skip

    events, position, ended = [], None, False
    while not ended:
        async with aclosing(source().batches(position)) as batches:
            async for batch in batches:
                events += batch.events
                position, ended = batch.position, batch.caught_up
                if not ended:
                    break
    ours = {event.id: event for event in events if event.id in people}
    assert [event.id for event in events if event.id in people] == people
    rows = await instance.ours.read(people, list(TYPES))
    assert {each: dict(event.fields) for each, event in ours.items()} == {
        each: {name: lead.fields[name] for name in TYPES} for each, lead in rows.items()
    }
    assert all(event.at <= event.until for event in ours.values())
