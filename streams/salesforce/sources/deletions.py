"""What was deleted in a window: by the recycle bin, which tells merges, and by the delete log, which knows purged records, too."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import structlog

from streams.budget.port import Lane
from streams.ground.together import together
from streams.relay.windows import Window
from streams.salesforce.api.entity import MASTER, Entity
from streams.salesforce.api.records import RECORDS_MAX
from streams.salesforce.api.rest import DELETE_LOG_MS, SalesforceRest
from streams.salesforce.api.soql import any_of, changed_between, moment_ms
from streams.wire.errors import Gap, Reject
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import System, salesforce_id

log = structlog.get_logger(__name__)

_MINUTE_MS = 60_000
_ORDER = ("SystemModstamp", "Id")


async def deletions(rest: SalesforceRest, entity: Entity, window: Window, lane: Lane) -> list[ChangeEvent]:
    """One `DELETED` event for each record deleted in the window, with `MasterRecordId` and `into` when it lost a merge, the oldest first.

    None for an object without a recycle bin.
    """
    if not entity.bin:
        return []
    async with together() as group:
        binned = group.create_task(_bin_of(rest, entity, window, lane))
        logged = group.create_task(_log_of(rest, entity, window, lane))
    found, listed = binned.result(), logged.result()
    for event in await _look_up(rest, entity, {record: at for record, at in listed.items() if record not in found}, lane):
        found[event.id] = event
    return sorted(found.values(), key=lambda event: (event.at, event.id))


async def _bin_of(rest: SalesforceRest, entity: Entity, window: Window, lane: Lane) -> dict[str, ChangeEvent]:
    """By id, what the recycle bin shows of the window."""
    found: dict[str, ChangeEvent] = {}
    where = ["IsDeleted = TRUE", *changed_between(window.start_ms, window.end_ms)]
    asked = entity.select(("Id", *entity.master, "SystemModstamp"), where, order=_ORDER)
    async for rows in rest.query_all(asked, lane, gathered=True):
        for row in rows:
            event = _deletion(entity, str(row["Id"]), moment_ms(str(row["SystemModstamp"])), row.get(MASTER))
            found[event.id] = event
    return found


async def _log_of(rest: SalesforceRest, entity: Entity, window: Window, lane: Lane) -> dict[str, int]:
    """Ids deleted in the window by the delete log, which also knows those emptied from the recycle bin."""
    start = max(window.start_ms, window.end_ms - DELETE_LOG_MS)
    try:
        # the call cuts both ends to the minute
        listed = await rest.deleted(entity.name, start - _MINUTE_MS, window.end_ms + _MINUTE_MS, lane, gathered=True)
    except (Gap, Reject) as error:
        log.warning("salesforce.delete_log_unreadable", object=entity.name, reason=str(error))
        return {}
    return {salesforce_id(record): at for record, at in listed.ids.items() if window.holds(at)}


async def _look_up(rest: SalesforceRest, entity: Entity, listed: dict[str, int], lane: Lane) -> list[ChangeEvent]:
    """Deletes of the log that the recycle bin didn't show in this window: purged, in the bin at another second, or restored since."""
    ids, found = list(listed), []
    for start in range(0, len(ids), RECORDS_MAX):
        some = ids[start : start + RECORDS_MAX]
        rows = await _known(rest, entity, some, lane)
        others: Collection[str] = ()
        if entity.where:  # the log lists those, too, that don't meet the conditions
            others = await _known(rest, replace(entity, where=()), [record for record in some if record not in rows], lane)
        for record in some:
            row = rows.get(record, {})
            if record not in others and row.get("IsDeleted") is not False:
                found.append(_deletion(entity, record, listed[record], row.get(MASTER)))
    return found


async def _known(rest: SalesforceRest, entity: Entity, ids: Sequence[str], lane: Lane) -> dict[str, dict[str, Value]]:
    """What is told of records, deleted or not; those that were emptied from the recycle bin are absent."""
    rows: dict[str, dict[str, Value]] = {}
    if ids:
        async for page in rest.query_all(entity.select(("Id", "IsDeleted", *entity.master), [any_of("Id", ids)]), lane):
            rows.update({str(row["Id"]): row for row in page})
    return rows


def _deletion(entity: Entity, record: str, at: int, master: Value) -> ChangeEvent:
    fields: dict[str, Value] = {MASTER: salesforce_id(str(master))} if master else {}
    into, into_object = entity.into(fields)
    return ChangeEvent(
        system=System.SALESFORCE, object=entity.object, id=salesforce_id(record), kind=Happened.DELETED, source="poll", at=at,
        fields=fields, into=into, into_object=into_object,
    )  # fmt: skip
