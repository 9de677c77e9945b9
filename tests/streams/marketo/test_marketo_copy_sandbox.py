"""The first copy of people out of the sandbox's Marketo, interrupted after each batch."""

import secrets
from contextlib import aclosing
from zoneinfo import ZoneInfo

import msgspec
import pytest

from streams.marketo.sources.copy import ExtractSource, Part, by_creation
from streams.marketo.sources.copy_by_page import PeopleByPage
from streams.marketo.sources.decode import Decoding, read_event
from streams.marketo.sources.feed import LeadFeed
from streams.wire.errors import Retry
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


async def test_page_by_page_every_person_comes_once_however_often_it_is_interrupted(instance: Instance) -> None:  # noqa: F811
    mark = secrets.token_hex(6)
    people = [await instance.person(instance.ours, lastName=f"{mark}{number}", leadScore=number) for number in range(5)]
    now_ms = (await instance.ours.paging_token(0)).server_ms
    feed = LeadFeed(instance.ours, Decoding(source="copy", types=TYPES, zone=ZoneInfo("UTC")))
    events, position, ended = [], None, False
    while not ended:
        async with aclosing(PeopleByPage(feed, now_ms + 60_000).batches(position)) as batches:
            async for batch in batches:
                events += batch.events
                position, ended = batch.position, batch.caught_up
                break
    assert [event.id for event in events if event.id in people] == people
    assert {event.source for event in events} == {"copy"}
    rows = await instance.ours.read(people, list(TYPES))
    assert {event.id: dict(event.fields) for event in events if event.id in people} == {
        each: {name: lead.fields[name] for name in TYPES} for each, lead in rows.items()
    }


async def test_a_day_without_bytes_left_is_waited_out_and_the_copy_goes_on_where_it_was(instance: Instance) -> None:  # noqa: F811
    quick = {"status_seconds": 0, "queued_seconds": 0, "running_seconds": 0}
    mark = secrets.token_hex(6)
    people = [await instance.person(instance.ours, lastName=f"{mark}{number}") for number in range(3)]
    now_ms = (await instance.ours.paging_token(0)).server_ms
    parts = [
        Part(name=str(place), wanted=each.wanted) for place, each in enumerate([by_creation(now_ms - _DAY_MS, now_ms + 60_000)[0]] * 2)
    ]

    async def told() -> list[Part]:
        return parts

    async def soon(_: float) -> None:
        """Nobody waits here."""

    async def read(position: str | None) -> tuple[list[str], str | None, bool]:
        source = ExtractSource(instance.ours.bulk, PERSON, told, key="id", types=TYPES, wait=soon, reading=lambda _, lead: read_event(lead))
        found: list[str] = []
        ended = False
        async for batch in source.batches(position):
            found += [event.id for event in batch.events if event.id in people]
            position, ended = batch.position, batch.caught_up
        return found, position, ended

    await instance.control("/marketo/options", {"bulk": {**quick, "export_bytes_daily": 1}})
    positions: list[str | None] = []
    try:
        source = ExtractSource(instance.ours.bulk, PERSON, told, key="id", types=TYPES, wait=soon, reading=lambda _, lead: read_event(lead))
        seen: list[str] = []
        refused = 0.0
        try:
            async for batch in source.batches(None):
                seen += [event.id for event in batch.events if event.id in people]
                positions.append(batch.position)
        except Retry as error:
            refused = error.after_seconds
        assert refused > 60
    finally:
        await instance.control("/marketo/options", {"bulk": {**quick, "export_bytes_daily": 500 << 20}})
    after, _, ended = await read(positions[-1])
    assert (seen + after, ended) == (people * 2, True)
