"""The words of a SOQL text, each with its place."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from infra.sandbox.salesforce.wire.errors import ApiError


class Sort(StrEnum):
    NAME = "name"
    STRING = "string"
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    SIGN = "sign"
    END = "end"


class Token(msgspec.Struct, frozen=True):
    """A word: `text` as written (strings decoded), `at` its offset in the source."""

    sort: Sort
    text: str
    at: int

    @property
    def word(self) -> str:
        """The upper-case word of a name, else nothing: for keywords."""
        return self.text.upper() if self.sort is Sort.NAME else ""


_PATTERN = re.compile(
    r"""(?P<space>\s+)
      | (?P<datetime>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2}))
      | (?P<date>\d{4}-\d{2}-\d{2})
      | (?P<number>[+-]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
      | (?P<string>'(?:[^'\\]|\\.)*')
      | (?P<sign><=|>=|!=|<>|[=<>(),:])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "b": "\b",
    "f": "\f",
    '"': '"',
    "'": "'",
    "\\": "\\",
    "N": "\n",
    "R": "\r",
    "T": "\t",
    "B": "\b",
    "F": "\f",
}


def tokenise(source: str) -> list[Token]:
    """All tokens and an END. Raises MALFORMED_QUERY at the first character that begins none."""
    found: list[Token] = []
    at = 0
    while at < len(source):
        match = _PATTERN.match(source, at)
        if match is None:
            raise malformed(source, at, f"unexpected token: '{source[at : at + 10].split(maxsplit=1)[0]}'")
        sort = match.lastgroup or "space"
        if sort == "string":
            found.append(Token(Sort.STRING, _decode(source, match.group()[1:-1], at), at))
        elif sort != "space":
            found.append(Token(Sort(sort), match.group(), at))
        at = match.end()
    found.append(Token(Sort.END, "", len(source)))
    return found


def _decode(source: str, raw: str, at: int) -> str:
    """The string between the quotes. `\\%` and `\\_` stay escaped: they mean something to LIKE (SOQL guide, quoted string escapes)."""
    if "\\" not in raw:
        return raw
    out: list[str] = []
    i = 0
    while i < len(raw):
        if raw[i] != "\\":
            out.append(raw[i])
            i += 1
            continue
        mark = raw[i + 1]
        if mark == "u" and re.fullmatch(r"[0-9A-Fa-f]{4}", raw[i + 2 : i + 6]):
            out.append(chr(int(raw[i + 2 : i + 6], 16)))
            i += 6
        elif mark in "%_":
            out.append("\\" + mark)
            i += 2
        elif mark in _ESCAPES:
            out.append(_ESCAPES[mark])
            i += 2
        else:
            raise malformed(source, at, f"Illegal escape sequence '\\{mark}' in string literal")
    return "".join(out)


def malformed(source: str, at: int, problem: str) -> ApiError:
    """A query that can't be read; shows the text around the place, the place and the problem."""
    return ApiError(400, "MALFORMED_QUERY", located(source, at, problem))


def located(source: str, at: int, problem: str) -> str:
    """Salesforce's picture of a place in a query: the text, a caret, `ERROR at Row:r:Column:c`, the problem."""
    before = source[:at]
    row = before.count("\n") + 1
    column = at - (before.rfind("\n") + 1)
    start = max(0, at - 30)
    excerpt = source[start : at + 40].replace("\n", " ")
    return f"\n{excerpt}\n{' ' * (at - start)}^\nERROR at Row:{row}:Column:{column + 1}\n{problem}"
