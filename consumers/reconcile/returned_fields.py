"""What is done when fields can be seen and written again: what changed meanwhile is read back, and what was refused is owed again."""

from collections.abc import Callable, Sequence
from typing import Any

from consumers.fitting.sight import Returned
from consumers.ledger.port import Ledger
from consumers.merge.terms import Terms
from consumers.merge.writing.refused import RECORD
from consumers.merge.writing.writes import creatable, welcomed
from consumers.reconcile.gaps import Gaps
from streams.ground.database import away_is_retry
from streams.wire.errors import Cause
from streams.wire.systems import Object, System

REFUSED = """
select distinct pair from refusals where system = $1 and field = any($2::text[]) and pair > $3 order by pair limit $4
"""
_PAGE = 300
_MARGIN_MS = 3_600_000
"""A field may have been hidden for some cycles before anybody asked for it."""


async def welcome(
    returned: Sequence[Returned], *, gaps: Gaps, pool: Any, ledger: Ledger, terms: Terms, poll_seconds: float, now_ms: Callable[[], int]
) -> None:
    """Open a gap for each kind of record, and let what was refused be sent. Raises `Retry`; then it is done again, as a whole."""
    margin_ms = _MARGIN_MS + round(2 * poll_seconds * 1000)
    people = terms.rules.people
    unread = [each for each in returned if not each.values]
    told = [each for each in unread if each.system is System.SALESFORCE or each.object in people]
    for system, obj in sorted({(each.system, each.object) for each in told if each.system is System.SALESFORCE or _first(each, told)}):
        back = [each for each in told if each.system is system and (each.object == obj or system is System.MARKETO)]
        since = min(each.since_ms for each in back)
        names = ", ".join(sorted({each.name or f"{each.object} records" for each in back}))
        kind = obj if system is System.SALESFORCE else ""
        since_ms = max(1, since - margin_ms) if since else None
        await gaps.open(f"fields.{system}", kind, f"{names} could not be seen for a while", since_ms, cause=Cause.SIGHT)
    for system in {each.system for each in returned}:
        keys = _keys(returned, system, terms)
        whole = frozenset(each.object for each in returned if each.system is system and not each.name)
        await _owe_again(system, keys, whole, pool=pool, ledger=ledger, terms=terms, now=now_ms())


def _first(one: Returned, returned: Sequence[Returned]) -> bool:
    """Marketo has one sort of people, so one gap; of the rest it tells no changes."""
    return one.object == min(each.object for each in returned if each.system is one.system)


def _keys(returned: Sequence[Returned], system: System, terms: Terms) -> dict[Object, frozenset[str]]:
    """The ledger's keys of these fields, by the kind of pair."""
    return {
        obj: frozenset(
            item.key
            for each in returned
            if each.system is system and each.object == obj
            for item in mapping.fields
            if each.name in ("", item.name_on(system))
        )
        for obj, mapping in terms.rules.objects.items()
    }


async def _owe_again(
    system: System, keys: dict[Object, frozenset[str]], whole: frozenset[Object], *, pool: Any, ledger: Ledger, terms: Terms, now: int
) -> None:
    """`whole`: sorts of records that could not be seen at all, nor be made."""
    after, fields = 0, sorted({RECORD, *(key for names in keys.values() for key in names)})
    born = whole if whole.isdisjoint(terms.rules.people) else whole | terms.rules.people.keys()
    while True:
        with away_is_retry("look for what was refused"):
            rows = await pool.fetch(REFUSED, system.value, fields, after, _PAGE)
        if not rows:
            return
        after = rows[-1]["pair"]
        async with ledger.transaction() as tx:
            pairs = list((await tx.by_id([row["pair"] for row in rows])).values())
            for pair in pairs:
                state = welcomed(pair.state, system, keys.get(pair.state.object, frozenset()))
                pair.state = terms.with_due(creatable(state, system) if state.object in born else state, now)
            await tx.save(pairs, now)
