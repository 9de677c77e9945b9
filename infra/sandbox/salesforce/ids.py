"""Record ids: 15 case-sensitive characters plus three that carry the case of the first fifteen."""

from __future__ import annotations

import re

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
ORG_ID = "00D5f000000TdemEAC"
DUMMY_ID = "000000000000000AAA"
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
    digits = []
    for _ in range(9):
        number, rest = divmod(number, 62)
        digits.append(ALPHABET[rest])
    id15 = prefix + "5fA" + "".join(reversed(digits))
    return id15 + check_characters(id15)


def number_of(record_id: str) -> int:
    """The counter behind an id made by `make`."""
    number = 0
    for char in record_id[6:15]:
        number = number * 62 + ALPHABET.index(char)
    return number
