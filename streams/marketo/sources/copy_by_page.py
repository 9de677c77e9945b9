"""The first copy of people page by page, where that takes fewer calls than extracts: every lead by its New Lead activity, 300 a call.

A lead without such an activity (Marketo keeps them for as long as the person) isn't found this way.
"""

from collections.abc import AsyncGenerator

import msgspec

from streams.budget.port import Lane
from streams.marketo.sources.copy import SOURCE, name_of
from streams.marketo.sources.decode import gather, read_event
from streams.marketo.sources.feed import BEGINNING_MS, LeadFeed, refused
from streams.marketo.sources.rows import Activity
from streams.wire.errors import Fatal, Reject
from streams.wire.events import Batch
from streams.wire.systems import PERSON


class WalkMark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The position: the token of the next page, and what it came to so far."""

    token: str = ""
    done: bool = False
    rows: int = 0
    calls: int = 0

    def text(self) -> str:
        """As saved."""
        return msgspec.json.encode(self).decode()


class PeopleByPage:
    """All people, once, as readings; ends behind the last. `until_ms`: who was created later (server's clock) comes by the feed."""

    def __init__(self, feed: LeadFeed, until_ms: int, *, lane: Lane = Lane.COPY) -> None:
        self.name = name_of(PERSON)
        self._feed, self._until_ms, self._lane = feed, until_ms, lane

    async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        """From `position` to the end."""
        mark = _mark(position, self.name)
        try:
            while not mark.done:
                batch, mark = await self._page(mark)
                yield batch
        except Reject as error:
            raise refused(self.name, error) from error
        yield Batch(events=[], position=mark.text(), caught_up=True)

    async def _page(self, mark: WalkMark) -> tuple[Batch, WalkMark]:
        rest, before = self._feed.rest, self._feed.rest.calls
        token = mark.token or (await rest.paging_token(BEGINNING_MS, self._lane)).token
        page = await rest.activities(token, [Activity.NEW_LEAD], self._lane)
        gathered = gather(page.rows, self._feed.decoding)
        ids = list(dict.fromkeys(rows[0].lead for rows in gathered.changes))
        leads = await self._feed.leads(ids, self._lane) if ids else {}
        late = any(rows[0].at > self._until_ms for rows in gathered.changes)
        mark = WalkMark(
            token=page.token, done=late or not page.more, rows=mark.rows + len(leads), calls=mark.calls + rest.calls - before
        )  # fmt: skip
        events = [msgspec.structs.replace(read_event(lead), source=SOURCE) for lead in leads.values()]
        return Batch(events=events, dead=gathered.dead, position=mark.text()), mark


def _mark(position: str | None, name: str) -> WalkMark:
    if position is None:
        return WalkMark()
    try:
        return msgspec.json.decode(position, type=WalkMark)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Fatal(f"the saved position of {name} can't be read: {error}.", remedy="Cancel this copy and start another one.") from None
