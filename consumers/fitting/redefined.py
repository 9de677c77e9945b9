"""Whether Salesforce's objects may have been given other fields since somebody asked last: a small call before rows are believed."""

from collections.abc import Callable
from email.utils import formatdate

from streams.budget.port import Lane
from streams.salesforce.api.rest import SalesforceRest

_SECOND_MS = 1_000
"""Salesforce tells the time of a definition to the second."""


class Definitions:
    """What was asked last, by API name. `server_ms`: Salesforce's clock, as its answers tell it (0: not yet)."""

    def __init__(self, rest: SalesforceRest, server_ms: Callable[[], int]) -> None:
        self._rest, self._server_ms = rest, server_ms
        self._begun_ms = server_ms()
        self._asked_ms: dict[str, int] = {}

    async def are_others(self, name: str) -> bool:
        """Whether the object may have other fields than when this was asked last, or than at the start. Raises as `describe` does."""
        since, now = self._asked_ms.get(name, self._begun_ms), self._server_ms()
        if not since:
            self._asked_ms[name] = now
            return False
        others = await self._rest.is_redefined(name, formatdate((since - _SECOND_MS) / 1000, usegmt=True), Lane.LIVE)
        self._asked_ms[name] = now
        return others
