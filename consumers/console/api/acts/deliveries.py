"""Acts on deliveries: topics for those without Kafka."""

from dataclasses import replace
from typing import Annotated, Any

import msgspec

from consumers.answers.logs import delivering
from consumers.answers.logs.delivering import Shared, Shown
from consumers.configuration.loading import Settings
from consumers.console.access.problems import Refused
from consumers.console.access.roles import Role
from consumers.console.api.acts.act import Act, Asked
from consumers.console.api.refusals import senseless
from consumers.deliveries.addresses import shown_url
from consumers.deliveries.delivery import Way
from consumers.deliveries.sending import Answer
from consumers.desk.doing import Would
from consumers.subscriptions.since import moment_of
from streams.ground.clock import now_ms

_DAY_SECONDS, _OVERLAP_MAX = 86_400, 30 * 86_400
Called = Annotated[str, msgspec.Meta(description="The delivery, by its name.", max_length=63)]
Terms = Annotated[list[str], msgspec.Meta(max_length=1_000)]
Since = Annotated[str, msgspec.Meta(description="now, all, 90s, 2h, 7d, or a date.", max_length=40)]
Brought = Annotated[str, msgspec.Meta(description="Sign with this secret; without, one is made. It is answered once.", max_length=200)]


class Wanted(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A delivery: each message of a topic that fits, posted to a URL; or, without one, listened to at /deliveries/{name}/events."""

    name: Called
    topic: Annotated[str, msgspec.Meta(max_length=200)]
    url: Annotated[str, msgspec.Meta(max_length=2_000)] = ""
    since: Since = "now"
    kinds: Terms = msgspec.field(default_factory=list)
    fields: Terms = msgspec.field(default_factory=list)
    records: Terms = msgspec.field(default_factory=list)
    actors: Terms = msgspec.field(default_factory=list)
    verdicts: Terms = msgspec.field(default_factory=list)
    reveal: Annotated[bool, msgspec.Meta(description="A webhook carries personal data as it is; masked otherwise.")] = False
    secret: Brought = ""


class One(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of them."""

    name: Called


class Another(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another secret for one of them."""

    name: Called
    secret: Brought = ""
    overlap_seconds: Annotated[int, msgspec.Meta(description="So long the one before signs as well.", ge=0, le=30 * _DAY_SECONDS)] = (
        _DAY_SECONDS
    )


class Place(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one of them goes on: at a moment, or at offsets."""

    name: Called
    since: Since = ""
    offsets: Annotated[dict[str, int], msgspec.Meta(description="By partition.", max_length=1_000)] = msgspec.field(default_factory=dict)


async def _create(settings: Settings, asked: Wanted, who: str) -> Would | Shared:
    wish = delivering.Asked(
        name=asked.name, topic=asked.topic, way=Way.WEBHOOK if asked.url else Way.EVENTS, url=asked.url, kinds=asked.kinds,
        fields=asked.fields, records=asked.records, actors=asked.actors, verdicts=asked.verdicts, since_ms=_since(asked.since),
        reveal=asked.reveal, secret=asked.secret,
    )  # fmt: skip
    if asked.apply:
        return await delivering.create(settings, wish, who=who)
    where = f"is posted to {shown_url(asked.url)}, signed" if asked.url else f"is listened to at /api/v1/deliveries/{asked.name}/events"
    return Would(steps=(f"each message of {asked.topic} that fits {where}", f"from {asked.since} on"))


async def _pause(settings: Settings, asked: One, who: str) -> Shown:
    if asked.apply:
        return await delivering.pause(settings, asked.name, who=who, why=asked.reason.strip())
    return await delivering.delivery_of(settings, asked.name)


async def _resume(settings: Settings, asked: One, _who: str) -> Shown:
    return await (delivering.resume if asked.apply else delivering.delivery_of)(settings, asked.name)


async def _test(settings: Settings, asked: One, _who: str) -> Shown | Answer:
    return await (delivering.try_out if asked.apply else delivering.delivery_of)(settings, asked.name)


async def _rotate(settings: Settings, asked: Another, _who: str) -> Shown | Shared:
    if asked.apply:
        return await delivering.rotate(settings, asked.name, secret=asked.secret, overlap_seconds=asked.overlap_seconds)
    return await delivering.delivery_of(settings, asked.name)


async def _rewind(settings: Settings, asked: Place, _who: str) -> Shown:
    if bool(asked.since) == bool(asked.offsets) or not all(each.isdecimal() for each in asked.offsets):
        raise Refused(senseless("Where does it go on?", "Give one of `since` and `offsets` (by partition)."))
    offsets, since = {int(each): offset for each, offset in asked.offsets.items()}, _since(asked.since) if asked.since else None
    if asked.apply:
        return await delivering.rewind(settings, asked.name, since_ms=since, offsets=offsets)
    return await delivering.delivery_of(settings, asked.name)


async def _delete(settings: Settings, asked: One, _who: str) -> Shown:
    told = await delivering.delivery_of(settings, asked.name, counted=not asked.apply)
    if asked.apply:
        await delivering.delete(settings, asked.name)
    return told


def _since(text: str) -> int | None:
    """None: all. Raises `NoMoment`."""
    now, told = now_ms(), text.strip()
    return None if told == "all" else now if told == "now" else moment_of(told, now)


def _without_secret(told: Any) -> Any:
    return replace(told, secret="") if isinstance(told, Shared) else told


def _act(what: str, words: str, takes: type[Asked], gives: tuple[Any, ...], do: Any, *, role: Role = Role.ADMIN) -> Act:
    private = frozenset({"secret", "records"} & set(takes.__struct_fields__))
    return Act(name=f"deliveries {what}", command=("deliveries", what), path=f"/deliveries/{what}", words=words, takes=takes, gives=gives,
               do=do, role=role, private=private, kept=_without_secret)  # fmt: skip


ACTS = (
    _act("create", "Begin a delivery; its secret is answered once.", Wanted, (Would, Shared), _create),
    _act("pause", "Deliver nothing until it is resumed.", One, (Shown,), _pause, role=Role.OPERATOR),
    _act("resume", "Go on at once: also one that was disabled.", One, (Shown,), _resume, role=Role.OPERATOR),
    _act("test", "Call its webhook once, with a message that says that it is a test.", One, (Shown, Answer), _test, role=Role.OPERATOR),
    _act("rotate", "Sign with another secret, for a while beside the one before; it is answered once.", Another, (Shown, Shared), _rotate),
    _act("rewind", "Set its cursor.", Place, (Shown,), _rewind),
    _act("delete", "End it: its cursor and its secrets are gone.", One, (Shown,), _delete),
)
