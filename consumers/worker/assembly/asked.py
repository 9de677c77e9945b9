"""What people ask for by flow steps and commands: done in Salesforce by one worker of the fleet; asked for, and told of, over HTTP."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from consumers.configuration.loading import Settings
from consumers.configuration.systems import marketo_settings
from consumers.errands.actions.calling import Action, Calling
from consumers.errands.actions.conversions import Conversions
from consumers.errands.actions.members import Members
from consumers.errands.actions.owners import Owners
from consumers.errands.actions.tasks import Tasks
from consumers.errands.carrying import Carrying
from consumers.errands.directory import Directory
from consumers.errands.errand import AddToCampaign, ChangeOwner, Convert, CreateTask, Done, Errand, Outcome, What, what_of
from consumers.errands.introducing import Introductions
from consumers.errands.retelling import Retelling, Retold
from consumers.errands.running import Errands
from consumers.errands.store import Store
from consumers.flowsteps.answering import Answering
from consumers.flowsteps.picklists import Picklists
from consumers.flowsteps.service import Service
from consumers.kinds.registry import KINDS
from consumers.settle.conditions.prepaid import PrepaidBudget, pay
from consumers.worker.process.process import Process, Work
from consumers.worker.tools.opening import Tools
from consumers.worker.tools.watched import CallWatched
from streams.ground.clock import now_ms
from streams.marketo.api.custom_activity import CustomActivity
from streams.relay.positions import PostgresPositions
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.systems import SALESFORCE


def running_errands(process: Process) -> Mapping[str, Work]:
    """By role: what it does."""
    return {"settle.errands": partial(_run, process), "settle.retold": partial(_retell, process)}


class AtYourService:
    """The service that Marketo calls, where one is configured."""

    def __init__(self, process: Process, settings: Settings) -> None:
        self._process, self._settings = process, settings

    def works(self) -> Mapping[str, Work]:
        """By role: what it does. Nothing is served without a key."""
        if self._settings.flow_steps.key is None:
            return {}
        return {"flow-steps.serve": self._serve, "flow-steps.answer": self._answer}

    async def _serve(self, tools: Tools, stop: asyncio.Event) -> None:
        picklists = Picklists(tools.salesforce, now_ms)
        zone = marketo_settings(self._settings).zone
        service = Service(self._settings.flow_steps, Store(tools.pool), picklists, now_ms, lambda: datetime.now(zone).date())
        await service.run(stop)

    async def _answer(self, tools: Tools, stop: asyncio.Event) -> None:
        answering = Answering(tools.pool, self._settings.flow_steps, now_ms)
        self._process.troubles["flow-steps.answer"] = lambda: answering.trouble
        await answering.run(stop)


async def _run(process: Process, tools: Tools, stop: asyncio.Event) -> None:
    def ended(errand: Errand, outcome: Outcome) -> None:
        process.metrics.errands.labels(str(what_of(errand.request)), "done" if isinstance(outcome, Done) else "failed").inc()

    errands = Errands(
        Store(tools.pool),
        tools.ledger,
        tools.terms,
        Carrying(_actions(tools, process)),
        Introductions(tools.ledger, tools.terms, process.bell.ring),
        clock=now_ms,
        patience_ms=round(tools.settings.flow_steps.give_up_seconds * 1000),
        ended=ended,
    )
    process.troubles["settle.errands"] = lambda: errands.trouble
    await errands.run(tools.singleton, stop)


async def _retell(process: Process, tools: Tools, stop: asyncio.Event) -> None:
    """Nothing is retold unless types are chosen."""
    chosen = tools.settings.activities_to_tasks
    if not chosen.types:
        await stop.wait()
        return
    forms = (form for kind in KINDS for form in kind.forms.values())
    own = frozenset(form.name for form in forms if isinstance(form, CustomActivity))
    zone = marketo_settings(tools.settings).zone
    retold = Retold(types=chosen.types, subject=chosen.subject, status=chosen.status, zone=zone, own=own)
    retelling = Retelling(tools.marketo, Store(tools.pool), tools.ledger, PostgresPositions(tools.pool), retold, clock=now_ms)
    process.troubles["settle.retold"] = lambda: retelling.trouble
    await retelling.run(tools.singleton, chosen.every_seconds, stop)


def _actions(tools: Tools, process: Process) -> Mapping[type, Action]:
    store, leave = Store(tools.pool), tools.leave[SALESFORCE]
    writing = SalesforceRest(tools.session, CallWatched(PrepaidBudget(leave), SALESFORCE, "write", process.metrics))
    calling = Calling(
        rest=tools.salesforce,
        writing=writing,
        leave=leave,
        pay=pay,
        trying=store.trying,
        untried=store.untried,
        clock=now_ms,
    )
    directory, rules = Directory(tools.salesforce), tools.terms.rules
    before = partial(store.records, what=str(What.CREATE_TASK))
    return {
        AddToCampaign: Members(calling, directory),
        ChangeOwner: Owners(calling, directory, {obj: mapping.api_name for obj, mapping in rules.people.items()}),
        CreateTask: Tasks(calling, directory, tools.terms.identity.salesforce_user, before),
        Convert: Conversions(calling, directory),
    }
