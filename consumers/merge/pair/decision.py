"""Verdicts and decisions: what was judged, why, and what became of it. Everyone may subscribe to them."""

from enum import StrEnum
from typing import final

import msgspec

from consumers.merge.pair.state import PairState
from streams.wire.events import Value
from streams.wire.systems import System

BY_HAND = "by hand"
"""The kind of a decision that a person has made, and the source of its event: its author is that person."""


class Verdict(StrEnum):
    """What became of one edit of one field."""

    ACCEPTED = "accepted"
    SAME = "same"
    WON = "won"
    LOST = "lost"
    REVIEW = "review"
    ECHO = "echo"
    PUT_BACK = "put_back"
    LEFT = "left"
    SUPERSEDED = "superseded"
    WAITING = "waiting"
    KNOWN = "known"
    UNUSABLE = "unusable"
    CONTESTED = "contested"


class Ruling(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The verdict on one field, with what is needed to explain it."""

    field: str
    verdict: Verdict
    value: Value = None
    """The value that was judged."""
    agreed: Value = None
    """The agreement afterwards."""
    version: int = 0
    lost: Value = None
    """In a conflict: the value that lost."""
    rule: str = ""
    """In a conflict: the rule and its version, `marketo@1`."""
    reason: str = ""


Folded = tuple[PairState, tuple[Ruling, ...]]
"""The pair afterwards, and a ruling for each field that was told of."""


class Origin(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The event behind a decision."""

    topic: str
    partition: int
    offset: int
    source: str = ""
    kind: str = ""
    at: int = 0
    author: str | None = None
    call: str | None = None
    how: str | None = None


class Joined(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """All that a pair was that is part of another one from now on."""

    pair: int
    object: str
    salesforce: str
    marketo: str
    values: dict[str, Value] = {}
    """What was agreed, by field."""
    state: bytes = b""
    """Its whole state as it was stored."""


class Decision(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One line of `crm.decisions.v1`."""

    kind: str
    """`judged`, `written`, `linked`, `held`, `looked`, `forgotten`, `joined`, `wanted`, `by hand`."""
    at: int
    pair: int
    system: System
    """The side that the event came from, or that was written to."""
    record: str
    event: Origin | None = None
    fields: tuple[Ruling, ...] = ()
    write: int = 0
    outcome: str = ""
    """Of a write: `confirmed`, `rejected`, `unknown`; of a link: `matched`, `created`."""
    detail: str = ""
    """The system's own words, or what happened, in a sentence."""
    joined: Joined | None = None
    """Of a join: the pair that ended in this one."""
    config: int = 0
    """The version of the configuration under which it was made; 0: before there were any, or it depends on none."""
    call: str = ""
    """Of a write: the system's own name of the call that answered it (Marketo's request id)."""


@final
class Told(msgspec.Struct, frozen=True, gc=False):
    """A decision as it is published, with what is asked of it to keep it."""

    pair: int
    at: int
    said: bytes


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Decision)


def encode(decision: Decision) -> bytes:
    """The decision as UTF-8 JSON."""
    return _encoder.encode(decision)


def told(decision: Decision | Told) -> Told:
    """The decision, encoded."""
    return decision if type(decision) is Told else Told(decision.pair, decision.at, _encoder.encode(decision))


def decode(data: bytes) -> Decision:
    """The decision from its JSON."""
    return _decoder.decode(data)
