"""What a person does with deliveries, or a program for them. Whoever calls these writes the audit log first.

Entry points, each on a connection that may write: `create`, `pause`, `resume`, `rotate`, `rewind`, `try_out`, `delete`; with `store.every`
and `store.one` for what there is.
"""

import secrets
from dataclasses import dataclass, field
from typing import Any

from consumers.deliveries import store
from consumers.deliveries.addresses import checked_url
from consumers.deliveries.delivery import Delivery, Places, State, Unusable, Way, checked_name
from consumers.deliveries.letter import trial_body
from consumers.deliveries.sending import Answer, Sender
from consumers.deliveries.signing import BYTES, checked_secret, new_secret
from consumers.subscriptions.following import first_places, places_at
from consumers.subscriptions.message import Choice
from consumers.subscriptions.topics import Topic
from streams.ground.access import KafkaAccess

OVERLAP_SECONDS = 86_400.0
"""For how long a secret that is replaced signs as well, unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A delivery as it is asked for. `since_ms`: from then on; None: all that is kept; `secret`: one of the receiver's own, else one is
    made."""

    name: str
    topic: Topic
    way: Way
    url: str = ""
    choice: Choice = field(default_factory=Choice)
    since_ms: int | None
    revealed: bool = False
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """`secret`: what its webhook is signed with; shown this once, and never again. Empty: it has none."""

    delivery: Delivery
    secret: str = field(default="", repr=False)


async def create(connection: Any, kafka: KafkaAccess, wish: Wish, *, who: str, private_hosts: frozenset[str], now_ms: int) -> Made:
    """Begin one. Raises `Unusable`; `Retry` and `Unprepared` where the broker is away or has no such topic."""
    name = checked_name(wish.name)
    webhook = wish.way is Way.WEBHOOK
    if not webhook and (wish.url or wish.secret or wish.revealed):
        raise Unusable(
            "events are listened to over the HTTP API: no URL, no secret; whoever listens asks for unmasked values with reveal=1"
        )
    url = checked_url(wish.url, private_hosts) if webhook else ""
    secret = (checked_secret(wish.secret) if wish.secret else new_secret(secrets.token_bytes(BYTES))) if webhook else ""
    places = await _places(kafka, wish.topic, wish.since_ms)
    told = Delivery(
        name=name, topic=wish.topic.name, way=wish.way, url=url, choice=wish.choice, revealed=wish.revealed, places=places,
        created_at=now_ms, created_by=who,
    )  # fmt: skip
    return Made(delivery=await store.create(connection, told, secret), secret=secret)


async def pause(connection: Any, name: str, *, who: str, why: str, now_ms: int) -> Delivery:
    """Deliver nothing until it is resumed; a message on its way may still arrive, and comes again then. Raises `UnknownDelivery`."""
    return await store.stand(connection, name, State.PAUSED, f"{who}: {why}" if why else who, now_ms)


async def resume(connection: Any, name: str, *, now_ms: int) -> Delivery:
    """Go on where it stopped, at once: also one that was disabled, or that waits for its next attempt. Raises `UnknownDelivery`."""
    return await store.stand(connection, name, State.ACTIVE, "", now_ms)


async def rotate(connection: Any, name: str, *, secret: str = "", overlap_seconds: float = OVERLAP_SECONDS, now_ms: int) -> Made:
    """Sign with another secret, for a while with the one before as well. Raises `UnknownDelivery`, `Unusable`."""
    delivery = await store.one(connection, name)
    if delivery.way is not Way.WEBHOOK:
        raise Unusable(f"{name} is listened to, not called: it has no secret")
    told = checked_secret(secret) if secret else new_secret(secrets.token_bytes(BYTES))
    await store.rotate(connection, delivery, told, until_ms=now_ms + round(overlap_seconds * 1000), now_ms=now_ms)
    return Made(delivery=delivery, secret=told)


async def rewind(
    connection: Any, kafka: KafkaAccess, topic: Topic, name: str, *, since_ms: int | None, offsets: Places | None = None, now_ms: int
) -> Delivery:
    """Set its cursor to a moment (None: all that is kept), or partitions of it to offsets, back or forth. What comes again has the same
    `webhook-id`. Raises `UnknownDelivery`, `Unusable`, and as `create`."""
    delivery = await store.one(connection, name)
    if offsets:
        kept = await places_at(kafka, topic, now_ms)
        unknown = sorted(set(offsets) - set(kept))
        if unknown:
            raise Unusable(f"{topic.name} has no partition {', '.join(map(str, unknown))}; it has {len(kept)}")
        return await store.rewind(connection, name, {**delivery.places, **offsets}, now_ms)
    return await store.rewind(connection, name, await _places(kafka, topic, since_ms), now_ms)


async def try_out(connection: Any, sender: Sender, name: str, *, now_ms: int) -> Answer:
    """Call its webhook once with a message that says it is a test; its cursor stays. Raises `UnknownDelivery`, `Unusable`."""
    delivery = await store.one(connection, name)
    if delivery.way is not Way.WEBHOOK:
        raise Unusable(f"{name} is listened to, not called; listen at /api/v1/deliveries/{name}/events")
    signed_with = await store.secrets_of(connection, delivery.id, now_ms)
    body = trial_body(delivery.name, delivery.topic, now_ms)
    return await sender.post(delivery.url, signed_with, identity=f"test_{secrets.token_hex(16)}", body=body, at_ms=now_ms)


async def delete(connection: Any, name: str) -> None:
    """With its cursor and its secrets. Raises `UnknownDelivery`."""
    await store.delete(connection, name)


async def _places(kafka: KafkaAccess, topic: Topic, since_ms: int | None) -> dict[int, int]:
    return await first_places(kafka, topic) if since_ms is None else await places_at(kafka, topic, since_ms)
