"""The canary's journey: a test person made in Salesforce, followed through every station to Marketo and back, and removed again.

The order of effects: the record is made in Salesforce; what becomes of it is only watched; at the end, however far it came, both records
are deleted, and that is followed, too. A crash in between leaves a person whose name begins with `Tandem canary`.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from consumers.configuration.loading import Settings
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import unpack
from consumers.worker.assembly.desk import open_desk
from consumers.worker.tools.opening import Tools
from streams.budget.port import Lane
from streams.ground.database import away_is_retry
from streams.wire.errors import Reject

NAME = "Tandem canary"
_LOOK_SECONDS = 0.02
_STATE = "select state from pairs where salesforce_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One station. `after_ms`: since the record was made; None: it didn't come so far in time."""

    what: str
    after_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """All stations, in their order. `removed`: whether both records are deleted."""

    salesforce_id: str
    marketo_id: str
    stations: tuple[Station, ...]
    removed: bool

    @property
    def arrived(self) -> bool:
        """Whether it came all the way, and is gone."""
        return self.removed and all(each.after_ms is not None for each in self.stations)


def _is_shown(state: PairState) -> bool:
    return bool(state.marketo.refs)  # the newest events of Marketo's feed that are judged


Reached = Callable[[PairState], bool]
_ON_THE_WAY: tuple[tuple[str, Reached], ...] = (
    ("known to the ledger: Salesforce told of it, and it is judged", lambda state: state.salesforce.complete),
    ("written to Marketo: its answer is kept", lambda state: bool(state.marketo.id)),
    ("shown by Marketo's own feed", _is_shown),
)
_AFTERWARDS: tuple[tuple[str, Reached], ...] = (
    ("deleted: Salesforce told of it", lambda state: state.salesforce.deleted),
    ("deleted: Marketo told of it", lambda state: state.marketo.deleted or not state.marketo.id),
)


async def journey(settings: Settings, *, who: str, wait_seconds: float) -> Journey:
    """Send it. `wait_seconds`: for each way, there and back. Raises what the adapters raise where it can't even be made."""
    async with open_desk(settings, who) as desk:
        tools, email = desk.tools, f"tandem-canary-{secrets.token_hex(6)}@example.com"
        started = time.monotonic()
        record = await _made(tools, email)
        stations = [Station(what="made in Salesforce: its answer is there", after_ms=_ms(started))]
        stations += await _followed(tools, record, _ON_THE_WAY, started, wait_seconds)
        state = await _state(tools, record)
        person = state.marketo.id if state is not None else ""
        person = person or next((each.id for each in await tools.marketo.find("email", [email], ["email"])), "")
        removed = await _removed(tools, record, person)
        if removed and state is not None:
            stations += await _followed(tools, record, _AFTERWARDS, started, wait_seconds)
        return Journey(salesforce_id=record, marketo_id=person, stations=tuple(stations), removed=removed)


async def _made(tools: Tools, email: str) -> str:
    mapping = next(iter(tools.terms.rules.people.values()))
    company = {"Company": NAME} if "company" in mapping.by_key and mapping.by_key["company"].salesforce == "Company" else {}
    row = {"FirstName": "Tandem", "LastName": NAME, "Email": email, **company}
    (result,) = await tools.salesforce.create(mapping.api_name, [row], Lane.LIVE)
    if not result.id:
        raise Reject(f"Salesforce did not make the canary ({result}): its user needs leave to create a {mapping.api_name}")
    return result.id


async def _removed(tools: Tools, record: str, person: str) -> bool:
    (gone,) = await tools.salesforce.delete([record], Lane.LIVE)
    if person:
        await tools.marketo.delete([person])
    return gone.success


async def _followed(
    tools: Tools, record: str, stations: tuple[tuple[str, Reached], ...], started: float, wait_seconds: float
) -> list[Station]:
    found, deadline, state = list[Station](), time.monotonic() + wait_seconds, None
    for what, reached in stations:
        while (state is None or not reached(state)) and time.monotonic() < deadline:
            state = await _state(tools, record)
            if state is None or not reached(state):
                await asyncio.sleep(_LOOK_SECONDS)
        there = state is not None and reached(state)
        found.append(Station(what=what, after_ms=_ms(started) if there else None))
    return found


async def _state(tools: Tools, record: str) -> PairState | None:
    with away_is_retry("follow the canary"):
        packed: Any = await tools.pool.fetchval(_STATE, record)
    return unpack(packed) if packed is not None else None


def _ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
