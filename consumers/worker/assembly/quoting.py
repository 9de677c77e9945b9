"""What a first copy would cost, asked of both systems with the tools of a worker."""

from functools import partial

from msgspec.structs import replace

from consumers.configuration.mapping.registered import registry_of
from consumers.copy.order import order
from consumers.copy.quote import Limits, Quote, quoted
from consumers.copy.rehearsal import Sampled, rehearsed
from consumers.copy.survey import marketo_parts, people_of, salesforce_parts
from consumers.settle.writers.salesforce.writer import SalesforceWriter
from consumers.worker.assembly.copying import PURPOSE
from consumers.worker.assembly.relaying import marketo_feed, salesforce_fields
from consumers.worker.process.process import Process
from consumers.worker.tools.opening import Tools
from consumers.worker.tools.watched import CallWatched
from streams.budget.port import Lane
from streams.ground.clock import now_ms
from streams.marketo.api.rest import MarketoRest
from streams.marketo.sources.copy import SOURCE
from streams.marketo.sources.decode import read_event
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.systems import MARKETO, PERSON, SALESFORCE


async def quote_of(tools: Tools, process: Process) -> Quote:
    """Asks for some dozens of calls, and writes nothing."""
    budgets = {
        system: CallWatched(budget.for_purpose(PURPOSE), system, PURPOSE, process.metrics) for system, budget in tools.budgets.items()
    }
    salesforce, marketo = SalesforceRest(tools.session, budgets[SALESFORCE]), MarketoRest(tools.marketo_session, budgets[MARKETO])
    registry, rules = registry_of(tools.settings), tools.terms.rules
    objects = [obj for objects in order(rules.objects, registry) for obj in objects if tools.sight.is_open(SALESFORCE, obj)]
    read = [(registry.sorts[obj].entity, tools.sight.visible(SALESFORCE, obj, salesforce_fields(tools, obj))) for obj in objects]
    parts = await salesforce_parts(salesforce, read, await tools.links.campaigns())
    feed = await marketo_feed(tools, SOURCE)
    people = await people_of(marketo, tools.sight.visible(MARKETO, PERSON, sorted(feed.decoding.types)))
    counts = {part.object: part.rows for part in parts}
    programs = sorted(await tools.links.programs())
    expected = sum(counts.get(obj, 0) for obj, mapping in rules.objects.items() if mapping.is_derived)
    members = {program: round(expected / len(programs)) for program in programs}
    known = await tools.ledger.states(MARKETO, PERSON, [lead.id for lead in people.sample])
    sampled = Sampled(
        people=[replace(read_event(lead), source=SOURCE) for lead in people.sample],
        count=people.count,
        salesforce=sum(counts.get(obj, 0) for obj in rules.people),
        in_step={state.marketo.id for state in known.values() if state.salesforce.id},
    )
    asking = SalesforceWriter(salesforce, rules, tools.sight.visible)
    matches = await rehearsed(sampled, tools.terms, partial(asking.candidates, lane=Lane.COPY), now_ms())
    others = sum(count for obj, count in counts.items() if obj not in {str(each) for each in rules.people})
    return quoted(
        [*parts, *marketo_parts(people, members)],
        matches,
        await _limits(tools, salesforce, marketo),
        others_to_marketo=others,
        since_ms=people.since_ms,
        until_ms=people.now_ms,
    )


async def _limits(tools: Tools, salesforce: SalesforceRest, marketo: MarketoRest) -> Limits:
    daily = (await salesforce.limits()).get("DailyApiRequests", {})
    ours, theirs = tools.settings.salesforce, tools.settings.marketo
    day = int(daily.get("Max", ours.calls_per_day))
    usage = await marketo.usage()
    others = max(0, usage.total - usage.users.get(tools.terms.identity.marketo_user or "", 0))
    kept = max(0, theirs.calls_per_day * theirs.others_percent // 100 - others)
    left = max(0, theirs.calls_per_day - kept - usage.total)
    return Limits(
        salesforce_left=int(daily.get("Remaining", day)), salesforce_day=day, marketo_left=left,
        marketo_day=theirs.calls_per_day * (100 - theirs.others_percent) // 100, marketo_second=theirs.calls_per_20_seconds / 20,
    )  # fmt: skip
