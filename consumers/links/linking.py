"""Linking a campaign with a program: refused unless both are there, free, and have the same statuses; and taking a link away again.

The order of effects of `link`: all questions; the link; a moment later, when all workers have heard of it, its pair, whose records are
read next; a gap of the members' poll, so that those of the campaign are read whole (those of the program are, since nobody has read them
yet). After a crash, the same link is asked for again. `unlink` forgets the pair of the campaign first, so
that no reading brings back a member that was forgotten; its members; the link; and, a moment later, the members that somebody was judging
meanwhile. Nothing is changed in either system. After a crash before the link is gone, it is asked for again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from consumers.ledger.port import Ledger, Pair, Taken
from consumers.links.links import ALL, HEARD_SECONDS, Backwards, Link, links_in
from consumers.mapping.fields import ObjectMapping
from consumers.merge.pair.state import NEVER, Field, PairState, Record, Side
from consumers.merge.terms import Terms
from consumers.reconcile.gaps import OPEN
from streams.budget.port import Lane
from streams.ground.database import away_is_retry
from streams.marketo.api.rest import MarketoRest
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.api.soql import any_of, select
from streams.salesforce.sources.poll import name_of
from streams.wire.errors import Cause, Reject
from streams.wire.systems import MARKETO, SALESFORCE, System, salesforce_id

PUT = """
insert into campaign_links (campaign, program, winner, backwards, linked_ms) values ($1, $2, $3, $4, $5)
on conflict (campaign) do update set winner = excluded.winner, backwards = excluded.backwards
    where campaign_links.program = excluded.program
"""
DROP = "delete from campaign_links where campaign = $1"
_MEMBERS = """
select id from pairs where marketo_object = 'member' and marketo_id collate "C" > $1 and marketo_id collate "C" < $2 limit $3
"""
_CHILDREN = "select child from relations where parent = any($1::text[]) limit $2"
_PAGE = 1_000
_NOT_KEPT = "Campaigns are not kept in step: Tandem's users can't see them, or the configuration leaves them out (`tandem check`)."
_NO_CAMPAIGN_ID = "is not the id of a campaign in Salesforce (15 or 18 letters and digits, it begins with 701)."
_NO_PROGRAM_ID = "is not the id of a program in Marketo: the number in its address, PG1234A1 is 1234."


class NotLinked(Exception):  # noqa: N818 - a case, not a failure: what was asked for can't be
    """Why not, and what to do: a sentence or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody asks to be linked."""

    campaign: str
    program: str
    winner: System = System.SALESFORCE
    backwards: Backwards = Backwards.REFUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Statuses:
    """The statuses of both, by name, in their order."""

    campaign: tuple[str, ...]
    program: tuple[str, ...]

    def missing(self) -> str:
        """What keeps them from being linked; empty: they match."""
        here = [each for each in self.program if each not in self.campaign]
        there = [each for each in self.campaign if each not in self.program]
        told = []
        if here:
            told.append(f"the campaign lacks {_listed(here)}: add {_them(here)} in Salesforce (campaign, Advanced Setup, member statuses)")
        if there:
            told.append(f"the program's channel lacks {_listed(there)}: add {_them(there)} in Marketo (Admin, Tags, Channel), or delete "
                        f"{_them(there)} from the campaign")  # fmt: skip
        return "; ".join(told)


class Linking:
    """Links campaigns and programs of one pair of systems."""

    def __init__(self, ledger: Ledger, pool: Any, salesforce: SalesforceRest, marketo: MarketoRest, terms: Terms) -> None:
        self._ledger, self._pool, self._salesforce, self._marketo, self._terms = ledger, pool, salesforce, marketo, terms
        self._sort = next((mapping for mapping in terms.rules.objects.values() if mapping.linked), None)

    async def look(self, asked: Asked) -> Asked:
        """Whether they can be linked: as asked, with ids in full. Nothing is changed. Raises as `link`."""
        if self._sort is None:
            raise NotLinked(_NOT_KEPT)
        return await self._checked(asked)

    async def link(self, asked: Asked, now_ms: int) -> Link:
        """Link them, or set anew how they are linked. Raises `NotLinked`, and what the adapters raise."""
        sort = self._sort
        if sort is None:
            raise NotLinked(_NOT_KEPT)
        asked = await self._checked(asked)
        made = Link(campaign=asked.campaign, program=asked.program, winner=asked.winner, backwards=asked.backwards, linked_ms=now_ms)
        pair = Pair(id=0, state=self._terms.with_due(_unread(sort, asked), now_ms), loaded=None)
        with away_is_retry("keep what is linked"):
            await self._pool.execute(PUT, made.campaign, made.program, made.winner.value, made.backwards.value, now_ms)
        await asyncio.sleep(HEARD_SECONDS)  # whoever judges its members knows who wins
        try:
            async with self._ledger.transaction() as tx:
                await tx.save([pair], now_ms)
        except Taken:
            pass  # it was linked before
        with away_is_retry("have its members read"):
            members = next(mapping for mapping in self._terms.rules.objects.values() if mapping.is_derived)
            why = f"campaign {made.campaign} was linked"
            await self._pool.execute(OPEN, name_of(members.object), str(members.object), 0, why, now_ms, Cause.SIGHT)
        return made

    async def unlink(self, campaign: str) -> tuple[Link, int]:
        """Take the link of this campaign, or of the program of this id, away; and how many members are kept in step no more."""
        found = next((each for each in await self.links() if campaign in (each.campaign, each.program)), None)
        if found is None:
            raise NotLinked(f"{campaign} is linked with nothing; `tandem links` lists what is.")
        async with self._ledger.transaction() as tx:
            pairs = await tx.by_record(SALESFORCE, self._sort.object if self._sort else "", [found.campaign])  # type: ignore[arg-type]
            await tx.remove([pair.id for pair in pairs.values()], for_good=True)
        count = await self._forget(found)
        with away_is_retry("keep what is linked"):
            await self._pool.execute(DROP, found.campaign)
        await asyncio.sleep(HEARD_SECONDS)  # who was judging a member when its campaign was forgotten has kept it by now
        await self._forget(found)
        return found, count

    async def links(self) -> tuple[Link, ...]:
        """All that are linked."""
        with away_is_retry("read what is linked"):
            return links_in(await self._pool.fetch(ALL))

    async def _forget(self, link: Link) -> int:
        """All pairs of its members; how many there were."""
        count = 0
        while ids := await self._of(link):
            async with self._ledger.transaction() as tx:
                await tx.remove(ids, for_good=True)
            count += len(ids)
        return count

    async def _of(self, link: Link) -> list[int]:
        """Pairs of members of a link: some of them, until there are none."""
        with away_is_retry("look for members"):
            rows = await self._pool.fetch(_MEMBERS, f"{link.program}.", f"{link.program}/", _PAGE)
            if not rows:
                rows = await self._pool.fetch(_CHILDREN, [link.campaign, f"program:{link.program}"], _PAGE)
        return [row[0] for row in rows]

    async def _checked(self, asked: Asked) -> Asked:
        """As asked, with ids in full. Raises `NotLinked`."""
        try:
            campaign = salesforce_id(asked.campaign)
        except ValueError:
            raise NotLinked(f"{asked.campaign!r} {_NO_CAMPAIGN_ID}") from None
        if not asked.program.isdecimal():
            raise NotLinked(f"{asked.program!r} {_NO_PROGRAM_ID}")
        for each in await self.links():
            if (each.campaign == campaign) != (each.program == asked.program):
                told = f"Campaign {each.campaign} is linked with program {each.program}; one goes with one."
                raise NotLinked(f"{told} `tandem unlink {each.campaign}` ends that.")
        statuses = await self._statuses(campaign, asked.program)
        if told := statuses.missing():
            raise NotLinked(
                f"The statuses of campaign {campaign} and program {asked.program} don't match by name: {told}. Nothing was linked."
            )
        return Asked(campaign=campaign, program=asked.program, winner=asked.winner, backwards=asked.backwards)

    async def _statuses(self, campaign: str, program: str) -> Statuses:
        try:
            known = await self._salesforce.page(select("Campaign", ["Id"], [any_of("Id", [campaign])]), Lane.LIVE)
            query = select("CampaignMemberStatus", ["Label"], [any_of("CampaignId", [campaign])], order=("SortOrder",))
            labels = await self._salesforce.page(query, Lane.LIVE)
        except Reject as error:
            raise NotLinked(f"Salesforce doesn't show campaigns and their statuses to Tandem's user: {error}") from error
        if not known.rows:
            raise NotLinked(
                f"Salesforce shows Tandem's user no campaign {campaign}: is it there, and does the user have the right to see it?"
            )
        steps = await self._marketo.programs.statuses(program)
        if steps is None:
            raise NotLinked(f"Marketo has no program {program} (the number in its address, PG1234A1 is 1234).")
        return Statuses(campaign=tuple(str(row["Label"]) for row in labels.rows), program=tuple(step.name for step in steps))


def _unread(sort: ObjectMapping, asked: Asked) -> PairState:
    """A pair of which nobody has seen either record."""
    fields = {item.key: Field(salesforce=Side(known=False, shows=NEVER), marketo=Side(known=False, shows=NEVER)) for item in sort.fields}
    state = PairState(object=sort.object, fields=fields, counterpart=sort.marketo)
    state = state.with_record(SALESFORCE, Record(id=asked.campaign, reread=True))
    return state.with_record(MARKETO, Record(id=asked.program, reread=True))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"“{each}”" for each in names)


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
