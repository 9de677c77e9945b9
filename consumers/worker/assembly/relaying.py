"""Sources onto topics: the live ones, and the polls that read after them, whose cycles and gaps are kept."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog

from consumers.configuration.access import kafka_access
from consumers.configuration.mapping.registered import registry_of
from consumers.configuration.settings import FirstCopy
from consumers.configuration.systems import marketo_settings
from consumers.intake.passing import hear
from consumers.reconcile import asked
from consumers.reconcile.confirmation import keeping, release
from consumers.reconcile.cycles import Cycle
from consumers.reconcile.gaps import polls
from consumers.reconcile.unseen import unseen_by
from consumers.worker.assembly.accounts import Accounts, poll_lag
from consumers.worker.assembly.channels import by_either_channel
from consumers.worker.process.process import Process, Work
from consumers.worker.tools.opening import Tools
from streams.ground.together import beside
from streams.marketo.sources.activities import NAME as ACTIVITIES
from streams.marketo.sources.activities import ActivitySource
from streams.marketo.sources.decode import Decoding, shown_names
from streams.marketo.sources.feed import LeadFeed
from streams.marketo.sources.memberships import Memberships
from streams.marketo.sources.pace import Pace
from streams.marketo.sources.poll import NAME as MARKETO_POLL
from streams.marketo.sources.poll import CycleReport as MarketoCycle
from streams.marketo.sources.poll import MarketoPollSource
from streams.marketo.sources.program_poll import NAME as PROGRAMS
from streams.marketo.sources.program_poll import ProgramPollSource
from streams.marketo.sources.push.hints import Hints
from streams.relay.positions import PostgresPositions
from streams.relay.publisher import Publisher, kafka_producer
from streams.relay.relay import Relay
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.access.settings import Protocol
from streams.salesforce.sources.arrivals import Connect
from streams.salesforce.sources.cdc import CdcSource
from streams.salesforce.sources.cycles import CycleReport as SalesforceCycle
from streams.salesforce.sources.poll import PollSource, name_of
from streams.wire.events import Source
from streams.wire.systems import CREATED_FIELD, MARKETO, PERSON, SALESFORCE, Object, System

_SIDES_SECONDS = 12.0
"""Deletions in Marketo are asked for this far apart at the least."""
_log = structlog.get_logger(__name__)


class Relaying:
    """The sources of one process."""

    def __init__(self, process: Process, flooded: Callable[[System], bool], objects: Sequence[Object]) -> None:
        """`flooded`: whether full calls to a system follow each other. `objects`: those of Salesforce that are kept in step."""
        self._process, self._flooded, self._objects = process, flooded, objects
        self._accounts = Accounts(process.metrics)

    def sources(self) -> tuple[str, ...]:
        """The names of all sources that there are, whoever carries them."""
        return (CdcSource.name, ACTIVITIES, PROGRAMS, *(poll for some in polls(self._objects).values() for poll in some))

    def live(self) -> Mapping[str, Work]:
        """By role: the sources that tell of changes as they happen."""
        return {"relay.salesforce": self._cdc, "relay.marketo": self._activities}

    def polls(self) -> Mapping[str, Work]:
        """By role: the sources that ask for changes every few minutes."""
        polls: dict[str, Work] = {f"reconcile.{obj}": partial(self._poll_salesforce, obj) for obj in self._objects}
        return {**polls, f"reconcile.{PERSON}": self._poll_marketo, "reconcile.programs": self._poll_programs}

    async def _cdc(self, tools: Tools, stop: asyncio.Event) -> None:
        await by_either_channel(tools, partial(self._followed, tools), stop)

    async def _followed(self, tools: Tools, session: Session, stop: asyncio.Event) -> None:
        known = registry_of(tools.settings).sorts
        source = CdcSource(
            session,
            entities=[known[obj].entity for obj in tools.terms.rules.objects if known[obj].entity.stream],
            fields=_visible_fields(tools),
            drifted=tools.sight.noticed,
            money=tools.terms.rules.money,
            connect=_connect(tools, session),
            changes_channel=tools.settings.salesforce.quiet_channel is not None,
        )
        await self.carry("relay.salesforce", source, tools, stop)

    async def _activities(self, tools: Tools, stop: asyncio.Event) -> None:
        intervals = tools.settings.intervals
        pace = Pace(
            min_seconds=intervals.activities_min_seconds,
            max_seconds=intervals.activities_max_seconds,
            calls_per_day_max=tools.settings.marketo.polling_calls_per_day,
        )
        feed, flooded = await marketo_feed(tools, "activities"), partial(self._flooded, MARKETO)
        pushes = tools.settings.pushes
        hints = Hints(quiet_seconds=pushes.quiet_seconds) if pushes.told else None
        source = ActivitySource(feed, pace=pace, side_seconds=_SIDES_SECONDS, flooded=flooded, hints=hints)
        carried = self.carry("relay.marketo", source, tools, stop)
        await (carried if hints is None else beside(carried, hear(tools.settings.postgres.dsn.reveal(), hints, stop)))

    async def _poll_salesforce(self, obj: Object, tools: Tools, stop: asyncio.Event) -> None:
        if obj not in tools.terms.rules.objects:
            _log.warning("a sort of record is left out, since Tandem's users can't see it; `tandem check` says more", object=obj)
            await stop.wait()
            return

        async def report(cycle: SalesforceCycle) -> None:
            await self._accounts.keep(tools, account, cycle, covered=cycle.covered)

        async def redefined() -> bool:
            return await tools.sight.is_other(redefined=await tools.definitions.are_others(tools.terms.rules.objects[obj].api_name))

        intervals, entity = tools.settings.intervals, registry_of(tools.settings).sorts[obj].entity
        described = tools.describes.of(SALESFORCE, obj)
        account = self._accounts.of(
            tools, name_of(obj), obj, SALESFORCE, stream=CdcSource.name if entity.stream else "",
            untold=[name for name, facts in described.items() if facts.calculated],
        )  # fmt: skip
        source = PollSource(
            tools.salesforce,
            entity,
            salesforce_fields(tools, obj),
            interval_seconds=intervals.poll_seconds,
            lag_seconds=poll_lag(intervals.poll_seconds),
            overlap_seconds=intervals.overlap_seconds,
            unseen=account.unseen,
            report=report,
            on_brake=keeping(tools.pool, obj),
            visible=partial(tools.sight.visible, SALESFORCE, obj),
            unseen_fields=tools.sight.doubts,
            is_open=partial(tools.sight.is_open, SALESFORCE, obj),
            redefined=redefined,
            scope=tools.links.campaigns if entity.scope else None,
            money=tools.terms.rules.money,
            from_now=is_asked(tools) and not entity.scope,
        )
        polling = self._polled(f"reconcile.{obj}", source, tools, stop)
        await beside(polling, release(tools.pool, obj, source, stop), account.run(stop))

    async def _poll_marketo(self, tools: Tools, stop: asyncio.Event) -> None:
        reports: asyncio.Queue[MarketoCycle] = asyncio.Queue()

        async def keep() -> None:
            while True:
                cycle = await reports.get()
                await self._accounts.keep(tools, account, cycle, covered=cycle.covered)

        intervals = tools.settings.intervals
        account = self._accounts.of(tools, MARKETO_POLL, PERSON, MARKETO, stream=ACTIVITIES)
        source = MarketoPollSource(
            await marketo_feed(tools, "poll"),
            unseen=account.unseen,
            interval_seconds=intervals.poll_seconds,
            lag_seconds=poll_lag(intervals.poll_seconds),
            overlap_seconds=round(max(intervals.overlap_seconds, 60)),
            report=reports.put_nowait,
            live_behind=tools.feed_lag.behind,
            from_now=is_asked(tools),
        )
        await beside(self._polled(f"reconcile.{PERSON}", source, tools, stop), keep(), account.run(stop))

    async def _poll_programs(self, tools: Tools, stop: asyncio.Event) -> None:
        memberships = _memberships(tools)
        if memberships is None:
            await stop.wait()
            return

        linked = next(mapping for mapping in tools.terms.rules.objects.values() if mapping.linked)
        account = self._accounts.of(tools, PROGRAMS, linked.marketo, MARKETO, stream="")
        reports: asyncio.Queue[Cycle] = asyncio.Queue()

        def report(read: int, relayed: int, calls: int, seconds: float) -> None:
            cycle = Cycle(read=read, known=read - relayed, relayed=relayed, calls=calls, seconds=seconds)
            reports.put_nowait(cycle)
            _log.info("marketo.program_cycle", read=read, relayed=relayed, calls=calls, seconds=round(seconds, 3))

        async def keep() -> None:
            while True:
                await self._accounts.keep(tools, account, await reports.get())

        intervals = tools.settings.intervals
        source = ProgramPollSource(
            tools.marketo.programs,
            memberships,
            linked.marketo,
            unseen=account.unseen,
            known=tools.links.members,
            interval_seconds=intervals.poll_seconds,
            overlap_seconds=max(intervals.overlap_seconds, 60),
            calls_per_day_max=tools.settings.marketo.program_calls_per_day,
            report=report,
        )
        await beside(self.carry("reconcile.programs", source, tools, stop), keep(), account.run(stop), asked.hear(tools.pool, source, stop))

    async def _polled(self, role: str, source: PollSource | MarketoPollSource, tools: Tools, stop: asyncio.Event) -> None:
        await beside(self.carry(role, source, tools, stop), tools.gaps.tell(source, stop), asked.hear(tools.pool, source, stop))

    async def carry(self, role: str, source: Source, tools: Tools, stop: asyncio.Event) -> None:
        """A source onto its topics, until told to stop."""
        make = partial(kafka_producer, kafka_access(tools.settings))
        publisher = Publisher(make, keep_dead=tools.bury)
        relay = Relay(source, publisher, PostgresPositions(tools.pool), tools.singleton, watch=self._process.metrics)
        self._process.troubles[role] = relay.trouble
        await relay.run(stop)


def is_asked(tools: Tools) -> bool:
    """Whether what was there before Tandem waits for somebody to ask for a first copy."""
    return tools.settings.first_copy is FirstCopy.ASKED


def salesforce_fields(tools: Tools, obj: Object) -> Sequence[str]:
    """The fields of an object that are read in Salesforce."""
    rules = tools.terms.rules
    mapped = (field.salesforce for field in rules.objects[obj].fields if field.salesforce)
    key = [rules.links.salesforce_key] if rules.objects[obj].is_person else []
    money = rules.money.read_with(obj) if rules.money else ()
    return sorted({CREATED_FIELD[SALESFORCE], *money, *key, *mapped})


def _connect(tools: Tools, session: Session) -> Connect | None:
    """The protocol of the stream; None: CometD."""
    if tools.settings.salesforce.stream is Protocol.COMETD:
        return None
    from streams.salesforce.sources.pubsub.client import PubSub  # noqa: PLC0415 - gRPC takes memory that others need not pay for

    return PubSub(session).client


def _visible_fields(tools: Tools) -> Callable[[], Mapping[Object, frozenset[str]]]:
    """By object that can be seen, the fields that are read at the moment: worked out anew when something else is left out. The stream
    itself goes on telling of an object that is hidden until it is opened anew."""
    wanted = {obj: salesforce_fields(tools, obj) for obj in tools.terms.rules.objects}
    told: dict[int, Mapping[Object, frozenset[str]]] = {}
    open_ = partial(tools.sight.is_open, SALESFORCE)

    def visible() -> Mapping[Object, frozenset[str]]:
        number = tools.sight.number
        if number not in told:
            told.clear()
            told[number] = {obj: frozenset(tools.sight.visible(SALESFORCE, obj, names)) for obj, names in wanted.items() if open_(obj)}
        return told[number]

    return visible


async def marketo_feed(tools: Tools, source: str) -> LeadFeed:
    """The leads' feed with every mapped field that this instance has."""
    marketo = tools.describes.marketo
    names = {field.marketo for mapping in tools.terms.rules.people.values() for field in mapping.fields if field.marketo in marketo}
    if tools.terms.rules.links.stamp:
        names.add(tools.terms.rules.links.stamp)
    types: Mapping[str, str] = {CREATED_FIELD[MARKETO]: "datetime", **{name: marketo[name].wire_type for name in sorted(names)}}
    own = None if tools.terms.identity.stamp else tools.terms.identity.marketo_user
    zone = marketo_settings(tools.settings).zone
    shown = shown_names(await tools.marketo.describe(), types)
    decoding = Decoding(source=source, types=types, zone=zone, own_user=own, shown=shown)
    visible = partial(tools.sight.visible, MARKETO, PERSON)
    return LeadFeed(tools.marketo, decoding, visible=visible, unseen_fields=tools.sight.doubts, memberships=_memberships(tools))


def member_fields(tools: Tools) -> list[str]:
    """The fields of a member that are read in Marketo, beside what names it."""
    derived = (mapping for mapping in tools.terms.rules.objects.values() if mapping.is_derived)
    return sorted({item.marketo for mapping in derived for item in mapping.fields if item.marketo and not item.fixed})


def _memberships(tools: Tools) -> Memberships | None:
    """Who is in linked programs; None where they are not kept in step."""
    mapping = next((each for each in tools.terms.rules.objects.values() if each.is_derived), None)
    if mapping is None:
        return None
    names, obj = member_fields(tools), mapping.marketo
    return Memberships(
        tools.marketo.programs,
        obj,
        lambda: tools.sight.visible(MARKETO, obj, names),
        linked=tools.links.programs,
        unseen=unseen_by(tools.ledger, tools.terms),
        heirs=tools.links.heirs,
    )
