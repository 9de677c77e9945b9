"""Every metric that is declared is fed: each family is walked on a running stack, after an edit on either side."""

import asyncio
import json
from itertools import product
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from consumers.worker.telemetry.metrics import Metrics
from infra.stack.part import program_environment, python_program
from infra.stack.stack import Lent, Stack
from tests.consumers.deliveries.receiver import Receiver, receiver

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 240
INCIDENTS = {
    "tandem_dead_letters",
    "tandem_gaps",
    "tandem_source_failures",
    "tandem_role_restarts",
    "tandem_troubles",
    "tandem_pruned",
    "tandem_errands",
    "tandem_deliveries",
    "tandem_differences",
}
"""Nothing of the kind has to happen here. But for troubles, which have no row while there are none, they stand at nothing before."""
MAY_REST = {"tandem_webhook_behind_messages", "tandem_lag_events", "tandem_owed_writes", "tandem_holds", "tandem_gather_seconds"}
"""Fed all the time, with nothing where all is well."""


KINDS_OF_CALLS = set(product(("salesforce", "marketo"), ("read", "write")))


async def read(stack: Stack, page: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"{stack.tandem.url}/{page}") as answer:
        return await answer.text()


async def operate(stack: Stack, verb: str, body: dict[str, Any]) -> None:
    url = stack.sandbox.endpoints()["sandbox"]["url"]
    async with aiohttp.ClientSession() as http, http.post(f"{url}/{verb}", json=body) as answer:
        assert answer.ok, await answer.text()


async def families(stack: Stack) -> dict[str, Metric]:
    return {each.name: each for each in text_string_to_metric_families(await read(stack, "metrics"))}


def fed(family: Metric) -> bool:
    """Whether somebody has put something in: a value for a gauge that rests, else one that is not zero."""
    samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
    return bool(samples) if family.name in MAY_REST | INCIDENTS else any(sample.value for sample in samples)


def calls_in(found: dict[str, Metric]) -> set[tuple[str, str]]:
    """System and purpose of the calls that are counted as done."""
    samples = [sample for sample in found["tandem_calls"].samples if sample.name.endswith("_total") and sample.value]
    return {(sample.labels["system"], sample.labels["purpose"]) for sample in samples if sample.labels["outcome"] == "done"}


async def in_step(stack: Stack) -> None:
    """Until the status says so; what it says instead at the deadline is in the error."""
    told: dict[str, Any] = {}
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while told.get("state") != "in step":
                told = json.loads(await read(stack, "status.json"))
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{told.get('state')}: {told.get('troubles')}") from None


async def deliver(stack: Stack, to: Receiver) -> None:
    """Have decisions told to a webhook, as somebody does at the command line."""
    program = python_program(
        "consumers.cli", "deliveries", "create", "all", "--topic", "decisions", "--url", to.url, "--since", "all", "--json",
        "--config", str(stack.tandem.config),
    )  # fmt: skip
    environment = program_environment({**stack.tandem.told, "TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0"})
    process = await asyncio.create_subprocess_exec(*program, env=environment, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0, out
    to.secrets = [json.loads(out)["secret"]]


async def test_each_declared_family_is_fed(tmp_path: Path, lent: Lent) -> None:
    declared = {each.name for each in Metrics(lambda: 0).registry.collect()} - {"tandem_troubles"}
    async with receiver() as to, Stack(tmp_path / "run", lent=lent) as stack:
        await deliver(stack, to)
        person = {"LastName": "A", "Company": "B", "Email": "a@example.com"}
        await operate(stack, "salesforce/create", {"object": "Lead", "fields": person})
        await operate(stack, "marketo/person/create", {"fields": {"email": "m@example.com", "lastName": "M", "leadScore": 60}})
        unfed: set[object] = set()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    found = await families(stack)
                    unfed = {*(declared - {name for name, family in found.items() if fed(family)}), *(KINDS_OF_CALLS - calls_in(found))}
                    if not unfed:
                        break
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"nobody feeds {unfed}") from None
        limits = {sample.labels["system"]: sample.value for sample in found["tandem_day_calls_limit"].samples}
        assert limits["marketo"] == 5_000_000, "as the stack's tandem.yaml says"
        assert all(body["type"].startswith("crm.decision.") for _, body in to.taken)
        await in_step(stack)
    await stack.clean()
