"""One append-only file per system: the journal is the state, memory is a replay of it.

A block is written by ONE `write()`, so a killed process can lose nothing but a torn tail of its last block, which the next start cuts off.
Block: `<II` length of payload, crc32 of payload; then the payload: entries, each `<I` length and msgpack bytes.

Order of use: `Journal(path)`, then `replay()` to its end, then `append()` and `history()`.
"""

import os
import struct
import zlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson

from infra.sandbox.kernel.clock import iso_ms

_HEAD = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
_INDEX_EVERY = 256
_CHUNK_BYTES = 1 << 22


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One accepted change, or bookkeeping (`op` begins with `_`) that the history does not show.

    `before` and `after` hold only the changed fields of an update, the whole record of a create (`before` None) or delete (`after` None).
    `extra` is the system's own: whatever it needs beside before/after to rebuild its state from the journal alone.
    """

    at_ms: int
    actor: str
    op: str
    object: str
    id: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    request_id: str | None = None
    extra: Any = None

    @property
    def is_history(self) -> bool:
        return not self.op.startswith("_")


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


class Journal:
    """Durable entries in order. History lines are numbered 1, 2, 3 ... without gaps (local to this system)."""

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._fsync = fsync
        self._end = 0
        self._replayed = False
        self._index_n = array("q")  # history lines before the block ...
        self._index_at = array("q")  # ... that begins at this offset
        self.stamps = array("q")
        """`at_ms` of every history line; its length is the number of the last line."""

    @property
    def last_n(self) -> int:
        return len(self.stamps)

    def replay(self) -> Iterator[Entry]:
        """Yields every entry in order; at the end a torn tail is cut off and the journal takes appends."""
        for offset, payload in self._blocks(0, os.fstat(self._fd).st_size):
            entries = [_decode(item) for item in _items(payload)]
            self._note(offset, entries, offset + _HEAD.size + len(payload))
            yield from entries
        os.ftruncate(self._fd, self._end)
        self._replayed = True

    def append(self, entries: Sequence[Entry]) -> None:
        """Writes all entries as one block: after a crash either all of them are there or none. Raises OSError when the disk refuses."""
        if not self._replayed:
            raise RuntimeError("replay() the journal before appending to it")
        if not entries:
            return
        payload = bytearray()
        for entry in entries:
            data = _encode(entry)
            payload += _LENGTH.pack(len(data))
            payload += data
        block = _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        written = os.write(self._fd, block)
        if written != len(block):
            os.ftruncate(self._fd, self._end)
            raise OSError(f"journal: {written} of {len(block)} bytes written")
        if self._fsync:
            os.fsync(self._fd)
        self._note(self._end, entries, self._end + len(block))

    def history(self, after: int = 0, until: int | None = None) -> Iterator[tuple[int, Entry]]:
        """(number, entry) of the history lines `after < n <= until`, as they stood when the first one was asked for."""
        last = self.last_n if until is None else min(until, self.last_n)
        end = self._end
        if after >= last:
            return
        n, start = self._seek(after)
        for _, payload in self._blocks(start, end):
            for item in _items(payload):
                entry = _decode(item)
                if not entry.is_history:
                    continue
                n += 1
                if n > last:
                    return
                if n > after:
                    yield n, entry

    def close(self) -> None:
        os.close(self._fd)

    def _note(self, offset: int, entries: Sequence[Entry], end: int) -> None:
        if not self._index_n or self.last_n - self._index_n[-1] >= _INDEX_EVERY:
            self._index_n.append(self.last_n)
            self._index_at.append(offset)
        self.stamps.extend(entry.at_ms for entry in entries if entry.is_history)
        self._end = end

    def _seek(self, after: int) -> tuple[int, int]:
        low, high = 0, len(self._index_n) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._index_n[middle] <= after:
                low = middle
            else:
                high = middle - 1
        return self._index_n[low], self._index_at[low]

    def _blocks(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Whole, intact blocks from `start`; stops at the first torn one."""
        offset, buffer, base = start, b"", start
        while offset + _HEAD.size <= end:
            if offset + _HEAD.size > base + len(buffer):
                buffer, base = os.pread(self._fd, _CHUNK_BYTES, offset), offset
            length, crc = _HEAD.unpack_from(buffer, offset - base)
            first = offset + _HEAD.size
            if first + length > end:
                return
            if first + length > base + len(buffer):
                buffer, base = os.pread(self._fd, max(_CHUNK_BYTES, length + _HEAD.size), offset), offset
            payload = buffer[first - base : first - base + length]
            if len(payload) != length or zlib.crc32(payload) != crc:
                return
            yield offset, payload
            offset = first + length


def history_line(system: str, n: int, entry: Entry) -> bytes:
    """One NDJSON line of the history, with its newline. A change that the system made by a rule of its own within someone's call says
    so: `via` names the rule."""
    line: dict[str, Any] = {
        "n": n,
        "at": iso_ms(entry.at_ms),
        "system": system,
        "actor": entry.actor,
        "op": entry.op,
        "object": entry.object,
        "id": entry.id,
        "before": entry.before,
        "after": entry.after,
        "request_id": entry.request_id,
    }
    if isinstance(entry.extra, dict) and "via" in entry.extra:
        line["via"] = entry.extra["via"]
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _items(payload: bytes) -> Iterator[bytes]:
    at, end = 0, len(payload)
    while at < end:
        (length,) = _LENGTH.unpack_from(payload, at)
        at += _LENGTH.size
        yield payload[at : at + length]
        at += length
