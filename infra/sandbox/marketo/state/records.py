"""Rows of everything but people: companies, opportunities, programs, members, lists, jobs ... packed, with look-ups by any field.

A fold of the journal like people are: `apply` is the only way in. An index is built when it is first asked for, and kept from then on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from infra.sandbox.kernel.journal import Entry

Row = dict[str, Any]
Names = tuple[str, ...]

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(dict[str, Any]).decode


@dataclass(slots=True)
class Table:
    """Rows by key; a key that is a number counts up `next_id`. Null values are not kept."""

    next_id: int = 1
    _rows: dict[str, bytes] = field(default_factory=dict)
    _indexes: dict[Names, dict[str, list[str]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def get(self, key: str) -> Row | None:
        packed = self._rows.get(key)
        return None if packed is None else _unpack(packed)

    def items(self) -> Iterator[tuple[str, Row]]:
        for key, packed in list(self._rows.items()):
            yield key, _unpack(packed)

    def rows(self) -> Iterator[Row]:
        for packed in list(self._rows.values()):
            yield _unpack(packed)

    def find(self, names: Sequence[str], values: Sequence[Any]) -> list[str]:
        """Keys of the rows whose fields have these values, in no promised order. Without regard to case (REST API, lead database)."""
        index = self._indexes.get(tuple(names))
        if index is None:
            index = self._indexes[tuple(names)] = {}
            for key, row in self.items():
                if (place := _place(row, names)) is not None:
                    index.setdefault(place, []).append(key)
        return list(index.get(_joined(values), ()))

    def apply(self, entry: Entry) -> None:
        """Folds a create, update or delete; the row's stamps are the entry's time. A value that is corrupted moves no stamp."""
        before = self.get(entry.id) or {}
        match entry.op.removeprefix("_"):
            case "create":
                at = second(entry.at_ms // 1000)
                after = {**(entry.after or {}), "createdAt": at, "updatedAt": at}
                if entry.id.isdecimal():
                    self.next_id = max(self.next_id, int(entry.id) + 1)
            case "update":
                after = {**before, **(entry.after or {}), "updatedAt": second(entry.at_ms // 1000)}
            case "corrupt":
                after = {**before, **(entry.after or {})}
            case "delete":
                after = {}
            case _:
                raise ValueError(f"journal: unknown entry {entry.object}/{entry.op}")
        self._put(entry.id, before, {name: value for name, value in after.items() if value is not None})

    def _put(self, key: str, before: Row, after: Row) -> None:
        if after:
            self._rows[key] = _pack(after)
        else:
            self._rows.pop(key, None)
        for names, index in self._indexes.items():
            old, new = _place(before, names), _place(after, names)
            if old == new:
                continue
            if old is not None:
                index[old].remove(key)
                if not index[old]:
                    del index[old]
            if new is not None:
                index.setdefault(new, []).append(key)


def _place(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    values = [row.get(name) for name in names]
    return None if any(value is None for value in values) else _joined(values)


def _joined(values: Sequence[Any]) -> str:
    return "\0".join(str(value).casefold() for value in values)


@lru_cache(maxsize=256)
def second(at_s: int) -> str:
    """A stamp as the APIs show it."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
