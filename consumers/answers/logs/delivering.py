"""Deliveries, asked for by what people call things: for the command line, the HTTP API and the console alike.

Whoever calls what changes something has written it into the audit log before.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from consumers.answers.logs.choosing import choice_of
from consumers.configuration.access import kafka_access
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.registered import registry_of
from consumers.deliveries import acts, store
from consumers.deliveries.acts import Made, Wish
from consumers.deliveries.addresses import hosts_of, shown_url
from consumers.deliveries.delivery import Delivery, State, Unusable, Way, places_of, wanted
from consumers.deliveries.sending import Answer, open_sender
from consumers.deliveries.streaming import events
from consumers.fitting.grounds import look_at_migrations
from consumers.reports.database import ledger_connection
from consumers.subscriptions.following import behind
from consumers.subscriptions.topics import Topic, topic_named
from streams.ground.clock import now_ms
from streams.ground.database import connected

_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A delivery as somebody asks for it; fields and records by any of their names. `since_ms`: from then on, None: all that is kept."""

    name: str
    topic: str
    way: Way = Way.WEBHOOK
    url: str = ""
    kinds: Sequence[str] = ()
    fields: Sequence[str] = ()
    records: Sequence[str] = ()
    actors: Sequence[str] = ()
    verdicts: Sequence[str] = ()
    since_ms: int | None = None
    reveal: bool = False
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A delivery for people and programs: no secret, no address of a person. Times: ms, 0: never."""

    name: str
    topic: str
    way: str
    url: str
    """Without what stands after its question mark."""
    wanted: Mapping[str, Sequence[str]]
    """Which messages, by term; empty: all."""
    revealed: bool
    state: str
    why: str
    places: Mapping[int, int]
    behind: int | None
    """Messages of its topic that it has not come to; None: not asked for."""
    created_at: int
    created_by: str
    changed_at: int
    delivered: int
    delivered_at: int
    missed: int
    attempts: int
    next_at: int
    failing_since: int
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A delivery and its secret, which is shown this once. Empty: it has none."""

    delivery: Shown
    secret: str = field(default="", repr=False)


async def deliveries_of(settings: Settings, *, counted: bool = True) -> list[Shown]:
    """All of them, by name. `counted`: Kafka is asked how far each is behind. Raises as `ledger_connection`, and as `behind`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        found = await store.every(connection)
    return [await _counted(settings, each) if counted else shown(each) for each in found]


async def delivery_of(settings: Settings, name: str, *, counted: bool = True) -> Shown:
    """That one. Raises `UnknownDelivery`, and as `deliveries_of`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        found = await store.one(connection, name)
    return await _counted(settings, found) if counted else shown(found)


async def create(settings: Settings, asked: Asked, *, who: str) -> Shared:
    """Begin one. Raises `Unusable`, `UnknownTopic`, `UnknownRecord`, and as `consumers.deliveries.acts.create`."""
    topic = topic_named(asked.topic, registry_of(settings))
    choice = await choice_of(
        settings, kinds=list(asked.kinds), fields=list(asked.fields), records=list(asked.records), actors=list(asked.actors),
        verdicts=list(asked.verdicts),
    )  # fmt: skip
    wish = Wish(
        name=asked.name, topic=topic, way=asked.way, url=asked.url, choice=choice, since_ms=asked.since_ms, revealed=asked.reveal,
        secret=asked.secret,
    )  # fmt: skip
    async with _writing(settings) as connection:
        made = await acts.create(
            connection, kafka_access(settings), wish, who=who, private_hosts=hosts_of(settings.deliveries.private_hosts), now_ms=now_ms()
        )
    return _shared(made)


async def pause(settings: Settings, name: str, *, who: str, why: str) -> Shown:
    """Deliver nothing until it is resumed. Raises `UnknownDelivery`."""
    async with _writing(settings) as connection:
        return shown(await acts.pause(connection, name, who=who, why=why, now_ms=now_ms()))


async def resume(settings: Settings, name: str) -> Shown:
    """Go on at once: also one that was disabled, or waits for its next attempt. Raises `UnknownDelivery`."""
    async with _writing(settings) as connection:
        return shown(await acts.resume(connection, name, now_ms=now_ms()))


async def rotate(settings: Settings, name: str, *, secret: str = "", overlap_seconds: float = acts.OVERLAP_SECONDS) -> Shared:
    """Another secret, for a while beside the one before. Raises `UnknownDelivery`, `Unusable`."""
    async with _writing(settings) as connection:
        return _shared(await acts.rotate(connection, name, secret=secret, overlap_seconds=overlap_seconds, now_ms=now_ms()))


async def rewind(settings: Settings, name: str, *, since_ms: int | None = None, offsets: Mapping[int, int] | None = None) -> Shown:
    """Its cursor to a moment, to the beginning (neither), or partitions to offsets. Raises `UnknownDelivery`, `Unusable`."""
    async with _writing(settings) as connection:
        topic = _topic(settings, await store.one(connection, name))
        told = await acts.rewind(connection, kafka_access(settings), topic, name, since_ms=since_ms, offsets=offsets, now_ms=now_ms())
    return await _counted(settings, told)


async def try_out(settings: Settings, name: str) -> Answer:
    """Call its webhook once, with a message that says that it is a test. Raises `UnknownDelivery`, `Unusable`."""
    async with sender_of(settings) as sender, ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await acts.try_out(connection, sender, name, now_ms=now_ms())


async def delete(settings: Settings, name: str) -> None:
    """With its cursor and its secrets. Raises `UnknownDelivery`."""
    async with _writing(settings) as connection:
        await acts.delete(connection, name)


async def listened(settings: Settings, name: str, *, last_event_id: str = "", revealed: bool = False) -> AsyncGenerator[bytes]:
    """The stream of server-sent events of one, from the client's last event on, or from its cursor. Raises `UnknownDelivery`, `Unusable`
    (no stream of events, paused, an id that is none) before anything is streamed."""
    async with _writing(settings) as connection:
        delivery = await store.one(connection, name)
        if delivery.way is not Way.EVENTS:
            raise Unusable(f"{name} is called ({shown_url(delivery.url)}), not listened to")
        if delivery.state is not State.ACTIVE:
            raise Unusable(f"{name} is {delivery.state} ({delivery.why}); `tandem deliveries resume {name}` lets it go on")
        places = dict(delivery.places)
        if last_event_id:
            places |= places_of(last_event_id)
            await store.heard(connection, delivery, places, now_ms())
    return events(kafka_access(settings), _topic(settings, delivery), delivery.choice, places, revealed=revealed)


@asynccontextmanager
async def sender_of(settings: Settings) -> AsyncIterator[Any]:
    """What calls webhooks, as the configuration allows."""
    told = settings.deliveries
    async with open_sender(
        hosts_of(told.private_hosts), timeout_seconds=told.timeout_seconds, agent=f"Tandem/{version('tandem')}"
    ) as sender:
        yield sender


def shown(delivery: Delivery, messages_behind: int | None = None) -> Shown:
    """It, without what nobody need see."""
    same = (
        "name", "topic", "revealed", "why", "places", "created_at", "created_by", "changed_at", "delivered", "delivered_at", "missed",
        "attempts", "next_at", "failing_since", "trouble",
    )  # fmt: skip
    return Shown(
        **{each: getattr(delivery, each) for each in same}, way=str(delivery.way), state=str(delivery.state), url=shown_url(delivery.url),
        wanted=wanted(delivery.choice), behind=messages_behind,
    )  # fmt: skip


async def _counted(settings: Settings, delivery: Delivery) -> Shown:
    return shown(delivery, await behind(kafka_access(settings), _topic(settings, delivery), delivery.places))


def _shared(made: Made) -> Shared:
    return Shared(delivery=shown(made.delivery), secret=made.secret)


def _topic(settings: Settings, delivery: Delivery) -> Topic:
    return topic_named(delivery.topic, registry_of(settings))


@asynccontextmanager
async def _writing(settings: Settings) -> AsyncIterator[Any]:
    dsn = settings.postgres.dsn.reveal()
    connection = await connected(dsn, seconds=_PATIENCE_SECONDS, application_name="tandem-deliveries")
    try:
        await look_at_migrations(connection, dsn)
        yield connection
    finally:
        connection.terminate()
