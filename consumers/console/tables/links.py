"""Where rows lead to."""

from typing import Any


def record_link(get: str = "pair") -> Any:
    """To the record whose pair this attribute of a row names."""
    return lambda row: f"/record/{getattr(row, get)}" if getattr(row, get) else ""


def listed_link(row: Any) -> str:
    """To the record of a row that was listed."""
    return f"/record/{row.listed.pair}"
