"""Archiving: what the org does by itself with activities that are a year old (Object Reference, Task and Event, IsArchived).

`query` passes them over, `queryAll` and reads by id don't. It happens beside the application, so nobody is its author, nothing is
stamped, and a gap event tells of it (CDC guide, causes of gap events).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.kernel.system import VerbRefusedError
from infra.sandbox.salesforce.events.changes import Origin, gap_body, header_of
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.schema.types import ObjectType
from infra.sandbox.salesforce.state.state import SYSTEM

ARCHIVED = "IsArchived"


def archive(org: Org, kind: ObjectType, record_ids: Sequence[str]) -> int:
    """So many were archived; who is there already stays there."""
    if ARCHIVED not in kind.fields:
        raise VerbRefusedError(f"records of {kind.name} are never archived")
    rows = org.store.tables[kind.name].rows
    found = [each for each in record_ids if each in rows and ARCHIVED not in rows[each]]
    now_ms = org.clock.now_ms()
    entries = [Entry(now_ms, SYSTEM, "update", kind.name, each, {ARCHIVED: False}, {ARCHIVED: True}, extra={}) for each in found]
    org.journal.append(entries)
    for entry in entries:
        org.apply(entry)
    if found:
        org.publish(kind.name, [told(org, kind.name, found, "GAP_UPDATE", "")])
    return len(found)


def told(org: Org, name: str, record_ids: Sequence[str], change_type: str, user_id: str) -> bytes:
    """A gap event about these records."""
    origin = Origin(
        user_id=user_id, change_origin="", transaction_key=secrets.token_hex(16), commit_ms=org.clock.now_ms(),
        commit_number=org.next_commit_number(),
    )  # fmt: skip
    return gap_body(header_of(name, change_type, list(record_ids), origin))
