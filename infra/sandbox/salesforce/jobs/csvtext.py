"""CSV as Bulk API 2.0 reads and writes it: quoted values, a chosen delimiter and line ending, `#N/A` for null."""

from __future__ import annotations

import csv
import io
import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from infra.sandbox.salesforce.wire.errors import ApiError

DELIMITERS = {"COMMA": ",", "SEMICOLON": ";", "TAB": "\t", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
NULL = "#N/A"
FIELD_CHARACTERS_MAX = 1 << 20


def rows_of(data: IO[bytes], delimiter: str) -> Iterator[list[str]]:
    """The rows of a file, header first. Raises ValueError for what is not UTF-8 or not CSV."""
    csv.field_size_limit(FIELD_CHARACTERS_MAX)
    data.seek(0)
    text = io.TextIOWrapper(data, encoding="utf-8-sig", newline="")
    try:
        for row in csv.reader(text, delimiter=DELIMITERS[delimiter], strict=True):
            if row:
                yield row
    except csv.Error as error:
        raise ValueError(str(error)) from None
    finally:
        text.detach()


def check_line_ending(data: IO[bytes], line_ending: str) -> None:
    """Raises `ApiError` for a file whose lines don't end as the job says (Bulk API guide, lineEnding)."""
    data.seek(0)
    first = data.readline()
    if first.endswith(b"\n") and first.endswith(b"\r\n") is not (line_ending == "CRLF"):
        raise ApiError(400, "ClientInputError", f"LineEnding is invalid on user data. Current LineEnding setting is {line_ending}")


def line_of(values: Iterable[str], delimiter: str, line_ending: str) -> bytes:
    """One line, every value in quotes."""
    parts = ('"' + value.replace('"', '""') + '"' for value in values)
    return (DELIMITERS[delimiter].join(parts) + LINE_ENDINGS[line_ending]).encode()


class Sheet:
    """Lines of CSV in a file, read again by row number. What was written is the kernel's when `add` returns: a killed process loses none
    of it."""

    def __init__(self, path: Path, columns: Iterable[str], delimiter: str, line_ending: str, *, rows: int = 0, size: int = 0) -> None:
        """`rows` and `size` say how much of the file that is there counts; the rest is cut off."""
        self._path = path
        self._delimiter, self._line_ending = delimiter, line_ending
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, size)
        self.size = size
        self._starts = _index(path, rows)
        self.header = line_of(columns, delimiter, line_ending)

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, rows: Iterable[Iterable[str]]) -> None:
        parts, size = [], self.size
        for row in rows:
            line = line_of(row, self._delimiter, self._line_ending)
            self._starts.append(size)
            size += len(line)
            parts.append(line)
        _write(self._file, b"".join(parts), self.size)
        self.size = size

    def read(self, first: int = 0, most: int | None = None) -> bytes:
        """The header and the rows from `first` on, at most so many."""
        end = len(self) if most is None else min(len(self), first + most)
        if first >= end:
            return self.header
        begin, stop = 0 if first == 0 else self._starts[first], self._starts[end] if end < len(self) else self.size
        return self.header + os.pread(self._file, stop - begin, begin)

    def keep_index(self) -> None:
        """Writes down where rows begin, for who opens the file again and reads it in pages."""
        _index_path(self._path).write_bytes(self._starts.tobytes())

    def close(self) -> None:
        os.close(self._file)

    def remove(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)
        _index_path(self._path).unlink(missing_ok=True)


def _index_path(path: Path) -> Path:
    return path.with_suffix(".index")


def _index(path: Path, rows: int) -> array[int]:
    """Where the rows begin; zeros for a sheet that is read as a whole only and kept no index."""
    kept = _index_path(path)
    if rows and kept.is_file():
        starts = array("q")
        starts.frombytes(kept.read_bytes())
        return starts[:rows]
    return array("q", bytes(8 * rows))


def _write(file: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written
