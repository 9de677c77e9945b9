"""The first copy, run by one worker of the fleet: its sources made from what is kept in step, its calls counted as its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import msgspec

from consumers.configuration.access import kafka_access
from consumers.configuration.mapping.registered import registry_of
from consumers.copy.backlog import Backlog
from consumers.copy.order import order
from consumers.copy.quote import Quote
from consumers.copy.running import Plan, Running
from consumers.copy.store import Copy, Store
from consumers.mapping.kind import Witness
from consumers.reconcile.gaps import polls
from consumers.worker.assembly.relaying import marketo_feed, member_fields, salesforce_fields
from consumers.worker.process.process import Process, Work
from consumers.worker.tools.opening import Tools
from consumers.worker.tools.watched import CallWatched, WaitWatched
from streams.budget.port import Budget
from streams.ground.clock import now_ms
from streams.marketo.api.resource import Interface, Resource
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.wire import Lead
from streams.marketo.sources.copy import SOURCE, ExtractSource, Part, by_creation, by_program
from streams.marketo.sources.copy_by_page import PeopleByPage
from streams.marketo.sources.decode import read_event
from streams.marketo.sources.feed import LeadFeed
from streams.marketo.sources.memberships import reading
from streams.relay.positions import PostgresPositions
from streams.relay.publisher import Publisher, kafka_producer
from streams.relay.relay import Relay
from streams.salesforce.api.bulk import BulkQueries
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.sources.copy import CopySource
from streams.wire.errors import Retry
from streams.wire.events import ChangeEvent, Source
from streams.wire.systems import MARKETO, PERSON, SALESFORCE, Object, System
from streams.wire.topics import change_topics

PURPOSE = "copy"
_PLACES_SECONDS = 2.0
Parts = Callable[[], Awaitable[Sequence[Part]]]


class Copying:
    """One process's part in it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def works(self) -> Mapping[str, Work]:
        """By role: what it does."""
        return {"copy": self._copy}

    async def _copy(self, tools: Tools, stop: asyncio.Event) -> None:
        store, sources = Store(tools.pool), Sources(tools, self._process)
        topics = change_topics([place for place in registry_of(tools.settings).objects if place in tools.terms.rules.places])
        backlog = Backlog(kafka_access(tools.settings), topics, tools.pool)

        async def plan(copy: Copy) -> Plan:
            await _positions_taken(tools, store)
            return Plan(steps=await sources.steps(copy.quote))

        running = Running(
            store, plan, partial(self._relay, tools), unjudged=backlog.count, owed=lambda: store.owed(now_ms()), now_ms=now_ms
        )  # fmt: skip
        self._process.troubles["copy"] = lambda: None  # the flow of changes doesn't hang on it; `tandem copy status` says what keeps it
        try:
            await running.run(tools.singleton, stop)
        finally:
            await backlog.close()

    def _relay(self, tools: Tools, source: Source) -> Relay:
        make = partial(kafka_producer, kafka_access(tools.settings))
        publisher = Publisher(make, keep_dead=tools.bury)
        return Relay(source, publisher, PostgresPositions(tools.pool), tools.singleton, watch=self._process.metrics)


async def _positions_taken(tools: Tools, store: Store) -> None:
    """Whatever changes from here on comes by the streams and the polls, however long the copy takes."""
    sorts = registry_of(tools.settings).sorts
    wanted = [obj for obj in tools.terms.rules.objects if not sorts[obj].entity.scope and tools.sight.is_open(SALESFORCE, obj)]
    left = await store.unplaced(sorted({name for some in polls(wanted).values() for name in some}))
    if left:
        raise Retry(f"the first copy begins once these have taken their positions: {', '.join(left)}", after_seconds=_PLACES_SECONDS)


class Sources:
    """The sources of a copy, kind by kind."""

    def __init__(self, tools: Tools, process: Process) -> None:
        self._tools, self._process = tools, process

    async def steps(self, quote: Quote) -> list[list[Source]]:
        """One after the other. Of a kind Marketo's come first: who is met needn't be looked for."""
        tools, registry = self._tools, registry_of(self._tools.settings)
        steps: list[list[Source]] = []
        for objects in order(tools.terms.rules.objects, registry):
            kind = registry.kind_of[objects[0]]
            theirs = MARKETO_SOURCES.get(_interface(kind.resource)) if kind.witness is Witness.FEED or kind.told else None
            if theirs is not None:
                steps.append([await theirs(self, kind.marketo, quote)])
            steps.append([self._salesforce(obj) for obj in objects if tools.sight.is_open(SALESFORCE, obj)])
        return [step for step in steps if step]

    def _salesforce(self, obj: Object) -> Source:
        tools = self._tools
        entity = registry_of(tools.settings).sorts[obj].entity
        return CopySource(
            BulkQueries(SalesforceRest(tools.session, self._budget(SALESFORCE))),
            entity,
            salesforce_fields(tools, obj),
            types=lambda: {name: facts.wire_type for name, facts in tools.describes.salesforce[obj].items()},
            visible=partial(tools.sight.visible, SALESFORCE, obj),
            unseen_fields=tools.sight.doubts,
            scope=tools.links.campaigns if entity.scope else None,
            money=tools.terms.rules.money,
        )

    async def people(self, obj: Object, quote: Quote) -> Source:
        """Marketo's people, as was said before the copy began: by extracts, or page by page."""
        rest = self._marketo()
        feed = await marketo_feed(self._tools, SOURCE)
        if any(part.by == "rest" for part in quote.parts if (part.system, part.object) == (MARKETO, obj)):
            paged = LeadFeed(rest, feed.decoding, visible=partial(self._tools.sight.visible, MARKETO, PERSON))
            return PeopleByPage(paged, quote.until_ms)

        async def parts() -> Sequence[Part]:
            return by_creation(quote.since_ms, quote.until_ms)

        def told(_: str, lead: Lead) -> ChangeEvent:
            return msgspec.structs.replace(read_event(lead), source=SOURCE)

        return self._extract(rest, obj, parts, told, key="id", types=feed.decoding.types)

    async def members(self, obj: Object, quote: Quote) -> Source:
        """Marketo's members of linked programs."""
        del quote  # linked programs are those of now
        tools = self._tools
        facts = tools.describes.of_marketo(obj)
        types = {"statusName": "string", **{name: facts[name].wire_type for name in member_fields(tools) if name in facts}}

        async def parts() -> Sequence[Part]:
            return by_program(sorted(await tools.links.programs()))

        def told(program: str, lead: Lead) -> ChangeEvent:
            return reading(obj, program, lead, SOURCE)

        return self._extract(self._marketo(), obj, parts, told, key="leadId", types=types)

    def _extract(
        self, rest: MarketoRest, obj: Object, parts: Parts, told: Callable[[str, Lead], ChangeEvent], *, key: str, types: Mapping[str, str]
    ) -> Source:  # fmt: skip
        sight = self._tools.sight
        visible = partial(sight.visible, MARKETO, obj)
        return ExtractSource(rest.bulk, obj, parts, key=key, types=types, reading=told, visible=visible, unseen_fields=sight.doubts)

    def _marketo(self) -> MarketoRest:
        return MarketoRest(self._tools.marketo_session, self._budget(MARKETO))

    def _budget(self, system: System) -> Budget:
        watch = self._process.metrics
        return CallWatched(WaitWatched(self._tools.budgets[system].for_purpose(PURPOSE), system, watch), system, PURPOSE, watch)


def _interface(resource: object) -> Interface | None:
    return resource.interface if isinstance(resource, Resource) else None


MARKETO_SOURCES: Mapping[Interface | None, Callable[[Sources, Object, Quote], Awaitable[Source]]] = {
    None: Sources.people,
    Interface.MEMBERS: Sources.members,
}
"""By how Marketo is asked for such records. Others are read in full by the polls (programs), or Marketo tells nothing of them."""
