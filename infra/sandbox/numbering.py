"""One durable numbering over the histories of both systems, in the order in which the gateway learnt of their lines.

A file of fixed records `<Bq`: which system, its own line number. The n-th record is the merged history's line n. Only lines that a system
has written for good are ever numbered, so a restart finds nothing to take back; a torn record at the end is cut off and numbered anew.
"""

import heapq
import os
import struct
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

_RECORD = struct.Struct("<Bq")


class Numbering:
    """`systems` in an order that must not change over the life of the file (new ones at the end)."""

    def __init__(self, path: Path, systems: Sequence[str]) -> None:
        self._systems = list(systems)
        self._numbers = [array("q") for _ in systems]
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._last = 0
        size = os.fstat(self._fd).st_size // _RECORD.size * _RECORD.size
        os.ftruncate(self._fd, size)
        for system, local in _RECORD.iter_unpack(os.pread(self._fd, size, 0) if size else b""):
            self._last += 1
            self._note(system, local)

    @property
    def last(self) -> int:
        return self._last

    def known(self, system: str) -> int:
        """How many lines of the system are numbered."""
        return len(self._numbers[self._systems.index(system)])

    def number(self, system: str, local: int) -> int:
        """The merged number of a system's line."""
        return self._numbers[self._systems.index(system)][local - 1]

    def first_after(self, system: str, after: int) -> int:
        """How many of the system's lines have a merged number of at most `after`: the local number after which to read."""
        numbers = self._numbers[self._systems.index(system)]
        low, high = 0, len(numbers)
        while low < high:
            middle = (low + high) // 2
            if numbers[middle] <= after:
                low = middle + 1
            else:
                high = middle
        return low

    def extend(self, tails: Mapping[str, Sequence[int]]) -> None:
        """Numbers the lines that came since: per system the times of its lines after `known`, which decide the order among the new ones."""
        runs = [
            [(at, index, self.known(system) + offset) for offset, at in enumerate(tails[system], start=1)]
            for index, system in enumerate(self._systems)
            if tails.get(system)
        ]
        records = bytearray()
        for _, index, local in heapq.merge(*(_monotonic(run) for run in runs)):
            records += _RECORD.pack(index, local)
        os.write(self._fd, records)
        for system, local in _RECORD.iter_unpack(records):
            self._last += 1
            self._note(system, local)

    def close(self) -> None:
        os.close(self._fd)

    def _note(self, system: int, local: int) -> None:
        numbers = self._numbers[system]
        if local != len(numbers) + 1:
            raise ValueError(f"numbering: line {local} of {self._systems[system]} follows line {len(numbers)}")
        numbers.append(self._last)


def _monotonic(run: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Times lifted so that they never fall: a system's own order stands whatever its clock did."""
    lifted, latest = [], 0
    for at, index, local in run:
        latest = max(latest, at)
        lifted.append((latest, index, local))
    return lifted
