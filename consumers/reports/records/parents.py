"""What keeps the parents that records wait for: looked up when it is asked, so that it is true then, and costs nobody who waits."""

from collections.abc import Mapping, Sequence
from typing import Any

from consumers.merge.writing.refused import RECORD

_KEPT = """
select r.child, r.role, p.id is not null as known, p.gone, p.held, f.reason from relations as r
left join pairs as p on p.salesforce_id = r.parent
left join refusals as f on f.pair = p.id and f.system = 'marketo' and f.field = $2
where r.waiting and r.child = any($1::bigint[])
"""
Kept = Mapping[tuple[int, str], str]
"""(pair, field that names the parent) -> what keeps the parent from being in Marketo, as the rest of a sentence."""
NOTHING: Mapping[str, str] = {}


async def kept(connection: Any, pairs: Sequence[int]) -> Kept:
    """What keeps the parents for which these pairs wait."""
    rows = await connection.fetch(_KEPT, list(pairs), RECORD)
    return {(row["child"], row["role"]): _why(row) for row in rows}


def of(told: Kept, pair: int) -> dict[str, str]:
    """The same of one pair, by field."""
    return {field: why for (number, field), why in told.items() if number == pair}


def _why(row: Any) -> str:
    if not row["known"]:
        return "it is not known yet and will be read"
    if row["held"]:
        return f"it is held: {row['held']}"
    if row["gone"]:
        return "it was deleted in Salesforce, or is not visible to Tandem's user there"
    if row["reason"]:
        return f"Marketo refuses it: {row['reason']}"
    return "it is on its way"
