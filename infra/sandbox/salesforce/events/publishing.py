"""The change events of one transaction, of the entities that are selected (CDC guide)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.salesforce.access.caller import Caller
from infra.sandbox.salesforce.events.changes import Change, Origin, event_bodies, fold
from infra.sandbox.salesforce.state.state import State

STAMP_NAMES = frozenset({"LastModifiedDate", "LastModifiedById", "SystemModstamp"})


def told(org: State, entries: Sequence[Entry]) -> list[Change]:
    """The changes of one transaction that events tell of; none when none of them is of a selected entity."""
    changes = fold(entries)
    if not org.options.unchanged_events:
        changes = [each for each in changes if each.op != "update" or not each.after.keys() <= STAMP_NAMES]
    return changes if any(change.object in org.selected_entities for change in changes) else []


def bodies_of(org: State, caller: Caller, changes: Sequence[Change], now_ms: int, commit_number: int) -> list[tuple[str, bytes]]:
    """(entity, payload) of each event."""
    origin = Origin(
        user_id=caller.user_id, change_origin=caller.origin, transaction_key=str(uuid.uuid4()), commit_ms=now_ms,
        commit_number=commit_number, changes_max=org.options.changes_per_transaction_max,
    )  # fmt: skip
    rows = {change.id: org.store.tables[change.object].rows.get(change.id, {}) for change in changes}
    bodies = event_bodies(changes, org.schema.objects, rows, origin)
    return [each for each in bodies if each[0] in org.selected_entities]
