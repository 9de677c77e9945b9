"""CSV as Bulk API 2.0 reads and writes it: quoted values, a chosen delimiter and line ending, `#N/A` for null."""

from __future__ import annotations

import csv
import io
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from typing import IO

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


class Sheet:
    """Lines of CSV in a file that is gone with the process, read again by row number."""

    def __init__(self, columns: Iterable[str], delimiter: str, line_ending: str) -> None:
        self._delimiter = DELIMITERS[delimiter]
        self._end = LINE_ENDINGS[line_ending]
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`, or with the process
        self._size = 0
        self._starts = array("q")
        self.header = self._line(columns).encode()

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, rows: Iterable[Iterable[str]]) -> None:
        parts = []
        for row in rows:
            line = self._line(row).encode()
            self._starts.append(self._size)
            self._size += len(line)
            parts.append(line)
        self._file.seek(0, io.SEEK_END)
        self._file.write(b"".join(parts))

    def read(self, first: int = 0, most: int | None = None) -> bytes:
        """The header and the rows from `first` on, at most so many."""
        end = len(self) if most is None else min(len(self), first + most)
        if first >= end:
            return self.header
        begin, stop = self._starts[first], self._starts[end] if end < len(self) else self._size
        self._file.seek(begin)
        return self.header + self._file.read(stop - begin)

    def close(self) -> None:
        self._file.close()

    def _line(self, values: Iterable[str]) -> str:
        return self._delimiter.join('"' + value.replace('"', '""') + '"' for value in values) + self._end
