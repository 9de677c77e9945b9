"""LIKE patterns (SOQL guide, comparison operators)."""

from __future__ import annotations

import re


def like_pattern(pattern: str) -> str:
    """A regular expression for a LIKE pattern over case-folded text; `%` any run, `_` one character, both escaped by a backslash."""
    out: list[str] = []
    i = 0
    while i < len(pattern):
        if pattern[i] == "\\" and i + 1 < len(pattern) and pattern[i + 1] in "%_":
            out.append(re.escape(pattern[i + 1]))
            i += 2
            continue
        out.append({"%": ".*", "_": "."}.get(pattern[i]) or re.escape(pattern[i].casefold()))
        i += 1
    return "".join(out)
