"""What somebody has paused: all else flows, and everybody sees by whom, and why."""

from collections.abc import Sequence
from typing import Any

from consumers.pauses.pauses import ALL, pauses_in
from consumers.troubles.trouble import Grade, Trouble


async def paused(connection: Any, _expected: object) -> Sequence[Trouble]:
    """One trouble for each system of which anything is paused, the oldest first."""
    found: dict[str, list[str]] = {}
    since: dict[str, int] = {}
    for each in pauses_in(await connection.fetch(ALL)):
        found.setdefault(each.system, []).append(str(each))
        since.setdefault(each.system, each.since_ms)
    return [
        Trouble(where=f"paused.{system}", what="; ".join(told), since_ms=since[system], grade=Grade.ATTENTION)
        for system, told in found.items()
    ]
