"""The people behind the numbers of the status: who is held, refused, owed a change, or contested, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

from consumers.ledger.port import Duty
from consumers.mapping.fields import SyncRules
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import unpack
from consumers.merge.writing.plan import owed
from consumers.merge.writing.refused import RECORD
from consumers.reports.records.called import agreed, name_of
from consumers.reports.records.parents import Kept, kept
from streams.wire.events import Value
from streams.wire.systems import MARKETO

_HELD = "select id, state, held from pairs where held is not null order by id desc limit $1"
_CONTESTED = "select id, state from pairs where contested and (held is not null or contested) order by id desc limit $1"
_REFUSED = """
select r.pair as id, p.state, r.system, r.field, r.reason, r.since_ms
from (select * from refusals order by since_ms desc limit $1) as r join pairs as p on p.id = r.pair
order by r.since_ms desc, r.pair, r.field
"""
_OWED = """
select d.pair as id, p.state, d.kind, d.at
from ((select * from due where kind = 0 order by lane, at limit $1) union all (select * from due where kind = 1 order by lane, at limit $1)) as d
join pairs as p on p.id = d.pair order by d.lane, d.at limit $1
"""  # noqa: E501 - a statement in one piece


class Queue(StrEnum):
    """What people may wait in."""

    HELD = "held"
    REFUSED = "refused"
    OWED = "owed"
    CONTESTED = "contested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One person, and one thing that is not as it should be. `since_ms`: 0 where it is not known; `value`: what can't be written."""

    pair: int
    person: str
    email: str
    salesforce_id: str
    marketo_id: str
    system: str
    """The one that refuses, or is owed; empty where both are concerned."""
    field: str
    """As the mapping names it; empty: the whole record."""
    why: str
    value: Value = None
    since_ms: int = 0
    object: str = ""


async def listed(connection: Any, queue: Queue, rules: SyncRules, *, most: int) -> tuple[Listed, ...]:
    """The newest first; of those who are owed something, the first in the queue first. At most `most` lines."""
    match queue:
        case Queue.HELD:
            rows = await connection.fetch(_HELD, most)
            lines = [_line(row, unpack(row["state"]), why=row["held"]) for row in rows]
        case Queue.REFUSED:
            rows = await connection.fetch(_REFUSED, most)
            keeping = await kept(connection, [row["id"] for row in rows])
            lines = [_refused(row, unpack(row["state"]), keeping) for row in rows]
        case Queue.OWED:
            lines = [line for row in await connection.fetch(_OWED, most) for line in _owed(row, unpack(row["state"]), rules)]
        case Queue.CONTESTED:
            lines = [line for row in await connection.fetch(_CONTESTED, most) for line in _contested(row, unpack(row["state"]))]
        case _:
            assert_never(queue)
    return tuple(lines[:most])


def _line(row: Any, state: PairState, *, why: str, system: str = "", field: str = "", value: Value = None, since_ms: int = 0) -> Listed:
    return Listed(
        pair=row["id"],
        person=name_of(state),
        email=str(agreed(state, "email") or ""),
        salesforce_id=state.salesforce.id,
        marketo_id=state.marketo.id,
        system=system,
        field=field,
        why=why,
        value=value,
        since_ms=since_ms,
        object=str(state.object),
    )


def _refused(row: Any, state: PairState, keeping: Kept) -> Listed:
    field = "" if row["field"] == RECORD else row["field"]
    value = agreed(state, field) if field else None
    parent = keeping.get((row["id"], field), "") if row["system"] == MARKETO else ""
    why = f"{row['reason']}; {parent}" if parent else row["reason"]
    return _line(row, state, why=why, system=row["system"], field=field, value=value, since_ms=row["since_ms"])


def _owed(row: Any, state: PairState, rules: SyncRules) -> Iterator[Listed]:
    system = Duty(row["kind"]).system
    told = {"system": str(system), "since_ms": row["at"]}
    if state.retract and any(place is system for place, _ in state.retract):
        yield _line(row, state, why="a second record of this person is to be deleted", **told)
    elif not state.record(system).id:
        yield _line(row, state, why="is to be created", **told)
    else:
        mapping = rules.objects[state.object].by_key
        for key, item in state.unsettled().items():
            if key in mapping and owed(item, system, mapping[key], exact=False):
                yield _line(row, state, why="is to be written", field=key, value=item.value, **told)


def _contested(row: Any, state: PairState) -> Iterator[Listed]:
    for key, item in state.unsettled().items():
        if item.hold:
            yield _line(row, state, why=item.hold, field=key, value=item.value)
