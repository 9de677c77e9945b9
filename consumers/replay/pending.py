"""What would be written right now: every pair that is owed a write, planned as the settlers would. Nothing is written, nobody is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from consumers.ledger.port import Duty
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import unpack
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import Create, Delete, Merge, Nothing, Plan, Update, plan
from streams.wire.events import Value
from streams.wire.systems import System

_PAGE = 500
_OWED = """
select d.pair as id, p.state, d.at from due as d join pairs as p on p.id = d.pair where d.kind = $1 and d.pair > $2 order by d.pair limit $3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One record that would be written to. `later`: it is not due before some moment (a wait after a refusal, or for a parent)."""

    pair: int
    system: str
    what: str
    object: str
    salesforce: str
    marketo: str
    fields: dict[str, Value]
    later: bool


async def pending(connection: Any, terms: Terms, now_ms: int) -> list[Pending]:
    """All of it, by system and pair."""
    found: list[Pending] = []
    for system in System:
        after = 0
        while rows := await connection.fetch(_OWED, int(Duty.write_on(system)), after, _PAGE):
            after = rows[-1]["id"]
            for row in rows:
                found += _planned(row["id"], unpack(row["state"]), system, terms, later=row["at"] > now_ms)
    return found


def _planned(pair: int, state: PairState, system: System, terms: Terms, *, later: bool) -> Iterator[Pending]:
    planned = plan(state, system, terms.rules, exact=terms.exact_on(system))
    if isinstance(planned, Nothing):
        return
    yield Pending(
        pair=pair,
        system=str(system),
        what=type(planned).__name__.lower(),
        object=str(state.object),
        salesforce=state.salesforce.id,
        marketo=state.marketo.id,
        fields=_fields(planned),
        later=later,
    )


def _fields(planned: Plan) -> dict[str, Value]:
    match planned:
        case Create() | Update():
            return {out.key: out.value for out in planned.fields}
        case Merge():
            return {"into it": ", ".join(planned.losers)}
        case Delete():
            return {"because": planned.why}
        case _:
            return {}
