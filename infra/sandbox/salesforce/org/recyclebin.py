"""The recycle bin: what was deleted and when, until it is purged, and what was purged, for `/deleted` to tell of."""

from __future__ import annotations

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.records.store import Store
from infra.sandbox.salesforce.wire.stamps import ms_of

BIN_MS = 15 * 24 * 3600 * 1000


class RecycleBin:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._deleted: list[tuple[int, str]] = []
        self._purged: dict[str, dict[str, tuple[str, str | None]]] = {}
        """By object and id: when it was deleted, and whose it was."""

    def note(self, entry: Entry) -> None:
        """A deletion that was applied."""
        if entry.op != "delete":
            return
        if "gone" in entry.extra:
            self._purged.setdefault(entry.object, {})[entry.id] = (entry.extra["gone"], (entry.before or {}).get("OwnerId"))
        else:
            self._deleted.append((entry.at_ms, entry.id))

    def purge(self, entry: Entry) -> None:
        """A purge: the row goes."""
        self._store.tables[entry.object].remove(entry.id)
        self._purged.setdefault(entry.object, {})[entry.id] = (entry.extra["deleted"], entry.extra.get("owner"))

    def expired(self, now_ms: int) -> list[str]:
        """Takes out what has been in the bin for more than 15 days (Object Reference, IsDeleted); the ids of what still lies there."""
        limit = now_ms - BIN_MS
        if not self._deleted or self._deleted[0][0] >= limit:
            return []
        due = [record_id for at_ms, record_id in self._deleted if at_ms < limit]
        self._deleted = [item for item in self._deleted if item[0] >= limit]
        return [each for each in due if self._deleted_ms(each, now_ms) < limit]

    def between(self, seen: VisibleObject, low: str, high: str) -> list[tuple[str, str]]:
        """(id, deletion stamp) of records deleted in [low, high) that the user could see, purged ones included, oldest first."""
        walk = self._store.tables[seen.kind.name].stamps.walk((low, ""), (high, ""))
        found = [(str(row["Id"]), str(row["SystemModstamp"])) for row in walk if "IsDeleted" in row and seen.sees(row)]
        gone = self._purged.get(seen.kind.name, {}).items()
        found += [(each, stamp) for each, (stamp, owner) in gone if low <= stamp < high and seen.owner in (None, owner)]
        return sorted(found, key=lambda item: (item[1], item[0]))

    def _deleted_ms(self, record_id: str, now_ms: int) -> int:
        row = self._store.row(record_id)
        return ms_of(str(row["SystemModstamp"])) if row is not None and "IsDeleted" in row else now_ms
