"""Waiting for both systems to agree and for Tandem to come to rest; never for a time alone."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from infra.demo.checker.comparison import Compared, compare
from infra.demo.checker.history import Mirror
from infra.demo.checker.table import MARKETO, SALESFORCE
from infra.demo.checker.told import add_told
from infra.demo.scenario.systems import Systems
from infra.demo.telling import Teller

LOOK_SECONDS = 0.5
SILENT_SECONDS = 1.0
_LAG = re.compile(r"^tandem_lag_events\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)
_SAMPLE = 5


class NotInStepError(Exception):
    """The systems did not come to agree in time; the message says what is missing and what Tandem says about itself."""


class Waiting:
    """Follows both histories, and asks Tandem what it still has to do. `rests`: when (ms) everything agreed and nothing was under way."""

    def __init__(self, systems: Systems, mirror: Mirror, tandem_url: Callable[[], str], teller: Teller) -> None:
        self._systems, self._mirror, self._tandem_url, self._teller = systems, mirror, tandem_url, teller
        self.rests: list[int] = []
        self.compared = Compared()
        self._changed_at = 0.0

    async def follow(self) -> Compared:
        """Takes in what has happened since, and compares what both systems hold."""
        if self._mirror.take(await self._systems.history(self._mirror.last_n)):
            self._changed_at = time.monotonic()
            self.compared = compare(self._mirror.live[SALESFORCE], self._mirror.live[MARKETO])
            add_told(self._mirror, self.compared)
        return self.compared

    async def rest(self, *, within_seconds: float) -> None:
        """Returns when all people are equal on both sides, no history moves and Tandem has nothing to do. Raises NotInStepError."""
        deadline = time.monotonic() + within_seconds
        while True:
            compared = await self.follow()
            open_count = len(compared.differences) + len(compared.duplicates)
            self._teller.now(
                f"{len(compared.pairs)} pairs, {open_count} differences" if open_count else f"{len(compared.pairs)} pairs in step"
            )
            busy = "" if open_count else await self._busy()
            if not open_count and not busy and time.monotonic() - self._changed_at >= SILENT_SECONDS:
                self.rests.append(round(time.time() * 1000))
                return
            if time.monotonic() > deadline:
                raise NotInStepError(_complaint(compared, busy or await self._busy(), within_seconds))
            await asyncio.sleep(LOOK_SECONDS)

    async def _busy(self) -> str:
        """What Tandem says it has yet to do; nothing when it is at rest."""
        try:
            status, metrics = await self._page("status.json"), await self._page("metrics")
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"Tandem's page does not answer ({type(error).__name__})"
        due = [f"{row['due']} {row['what']}s due in {row['system']}" for row in status.get("due", ()) if row["due"]]
        lag = sum(float(each) for each in _LAG.findall(metrics))
        return ", ".join([*due, *([f"{lag:.0f} events not judged"] if lag else []), *([] if status.get("open", True) else ["not open"])])

    async def _page(self, name: str) -> Any:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http,
            http.get(f"{self._tandem_url()}/{name}") as answer,
        ):
            return await (answer.json() if name.endswith(".json") else answer.text())


def _complaint(compared: Compared, busy: str, seconds: float) -> str:
    wrong = [*compared.duplicates, *compared.differences]
    shown = "; ".join(
        " ".join(
            filter(None, [each.object, each.salesforce_id, each.marketo_id, each.field, each.what, _values(each.salesforce, each.marketo)])
        )
        for each in wrong[:_SAMPLE]
    )
    return f"not in step after {seconds:.0f} s: {len(wrong)} differences ({shown or 'none'}); Tandem: {busy or 'nothing to do'}"


def _values(salesforce: object, marketo: object) -> str:
    return "" if salesforce is None and marketo is None else f"({str(salesforce)[:40]!r} / {str(marketo)[:40]!r})"
