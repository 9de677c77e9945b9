"""The examples, run as a newcomer runs them: with a Kafka client and nothing of Tandem's."""

import asyncio
import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from consumers.kinds.registry import STANDARD
from infra.kafka.admin import ensure_topics
from streams.wire import cloud
from streams.wire.topics import DECISIONS, all_topics, state_topic

pytestmark = pytest.mark.integration
FOLDER = Path(__file__).parents[3] / "infra" / "examples"
DEADLINE_SECONDS = 120.0
BARE = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


@pytest.fixture
async def told(kafka: str) -> str:
    """A broker on which Ada was told twice, and Bob was told, and is gone."""
    await ensure_topics(kafka, all_topics(STANDARD.objects, kinds=STANDARD.by_name))
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for key, state in ((b"901", person("Adda")), (b"902", person("Bob")), (b"901", person("Ada, Countess")), (b"902", None)):
            await producer.send_and_wait(state_topic("person"), json.dumps(state).encode() if state else None, key=key)
        lost = {"field": "title", "verdict": "lost", "value": "Boss", "agreed": "CTO", "lost": "Boss", "rule": "salesforce@1"}
        decision = {"kind": "judged", "at": 1_800_000_000_000, "pair": 901, "system": "marketo", "record": "m-901", "fields": [lost]}
        about = cloud.headers(
            identity="901-1", source=cloud.LEDGER, type_="crm.decision.judged", at=1_800_000_000_000, subject="m-901"
        )  # fmt: skip
        await producer.send_and_wait(DECISIONS, json.dumps(decision).encode(), key=b"901", headers=about)
    finally:
        await producer.stop()
    return kafka


def person(name: str) -> Mapping[str, Any]:
    return {"pair": 1, "kind": "person", "object": "lead", "marketo": f"m-{name}", "fields": {"firstName": name}, "block": 1}


def ran(*command: str, cwd: Path = FOLDER) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=BARE, timeout=DEADLINE_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_the_table_of_people_in_python(told: str) -> None:
    out = await asyncio.to_thread(ran, sys.executable, "python/people.py", told)
    names = {row["marketo"]: row["firstName"] for row in csv.DictReader(out.splitlines())}
    assert names["m-Ada, Countess"] == "Ada, Countess"
    assert not {"m-Adda", "m-Bob"} & names.keys()


async def test_the_table_of_people_in_node(told: str) -> None:
    node = shutil.which("node")
    if node is None or not (FOLDER / "node" / "node_modules").exists():
        pytest.skip("no Node here, or its packages are not installed (make clients)")
    out = await asyncio.to_thread(ran, node, "people.js", told, cwd=FOLDER / "node")
    names = {row.get("marketo"): row.get("firstName") for row in map(json.loads, out.splitlines())}
    assert names["m-Ada, Countess"] == "Ada, Countess"
    assert not {"m-Adda", "m-Bob"} & names.keys()


async def test_conflicts_are_followed_in_python(told: str) -> None:
    following = await asyncio.create_subprocess_exec(
        sys.executable, "python/follow.py", told, cwd=FOLDER, env=BARE, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    assert following.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while b"m-901" not in (line := await following.stdout.readline()):
                assert line, "it ended"
    finally:
        following.kill()
        await following.wait()
    assert line.decode().strip() == "2027-01-15T08:00:00.000Z m-901 title: 'CTO' stands, 'Boss' lost (salesforce@1)"


@pytest.mark.parametrize("program", ["people.py", "follow.py"])
def test_without_a_broker_it_is_said_what_to_do(program: str, tmp_path: Path) -> None:
    copied = tmp_path / "infra" / "examples"
    shutil.copytree(FOLDER, copied, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    done = subprocess.run([sys.executable, f"python/{program}"], capture_output=True, text=True, check=False, cwd=copied, env=BARE)
    assert done.returncode == 1
    assert done.stderr.strip() == "no broker: name one (HOST:PORT), or run `make up` first"


def test_the_examples_know_nothing_of_tandem() -> None:
    for file in (*FOLDER.glob("python/*.py"), *FOLDER.glob("node/*.js")):
        text = file.read_text()
        assert not any(f"{word} {room}" in text for word in ("from", "import") for room in ("consumers", "streams", "infra")), file
