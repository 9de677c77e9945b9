"""Runs what campaigns were set off: their steps, one after the other, for each person.

A webhook is called once: Marketo waits up to 30 seconds, logs what came of it, and never repeats a call (webhooks guide).
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.marketo.assets import lists
from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.people import people
from infra.sandbox.marketo.programs import members
from infra.sandbox.marketo.push import campaigns
from infra.sandbox.marketo.push.campaigns import Run
from infra.sandbox.marketo.push.flow_steps import PEOPLE_MAX, FlowSteps
from infra.sandbox.marketo.push.templates import mapped, rendered, token_values
from infra.sandbox.marketo.state.activity_log import CALL_WEBHOOK
from infra.sandbox.marketo.state.instance import Instance, Section
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import SCHEDULED, WEBHOOK

WAIT_SECONDS = 30.0
_AT_ONCE_MAX = 10


@dataclass(slots=True)
class Engine:
    instance: Instance
    flow_steps: FlowSteps
    _session: aiohttp.ClientSession | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE_MAX))

    def notice(self, entries: Sequence[Entry]) -> None:
        """Listener of the instance."""
        if not any(entry.object in campaigns.WATCHED for entry in entries):
            return
        for run in campaigns.runs(self.instance.store, entries):
            self._spawn(self._run(run))
        for entry in entries:
            if (entry.object, entry.op) == (SCHEDULED, "create"):
                self._spawn(self._run_batch(entry.id, entry.after or {}))

    def resume(self) -> None:
        """Scheduled runs that a restart found waiting."""
        for key, row in self.instance.store.table(SCHEDULED).items():
            self._spawn(self._run_batch(key, row))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Returns when nothing runs."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session

    async def _run_batch(self, key: str, row: Row) -> None:
        """Waits for the time of a scheduled run, runs it for everybody, and forgets it: a run that a kill interrupts begins anew."""
        await self.instance.clock.wait_until(float(row["atMs"]))
        await self._run_together(list(campaigns.batch(self.instance.store, row)))
        with self.instance.section() as section:
            section.put(Entry(section.now_ms, "sandbox", "_delete", SCHEDULED, key, row, None))

    async def _run(self, run: Run) -> None:
        await self._run_together([run])

    async def _run_together(self, runs: Sequence[Run]) -> None:
        """Runs of one campaign: each step for all of them, a flow-step service in batches."""
        async with self._gate:
            for number, step in enumerate((runs[0].campaign.get("steps") or []) if runs else [], start=1):
                if step["type"] == "flow_step":
                    for start in range(0, len(runs), PEOPLE_MAX):
                        await self.flow_steps.submit(self.session, runs[start : start + PEOPLE_MAX], step, number)
                    continue
                for run in runs:
                    if step["type"] == "webhook":
                        await self._call_webhook(run, self.instance.store.table(WEBHOOK).get(str(step["webhook"])) or {})
                    else:
                        self._change(run, step)

    def _change(self, run: Run, step: Mapping[str, Any]) -> None:
        """A step inside Marketo; what it refuses it skips, as a campaign does."""
        name = {"change_value": "Change Data Value", "status": "Change Program Status", "add_to_list": "Add to List"}[step["type"]]
        reason = f"Changed by Smart Campaign {run.campaign['name']} action {name}"
        actor = f"smart-campaign-{run.campaign_id}"
        origin = Origin(actor=actor, source="Marketo Flow Action", reason=reason, campaign=run.campaign_id)
        try:
            with self.instance.section() as section:
                _step(section, run, step, origin)
        except (RecordError, ApiError):
            return  # the person is gone, or already in or past the status

    async def _call_webhook(self, run: Run, hook: Row) -> None:
        values = token_values(self.instance.store, run, self.instance.clock.now_ms())
        url = rendered(hook["url"], values, "form" if "?" in hook["url"] else "")
        payload = rendered(hook.get("payload") or "", values, hook.get("encoding", "json"))
        kind = "application/x-www-form-urlencoded" if hook.get("encoding") == "form" else "application/json"
        headers = {"Content-Type": kind} | {name: rendered(value, values, "") for name, value in (hook.get("headers") or {}).items()}
        error, text, status = "", "", 0
        try:
            wait = aiohttp.ClientTimeout(total=float(hook.get("timeout_seconds", WAIT_SECONDS)))
            data = payload.encode() if payload else None
            async with self.session.request(hook["method"], url, data=data, headers=headers, timeout=wait) as answer:
                text, status = await answer.text(), answer.status
        except TimeoutError:
            error = "Timeout"
        except aiohttp.ClientError as problem:
            error = f"Connection: {type(problem).__name__}"
        self._note_answer(run, hook, error or ("" if 200 <= status < 300 else f"HTTP {status}"), text)

    def _note_answer(self, run: Run, hook: Row, error: str, text: str) -> None:
        if not error and not text:
            error = "1001 Empty response"
        shown = [["Webhook", hook["name"]], ["Error Type", error or None], ["Response", text[:2000]]]
        origin = Origin(actor=f"webhook-{hook['name']}", source="Webhook", reason=f"Webhook: {hook['name']}", campaign=run.campaign_id)
        fields: dict[str, Any] = {}
        if not error and hook.get("mappings"):
            try:
                fields = mapped(text, hook.get("response", "json"), hook["mappings"])
            except ValueError:
                shown[1][1] = "Unparsable response"
        with self.instance.section() as section:
            row = [run.lead_id, CALL_WEBHOOK, None, hook["name"], shown]
            section.add("_call", "WebhookCall", "", origin, before=None, after=None, activities=[row])
            if fields and section.store.person(run.lead_id) is not None:
                _write(section, run.lead_id, fields, origin)


def _step(section: Section, run: Run, step: Mapping[str, Any], origin: Origin) -> None:
    match step["type"]:
        case "change_value":
            if section.store.person(run.lead_id) is not None:
                values = people.checked(section.store, {step["field"]: step["value"]})
                people.change(section, run.lead_id, values, origin)
        case "status":
            members.set_status(section, step["program"], run.lead_id, step["status"], origin)
        case "add_to_list":
            lists.add(section, step["list"], run.lead_id, origin)


def _write(section: Section, lead_id: int, fields: Mapping[str, Any], origin: Origin) -> None:
    """Values from outside; one that does not fit is left out."""
    for name, value in fields.items():
        try:
            people.change(section, lead_id, people.checked(section.store, {name: value}), origin)
        except RecordError:
            continue
