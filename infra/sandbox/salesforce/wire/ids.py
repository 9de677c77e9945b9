"""Record ids: 15 case-sensitive characters plus three that carry the case of the first fifteen."""

from __future__ import annotations

import functools
import re

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
ORG_ID = "00D5f000000TdemEAC"
DUMMY_ID = "000000000000000AAA"
_VALUES = {char: value for value, char in enumerate(ALPHABET)}
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def check_characters(id15: str) -> str:
    """The three last characters of an 18-character id; each tells which of five characters are upper case."""
    out = []
    for start in (0, 5, 10):
        bits = 0
        for i, char in enumerate(id15[start : start + 5]):
            if "A" <= char <= "Z":
                bits |= 1 << i
        out.append(CHECK[bits])
    return "".join(out)


def well_formed(value: object) -> bool:
    """Whether the value has the shape of a 15- or 18-character id (the check characters are not compared)."""
    return isinstance(value, str) and _SHAPE.fullmatch(value) is not None


def normalise(value: str) -> str:
    """The 18-character form of a well-formed id. The case of an 18-character one is restored from its check characters."""
    if len(value) == 15:
        return value + check_characters(value)
    suffix = value[15:].upper()
    if check_characters(value[:15]) == suffix:
        return value[:15] + suffix
    return _restore_case(value[:15], suffix)


def _restore_case(body: str, suffix: str) -> str:
    out = []
    for start, mark in zip((0, 5, 10), suffix, strict=True):
        bits = CHECK.find(mark)
        for i, char in enumerate(body[start : start + 5]):
            out.append(char.upper() if bits >> i & 1 else char.lower())
    return "".join(out) + suffix


def make(prefix: str, number: int) -> str:
    """The id of the n-th record of the type with that key prefix; later numbers sort after earlier ones."""
    high, low = divmod(number, 62**5)
    head, marks = _head(prefix, high)
    tail = _digits(low, 5)
    bits = sum(1 << i for i, char in enumerate(tail) if "A" <= char <= "Z")
    return head + tail + marks + CHECK[bits]


@functools.lru_cache(maxsize=256)
def _head(prefix: str, high: int) -> tuple[str, str]:
    """The first ten characters of an id and their two check characters."""
    head = prefix + "5fA" + _digits(high, 4)
    return head, check_characters(head + "00000")[:2]


def _digits(number: int, width: int) -> str:
    out = ""
    for _ in range(width):
        number, rest = divmod(number, 62)
        out = ALPHABET[rest] + out
    return out


def number_of(record_id: str) -> int:
    """The counter behind an id made by `make`."""
    number = 0
    for char in record_id[6:15]:
        number = number * 62 + _VALUES[char]
    return number
