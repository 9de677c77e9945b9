"""CloudEvents 1.0 in Kafka's binary mode: headers that say of a message what it is, so that a subscriber can choose without reading it.

The attributes (CloudEvents specification 1.0.2; its Kafka protocol binding, section 3.2): `ce_id` with `ce_source` names the event, and is
the same whenever it is sent again; `ce_type`; `ce_time`, where the event has one; `ce_subject`: the record; `content-type`.
"""

from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b

from streams.wire.events import ChangeEvent, DeadLetter, Happened
from streams.wire.systems import Object, System

Headers = list[tuple[str, bytes]]
"""As a Kafka client takes them."""

SPECIFICATION = "1.0"
CONTENT_TYPE = "application/json"
LEDGER = "/tandem/ledger"
"""Where decisions come from, and what could not be used."""
_ID_BYTES = 16
_ALWAYS = (("ce_specversion", SPECIFICATION.encode()), ("content-type", CONTENT_TYPE.encode()))
_SECOND_MS = 1_000


def source_of(system: System | str) -> str:
    """Where events of a system come from, as a relative URI."""
    return f"/tandem/{system}"


def change_type(system: System, obj: Object, happened: Happened) -> str:
    """What happened to which kind of record: `crm.salesforce.lead.updated`."""
    return f"crm.{system}.{obj}.{happened}"


def headers(*, identity: str, source: str, type_: str, at: int, subject: str = "") -> Headers:
    """The attributes of one event. `at`: ms since the epoch, 0: it has no time."""
    found = [*_ALWAYS, ("ce_id", identity.encode()), ("ce_source", source.encode()), ("ce_type", type_.encode())]
    if at:
        found.append(("ce_time", moment(at).encode()))
    if subject:
        found.append(("ce_subject", subject.encode()))
    return found


def change_headers(event: ChangeEvent, body: bytes) -> Headers:
    """Of a change event. `body`: its JSON without the time at which it was relayed, which is another one when it is sent again."""
    told = [*_shared(event.system, event.object, event.kind), ("ce_id", digest(body).encode()), ("ce_subject", event.id.encode())]
    if event.at:
        told.append(("ce_time", moment(event.at).encode()))
    return told


@lru_cache(maxsize=1_024)
def _shared(system: System, obj: Object, happened: Happened) -> tuple[tuple[str, bytes], ...]:
    """What all events of a sort have in common: every event takes this path."""
    return (*_ALWAYS, ("ce_source", source_of(system).encode()), ("ce_type", change_type(system, obj, happened).encode()))


def letter_headers(letter: DeadLetter) -> Headers:
    """Of a dead letter: the same for the same bytes from the same place."""
    place = f"{letter.stage}\n{letter.topic}\n{letter.partition}\n{letter.offset}\n{letter.at}\n{letter.key}\n".encode(errors="replace")
    return headers(
        identity=digest(place + letter.original), source=LEDGER, type_=f"crm.dead-letter.{letter.stage}", at=letter.at, subject=letter.key
    )


def digest(body: bytes) -> str:
    """A name for these bytes, always the same."""
    return blake2b(body, digest_size=_ID_BYTES).hexdigest()


def moment(at: int) -> str:
    """Milliseconds since the epoch as RFC 3339, UTC: `2026-11-29T08:44:50.123Z`."""
    seconds, rest = divmod(at, _SECOND_MS)
    return f"{_second(seconds)}.{rest:03}Z"


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    """Events come in the order of their times: most are of the second of the one before."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[: len("2026-11-29T08:44:50")]
