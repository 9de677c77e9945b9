"""The demo from start to end: the stack, the scenario, the check, the report."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from rich.markup import escape

from infra.demo.asked import newcomers
from infra.demo.checker.comparison import compare, with_parents
from infra.demo.checker.history import Mirror
from infra.demo.checker.judgement import FieldStory, judge, stories
from infra.demo.checker.latency import Arrival, arrivals
from infra.demo.checker.naming import Unnamed, decisions, named_by, unnamed
from infra.demo.checker.report import DEGRADED, Outcome, Phase, a_conflict, as_json, edits_in, show, verdict
from infra.demo.checker.table import ENTRIES, MARKETO, PEOPLE, PERSON, SALESFORCE
from infra.demo.checker.told import add_told
from infra.demo.command import CommandError, tandem
from infra.demo.keeping import say_kept, say_where
from infra.demo.scenario.administrator import POLL_ALONE_SECONDS, POLL_SECONDS, prepare, write_configuration
from infra.demo.scenario.population import Populace
from infra.demo.scenario.scenario import Scenario
from infra.demo.scenario.systems import RefusedError, Systems, opened
from infra.demo.telling import Teller
from infra.demo.waiting import NotInStepError, Waiting
from infra.process import StartError
from infra.stack.command import KEPT
from infra.stack.stack import PARTS, Stack

LATENCY_MS = 150
_SOMETHING_TO_SEE = 1
"""The exit code with which a command says that a person should look at something."""
COPY_SECONDS = 90.0
PHASE_SECONDS, TROUBLED_SECONDS = 60.0, 120.0
_PUBLISHED_SECONDS = 10.0
_WHOLE_AGAIN_SECONDS = 60.0
_MISHAPS_SECONDS = 4.0
_MUTE = {"type": "mute", "mode": "lost"}
_PEOPLE = {"method": "POST", "path": "/rest/v1/leads.json"}
_COLLECTION = {"method": "PATCH", "path": "/services/data/*/composite/sobjects"}
MISHAPS: tuple[tuple[str, dict[str, Any], dict[str, str], int | None], ...] = (
    (MARKETO, {"type": "lose_answer"}, _PEOPLE, 2),
    (MARKETO, {"type": "reset"}, _PEOPLE, 1),
    (MARKETO, {"type": "lose_answer"}, {"method": "POST", "path": "/rest/v1/activities/external.json"}, 1),
    (MARKETO, {"type": "access_token_expired"}, {"path": "/rest/v1/*"}, 2),
    (MARKETO, {"type": "html_502"}, {"path": "/rest/v1/activities*"}, 1),
    (SALESFORCE, {"type": "lose_answer"}, _COLLECTION, 2),
    (SALESFORCE, {"type": "lose_request"}, _COLLECTION, 1),
    (SALESFORCE, {"type": "session_expired"}, {"path": "/services/data/*"}, 1),
    (SALESFORCE, {"type": "duplicate"}, {}, 20),
    (SALESFORCE, {"type": "session_drop"}, {}, 1),
)
"""System, fault, which calls it hits, how many of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the caller asked for."""

    seed: int
    people: int
    keep: bool
    json: bool
    stream: bool
    """Whether Salesforce's change events reach Tandem; else the poll alone has to find everything."""
    run_dir: Path
    report: Path


async def run(wish: Wish) -> bool:
    """Runs the demo and writes the report; whether it passed. The stack is taken down at the end unless it shall be kept."""
    teller = Teller(silent=wish.json)
    muted = "" if wish.stream else ", no stream"
    teller.say(f"[bold]Tandem's demo[/], seed {wish.seed}, {wish.people} people on each side, {LATENCY_MS} ms a call{muted}")
    ground = Stack(wish.run_dir, parts=PARTS - {"tandem"}, latency_ms=LATENCY_MS, say=teller.now)
    configuration = wish.run_dir / "tandem.yaml"
    whole = Stack(wish.run_dir, config=configuration, latency_ms=LATENCY_MS, console=wish.keep, say=teller.now)
    await whole.clean()
    (wish.run_dir / KEPT).unlink(missing_ok=True)
    write_configuration(configuration, poll_seconds=POLL_SECONDS if wish.stream else POLL_ALONE_SECONDS)
    try:
        with teller.phase("Kafka, PostgreSQL, a Salesforce org and a Marketo instance"):
            await ground.up()
        async with opened(ground.endpoints()) as systems:
            outcome = await Demo(wish, teller, whole, systems).outcome()
            wish.report.parent.mkdir(parents=True, exist_ok=True)
            wish.report.write_text(json.dumps(as_json(outcome), indent=1, ensure_ascii=False, default=str) + "\n")
            show(teller.console, outcome)
            await _explain(outcome, whole, teller)
            teller.say(verdict(outcome))
            if wish.keep:
                await say_where(whole, outcome, teller)
            return not outcome.failures()
    finally:
        if wish.keep:
            say_kept(wish.run_dir, teller)
        else:
            await whole.down()


@dataclass(slots=True)
class Demo:
    """One run; needs the ground parts of the stack up."""

    wish: Wish
    teller: Teller
    stack: Stack
    systems: Systems
    mirror: Mirror = field(default_factory=Mirror)
    phases: list[Phase] = field(default_factory=list)

    async def outcome(self) -> Outcome:
        """Runs the scenario as far as it gets, then checks."""
        begun = time.monotonic()
        waiting = Waiting(self.systems, self.mirror, lambda: self.stack.tandem.url, self.teller)
        random = Random(self.wish.seed)
        scenario = Scenario(self.systems, self.mirror, Populace(random), random)
        trouble = ""
        try:
            await self._bring_together(scenario, waiting)
            await self._trouble_them(scenario, waiting)
        except (NotInStepError, StartError, RefusedError, CommandError) as error:
            trouble = f"{self.phases[-1].title if self.phases else 'set-up'}: {error}"
            self.teller.say(f"[red]{escape(trouble)}[/]")
        with self.teller.phase("Checking: both systems read over REST, their histories judged"):
            return await self._check(waiting, trouble, time.monotonic() - begun)

    async def _bring_together(self, scenario: Scenario, waiting: Waiting) -> None:
        with self.teller.phase("Moving in: people of many scripts, half of them known to both systems"):
            await prepare(self.systems)
            await scenario.move_in(self.wish.people)
            await waiting.follow()
            await scenario.deals.move_in()
            await waiting.follow()
            await scenario.subscriptions.move_in()
            await waiting.follow()
            await scenario.diary.write()
            await scenario.campaigns.move_in()
            await waiting.follow()
            await tandem(self.stack, "setup", "--yes")
            await tandem(self.stack, "custom-objects", "apply")
            if not self.wish.stream:
                await self.systems.add_fault(SALESFORCE, _MUTE)
        async with self._phase("First copy: Tandem brings them together", normal=False):
            await self.stack.up()
            await scenario.campaigns.link(partial(tandem, self.stack))
            await waiting.rest(within_seconds=COPY_SECONDS)

    async def _trouble_them(self, scenario: Scenario, waiting: Waiting) -> None:
        steps: list[tuple[str, bool, Callable[[], Awaitable[None]]]] = [
            ("300 edits on each side at once", True, lambda: scenario.edit_both(300)),
            ("Fields cleared on both sides", True, lambda: scenario.clear_both(40)),
            ("The same field edited on both sides at the same moment", True, scenario.collide),
            ("New people on both sides; some are asked for by a flow step", True, lambda: newcomers(scenario, self.systems, self.stack)),
            ("Deletions in Salesforce", True, lambda: scenario.delete_in_salesforce(6)),
            ("Accounts, users and who belongs to whom are changed", True, lambda: self._belongings(scenario)),
            ("A user, an account, its people and its opportunity arrive at once", True, scenario.arrive),
            ("Opportunities are won, lost and deleted, and parts in them change", True, lambda: self._deals(scenario)),
            ("Subscriptions, a custom object, are made, changed, handed on, deleted and restored", True, scenario.subscriptions.edit),
            ("Members of campaigns come, go on and leave in both systems", True, lambda: self._campaigns(scenario, waiting)),
            ("Tasks and meetings with people, and what becomes of them", True, lambda: self._diary(scenario, waiting)),
            (
                "Accounts are deleted, some with their people, and some come back",
                True,
                lambda: self._deleted_accounts(scenario, waiting),
            ),
            ("The stream is muted, and Marketo edits the same fields meanwhile", False, lambda: self._muted(scenario, waiting)),
            (
                "kill -9 of the worker in the middle of edits",
                False,
                lambda: scenario.edit_both(150, interrupt=lambda: self._kill(scenario)),
            ),
            (
                "The broker restarts in the middle of edits",
                False,
                lambda: scenario.edit_both(100, interrupt=lambda: self.stack.restart("kafka")),
            ),
            (
                "The database restarts in the middle of edits",
                False,
                lambda: scenario.edit_both(100, interrupt=lambda: self.stack.restart("postgres")),
            ),
            ("Answers lost, tokens expired, events doubled", False, lambda: self._mishaps(scenario)),
        ]
        for title, normal, work in steps:
            scenario.pairs = [pair for pair in (await waiting.follow()).pairs if pair.object in PEOPLE]
            async with self._phase(title, normal=normal):
                await work()
                await waiting.rest(within_seconds=PHASE_SECONDS if normal else TROUBLED_SECONDS)

    async def _belongings(self, scenario: Scenario) -> None:
        await asyncio.gather(scenario.parents.edit(), scenario.parents.regroup(), scenario.parents.hand_over())

    async def _campaigns(self, scenario: Scenario, waiting: Waiting) -> None:
        await scenario.campaigns.edit()
        await waiting.rest(within_seconds=PHASE_SECONDS)
        await scenario.campaigns.go_on_in_marketo()

    async def _deals(self, scenario: Scenario) -> None:
        await scenario.deals.edit()
        await scenario.deals.delete()

    async def _diary(self, scenario: Scenario, waiting: Waiting) -> None:
        await scenario.diary.write()
        await waiting.rest(within_seconds=PHASE_SECONDS)
        await scenario.diary.edit()

    async def _deleted_accounts(self, scenario: Scenario, waiting: Waiting) -> None:
        to_come_back = await scenario.parents.delete()
        await waiting.rest(within_seconds=PHASE_SECONDS)
        await scenario.parents.bring_back(to_come_back)

    async def _muted(self, scenario: Scenario, waiting: Waiting) -> None:
        fault = await self.systems.add_fault(SALESFORCE, _MUTE)
        try:
            await scenario.edit_salesforce(60)
            await self._belongings(scenario)
            await scenario.deals.edit()
            await scenario.edit_both_unheard(40)
            await waiting.rest(within_seconds=PHASE_SECONDS)
        finally:
            await self.systems.lift_fault(fault)
        self.phases[-1].ended_ms = _now_ms()

    async def _mishaps(self, scenario: Scenario) -> None:
        """What wires do, in the middle of edits; each is over by itself, or is lifted at the end."""
        standing = [await self.systems.add_fault(system, action, match, times=times) for system, action, match, times in MISHAPS]
        try:
            await asyncio.gather(scenario.diary.write(), scenario.edit_both(100, interrupt=lambda: asyncio.sleep(_MISHAPS_SECONDS)))
        finally:
            for fault in standing:
                await self.systems.lift_fault(fault)

    async def _kill(self, scenario: Scenario) -> None:
        await self.stack.kill("tandem")
        await scenario.arrive()
        self.teller.now("killed; starting again")
        await self.stack.start("tandem")

    @asynccontextmanager
    async def _phase(self, title: str, *, normal: bool) -> AsyncIterator[None]:
        phase = Phase(title=title, normal=normal, begun_ms=_now_ms())
        self.phases.append(phase)
        with self.teller.phase(title):
            yield
        phase.ended_ms = _now_ms()

    async def _check(self, waiting: Waiting, trouble: str, seconds: float) -> Outcome:
        await waiting.follow()
        users = self._users()
        for phase in self.phases:
            phase.ended_ms = phase.ended_ms or _now_ms()
            phase.edits = edits_in(self.mirror, phase, users)
        salesforce = await self.systems.read_salesforce()
        marketo = await self.systems.read_marketo(self.mirror.ids_ever(MARKETO, PERSON))
        compared = compare(salesforce, marketo, deleted=self._deleted(users))
        add_told(self.mirror, compared)
        told = list(stories(self.mirror, compared.pairs, salesforce, with_parents(marketo), tandem=users, rests=waiting.rests))
        judged = judge(told)
        since = self.phases[0].ended_ms if self.phases else _now_ms()
        streamed = [pair for pair in compared.pairs if ENTRIES[pair.object].streamed]
        found = arrivals(self.mirror, streamed, tandem=users, since_ms=since)
        return Outcome(
            seed=self.wish.seed, seconds=seconds, phases=self.phases, compared=compared, judged=judged, arrivals=found,
            repaired_by_poll=self._found_by_poll(found), meters=await self.systems.meters(), tandem=users, status=await self._status(),
            stream="on" if self.wish.stream else "off", trouble=trouble, unnamed=await self._unnamed(told),
        )  # fmt: skip

    async def _unnamed(self, told: Sequence[FieldStory]) -> list[Unnamed]:
        """Edits that Tandem replaced and no decision names; the topic is given the time that publishing takes."""
        deadline = time.monotonic() + _PUBLISHED_SECONDS
        while True:
            missing = unnamed(told, named_by(await decisions(self.stack.kafka.bootstrap)))
            if not missing or time.monotonic() > deadline:
                return missing

    def _found_by_poll(self, found: list[Arrival]) -> int:
        """Edits made in Salesforce while no event left it, and carried over all the same."""
        muted = [phase for phase in self.phases if phase.title.startswith("The stream is muted")]
        return sum(
            phase.begun_ms <= each.at_ms and each.at_ms + each.took_ms < phase.ended_ms and each.direction.startswith(SALESFORCE)
            for phase in muted
            for each in found
        )

    def _users(self) -> dict[str, str]:
        """Under which names Tandem stands in the histories."""
        own = self.stack.sandbox.endpoints()["tandem"]["salesforce"]["username"]
        return {SALESFORCE: own, MARKETO: own}

    def _deleted(self, users: dict[str, str]) -> dict[str, str]:
        gone = [item for item in self.mirror.lines if item.system == SALESFORCE and item.op == "delete"]
        live = self.mirror.live[SALESFORCE]
        return {
            item.id: item.object for item in gone if item.object in ENTRIES and item.actor != users[SALESFORCE] and item.key not in live
        }

    async def _status(self) -> dict[str, Any]:
        """As Tandem tells it, once nothing is degraded any more: all is whole again, and it has a minute to see that."""
        deadline = time.monotonic() + _WHOLE_AGAIN_SECONDS
        while True:
            try:
                told: dict[str, Any] = json.loads(await tandem(self.stack, "status", "--json", accepted=(0, _SOMETHING_TO_SEE)))
            except CommandError as error:
                self.teller.say(f"[red]{escape(str(error))}[/]")
                return {}
            if told.get("state") != DEGRADED or time.monotonic() > deadline:
                return told
            await asyncio.sleep(1.0)


async def _explain(outcome: Outcome, stack: Stack, teller: Teller) -> None:
    chosen = a_conflict(outcome)
    if chosen is None:
        return
    pair, name = chosen
    teller.console.print(f"[bold]One conflict, explained[/] (tandem explain {pair.salesforce} {name})")
    try:
        teller.console.print(await tandem(stack, "explain", pair.salesforce, name), markup=False)
    except CommandError as error:
        teller.console.print(str(error), markup=False, style="red")


def _now_ms() -> int:
    return round(time.time() * 1000)
