"""One step along Marketo's activity log: a page of rows, the leads re-read that it calls for, the events."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.budget import Lane
from streams.errors import Fatal, Reject
from streams.events import ChangeEvent, DeadLetter
from streams.marketo.decode import Decoding, events, gather, to_read
from streams.marketo.rest import MarketoRest
from streams.marketo.rows import Activity, Row
from streams.marketo.wire import Page

CHANGES_RETENTION_MS = 90 * 86_400_000
"""Changed values are kept for 90 days, New Lead for ever (Marketo knowledge base, activity retention)."""
DELETIONS_RETENTION_MS = 14 * 86_400_000
"""Deletions may be gone after 14 days (Marketo, Get Deleted Leads)."""
BEGINNING_MS = 1_167_609_600_000
"""1 January 2007: no instance is older (Marketo, CRM synchronization white paper)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one page became. `last_ms`: date of its youngest row, 0 when it has none; `own`: share of changes that are ours."""

    events: list[ChangeEvent]
    dead: list[DeadLetter] = field(default_factory=list)
    token: str
    more: bool
    at: int
    rows: int
    own: float
    last_ms: int


class LeadFeed:
    """Reads the three feeds of a lead: changes (with new leads), deletions, merges."""

    def __init__(self, rest: MarketoRest, decoding: Decoding) -> None:
        self.rest = rest
        self.decoding = decoding
        self.fields = sorted(decoding.types)

    async def changes(self, token: str, lane: Lane) -> Step:
        """One page of changed values and new leads, typed."""
        return await self._step(await self.rest.lead_changes(token, self.fields, lane), lane)

    async def deletions(self, token: str, lane: Lane) -> Step:
        """One page of deleted leads."""
        return await self._step(await self.rest.deleted_leads(token, lane), lane)

    async def merges(self, token: str, lane: Lane) -> Step:
        """One page of merges."""
        return await self._step(await self.rest.activities(token, [Activity.MERGED], lane), lane)

    async def typed(self, changes: Sequence[tuple[Row, ...]], lane: Lane) -> list[ChangeEvent]:
        """The events of these changes, with the leads read again that they call for."""
        wanted = to_read(changes, self.decoding)
        leads = await self.rest.read(wanted, self.fields, lane) if wanted else {}
        return events(changes, leads, self.decoding)

    async def _step(self, page: Page, lane: Lane) -> Step:
        gathered = gather(page.rows, self.decoding)
        changes = gathered.changes
        return Step(
            events=await self.typed(changes, lane),
            dead=gathered.dead,
            token=page.token,
            more=page.more,
            at=page.at,
            rows=len(page.rows),
            own=sum(self.decoding.owns(rows[0]) for rows in changes) / len(changes) if changes else 0.0,
            last_ms=max((rows[0].at for rows in changes), default=0),
        )


def refused(name: str, error: Reject) -> Fatal:
    """A feed that Marketo refuses (a field that is gone, a permission) does not heal by itself."""
    return Fatal(
        f"{name} is refused: {error}.", remedy="Check that every mapped field exists in Marketo and that the API user may read activities."
    )


def token_lost(error: Reject) -> bool:
    """Whether a refusal is about the paging token (Marketo names no code for it: 1003 or 7xx, with the token in the message)."""
    words = str(error).casefold()
    return "token" in words and "access" not in words
