"""One step along Marketo's activity log: a page of rows, the leads re-read that it calls for, the events."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from streams.budget.port import Lane
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.wire import Lead, Page
from streams.marketo.sources.decode import Decoding, events, gather, to_read
from streams.marketo.sources.memberships import Memberships
from streams.marketo.sources.rows import FEED, MEMBERS, Row, date
from streams.wire.errors import Fatal, Reject
from streams.wire.events import ChangeEvent, DeadLetter

CHANGES_RETENTION_MS = 90 * 86_400_000
"""Changed values are kept for 90 days, New Lead for ever (Marketo knowledge base, activity retention)."""
DELETIONS_RETENTION_MS = 14 * 86_400_000
"""Deletions may be gone after 14 days (Marketo, Get Deleted Leads)."""
BEGINNING_MS = 1_167_609_600_000
"""1 January 2007: no instance is older (Marketo, CRM synchronization white paper)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one page became. `rows`: changes of interest in it; `own`: share of them that is ours; `last_ms`: date of its last row of
    any type, 0 when it has none; `others`: the leads whom others than ourselves changed."""

    events: list[ChangeEvent]
    dead: list[DeadLetter] = field(default_factory=list)
    token: str
    more: bool
    at: int
    rows: int
    own: float
    last_ms: int
    others: frozenset[str] = frozenset()


class LeadFeed:
    """Reads the two feeds of a lead: what happened to it (new, changed, merged) in one walk along the activity log, and deletions.

    A page costs a call whatever it holds, and Marketo walks through blocks of all activities whatever is asked for, so one walk for
    three types is cheaper than `leadchanges.json` with its filter by field beside another walk for merges, unless a third of all
    activities are changes of fields that are not mapped.
    """

    def __init__(
        self,
        rest: MarketoRest,
        decoding: Decoding,
        *,
        visible: Callable[[Iterable[str]], list[str]] = list,
        unseen_fields: Callable[[Reject], Awaitable[bool]] | None = None,
        memberships: Memberships | None = None,
    ) -> None:
        """`memberships`: of programs, where the walk is to bring those, too.

        `visible`: those of some fields that can be read now; `unseen_fields`, of a reading that was refused, whether that has become
        fewer."""
        self.rest = rest
        self.decoding = decoding
        self._names, self._visible, self._unseen_fields = sorted(decoding.types), visible, unseen_fields
        self._memberships = memberships

    async def walk(self, token: str, lane: Lane) -> Page:
        """One page of changed values, new leads and merges, as it is."""
        more = MEMBERS if self._memberships is not None and await self._memberships.linked() else ()
        return await self.rest.activities(token, (*FEED, *more), lane)

    async def members(self, page: Page, lane: Lane) -> list[ChangeEvent]:
        """Of members of programs: what a page calls for."""
        return await self._memberships.told(page.rows, page.at, lane) if self._memberships is not None else []

    async def deletions(self, token: str, lane: Lane) -> Page:
        """One page of deleted leads, as it is."""
        return await self.rest.deleted_leads(token, lane)

    async def typed(self, changes: Sequence[tuple[Row, ...]], lane: Lane) -> list[ChangeEvent]:
        """The events of these changes, with the leads read again that they call for."""
        wanted = to_read(changes, self.decoding)
        leads = await self.leads(wanted, lane) if wanted else {}
        return events(changes, leads, self.decoding)

    async def leads(self, ids: Sequence[str], lane: Lane) -> dict[str, Lead]:
        """The leads of interest with every field that can be read."""
        try:
            return await self.rest.read(ids, self._visible(self._names), lane)
        except Reject as error:
            if self._unseen_fields is None or not await self._unseen_fields(error):
                raise
        return await self.rest.read(ids, self._visible(self._names), lane)

    async def step(self, page: Page, lane: Lane) -> Step:
        """The page put in order and typed."""
        gathered = gather(page.rows, self.decoding)
        changes = gathered.changes
        return Step(
            events=[*await self.typed(changes, lane), *await self.members(page, lane)],
            dead=gathered.dead,
            token=page.token,
            more=page.more,
            at=page.at,
            rows=len(changes),
            own=sum(self.decoding.owns(rows[0]) for rows in changes) / len(changes) if changes else 0.0,
            last_ms=date(page.rows[-1]) if page.rows else 0,
            others=frozenset(rows[0].lead for rows in changes if not self.decoding.owns(rows[0])),
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
