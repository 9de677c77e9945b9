"""A delivery: a named subscription, what it wants, how far it is, and how its calls go. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from consumers.subscriptions.message import Choice

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_TERMS = ("kinds", "fields", "records", "actors", "verdicts")

Places = Mapping[int, int]
"""By partition: the offset of the next message."""


class Unusable(ValueError):  # noqa: N818 - an answer to whoever asks, not a failure
    """What is asked for can't be: the message says why, and what can."""


class UnknownDelivery(LookupError):  # noqa: N818 - as above
    """No delivery has that name."""


class Way(StrEnum):
    """How messages reach who asked for them."""

    WEBHOOK = "webhook"
    """We call them: a signed POST a message."""
    EVENTS = "events"
    """They listen: server-sent events of the HTTP API."""


class State(StrEnum):
    """Whether anything is delivered."""

    ACTIVE = "active"
    PAUSED = "paused"
    """By a person."""
    DISABLED = "disabled"
    """By the receiver: it answered 410 (Gone)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One of them, as stored. Times: ms, 0: never."""

    id: int = 0
    name: str
    topic: str
    """Its whole name."""
    way: Way
    url: str = ""
    choice: Choice = field(default_factory=Choice)
    revealed: bool = False
    """Whether a webhook carries personal data as it is."""
    state: State = State.ACTIVE
    why: str = ""
    """Why it is paused or disabled."""
    revision: int = 1
    """Whoever holds an earlier one is over: it was changed by hand, or another runner has it."""
    places: Places = field(default_factory=dict)
    created_at: int = 0
    created_by: str = ""
    changed_at: int = 0
    delivered: int = 0
    """Messages that were taken, ever; those that were repeated more than once."""
    delivered_at: int = 0
    missed: int = 0
    """Messages that Kafka let go of before they were delivered."""
    attempts: int = 0
    """At the message in hand, that failed."""
    next_at: int = 0
    """When that is tried again."""
    failing_since: int = 0
    trouble: str = ""
    """Why the last attempt failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """What a webhook is signed with. `until`: replaced, and still signs until then (ms); 0: in use."""

    text: str = field(repr=False)
    created_at: int
    until: int = 0


def checked_name(name: str) -> str:
    """The name. Raises `Unusable`."""
    told = name.strip().lower()
    if not _NAME.fullmatch(told):
        raise Unusable(f"{name!r} is no name of a delivery: small letters, digits, dots, dashes, not more than 63, such as crm-to-billing")
    return told


def cursor_of(places: Places) -> str:
    """The places as one word, as server-sent events carry it: `0-12.1-40`."""
    return ".".join(f"{partition}-{offset}" for partition, offset in sorted(places.items()))


def places_of(cursor: str) -> dict[int, int]:
    """The places in such a word. Raises `Unusable`."""
    if not re.fullmatch(r"\d{1,6}-\d{1,18}(\.\d{1,6}-\d{1,18})*", cursor):
        raise Unusable("that Last-Event-ID is none of ours; send the id of the last event that you have, or none at all")
    return {int(partition): int(offset) for partition, offset in (each.split("-") for each in cursor.split("."))}


def places_told(text: str) -> dict[int, int]:
    """As they are stored."""
    return {int(partition): int(offset) for partition, offset in orjson.loads(text).items()}


def places_kept(places: Places) -> str:
    """To store them."""
    return orjson.dumps({str(partition): offset for partition, offset in sorted(places.items())}).decode()


def choice_told(text: str) -> Choice:
    """As it is stored."""
    told = orjson.loads(text)
    return Choice(**{term: frozenset(told.get(term) or ()) for term in _TERMS})


def choice_kept(choice: Choice) -> str:
    """To store it."""
    return orjson.dumps({term: sorted(getattr(choice, term)) for term in _TERMS if getattr(choice, term)}).decode()


def wanted(choice: Choice) -> dict[str, list[str]]:
    """What is asked for, by term, for people and programs; addresses of people are not shown."""
    told: dict[str, Any] = orjson.loads(choice_kept(choice))
    return {term: sorted({"(an e-mail address)" if "@" in each else each for each in names}) for term, names in told.items()}
