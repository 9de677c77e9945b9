"""What observe asks of the database, without Kafka and without the merge: `python -m tests.benchmarks.observe_storage [--pairs 200000]`.

Each batch moves an offset, locks and loads 500 pairs, saves them with two fields changed and a write due, and records a decision for
each. It tells events a second, and the processor time of the database's session and of Python: these hold on a busy machine, too.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from consumers.ledger.port import Transaction
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.merge.pair.decision import Decision, Origin, Ruling, Verdict
from consumers.merge.pair.state import PairState, Side
from consumers.merge.pair.stored import pack
from infra.postgres.migrate import migrate
from infra.postgres.server import Server
from streams.wire.systems import LEAD, System
from tests.benchmarks import person

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one run."""

    events: int
    seconds: float
    database_us: float
    python_us: float
    wal_bytes: float


async def main() -> None:
    """Builds a ledger, then measures one connection and two."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=200_000)
    options.add_argument("--batches", type=int, default=120)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as home:
        server = Server(Path(home) / "postgres")
        try:
            await asyncio.to_thread(server.start)
            await migrate(server.dsn())
            size = await fill(server.dsn(), chosen.pairs)
            print(f"{chosen.pairs} pairs, {len(pack(person.pair(1)))} bytes a state, {size >> 20} MiB")
            for connections in (1, 2):
                cost = await measure(server.dsn(), chosen.pairs, chosen.batches, connections)
                print(
                    f"{connections} connection(s): {cost.events / cost.seconds:8.0f} events/s; processor time of an event: "
                    f"database {cost.database_us:5.1f} us, Python {cost.python_us:5.1f} us; WAL {cost.wal_bytes:5.0f} bytes"
                )
        finally:
            await asyncio.to_thread(server.remove)


async def fill(dsn: str, pairs: int) -> int:
    """Pairs in step; the size of the table in bytes."""
    connection = await asyncpg.connect(dsn)
    columns = ("salesforce_object", "salesforce_id", "marketo_id", "match_key", "state", "updated_at")
    for begin in range(0, pairs, 20_000):
        rows = [
            ("lead", state.salesforce.id, state.marketo.id, state.fields["email"].value, pack(state), person.NOW)
            for number in range(begin, min(begin + 20_000, pairs))
            for state in [person.pair(number)]
        ]
        await connection.copy_records_to_table("pairs", records=rows, columns=columns)
    await connection.execute("vacuum analyze pairs")
    await connection.execute("checkpoint")
    size: int = await connection.fetchval("select pg_table_size('pairs')")
    await connection.close()
    return size


async def measure(dsn: str, pairs: int, batches: int, connections: int) -> Cost:
    """As many workers as connections, each on partitions of its own."""
    ledger = await open_ledger(dsn, transactions_max=connections)
    watcher = await asyncpg.connect(dsn)
    for worker in range(connections):
        await observe(ledger, random.Random(worker), pairs, worker, 0)
    sessions = [row[0] for row in await watcher.fetch("select pid from pg_stat_activity where application_name = 'tandem-ledger'")]
    wal = await watcher.fetchval("select pg_current_wal_insert_lsn()")
    database, python, began = sum(map(cpu_seconds, sessions)), time.process_time(), time.perf_counter()

    async def work(worker: int) -> None:
        chance = random.Random(100 * connections + worker)
        for turn in range(1, batches + 1):
            await observe(ledger, chance, pairs, worker, turn)

    await asyncio.gather(*(work(worker) for worker in range(connections)))
    seconds, events = time.perf_counter() - began, batches * BATCH * connections
    cost = Cost(
        events=events,
        seconds=seconds,
        database_us=(sum(map(cpu_seconds, sessions)) - database) / events * 1e6,
        python_us=(time.process_time() - python) / events * 1e6,
        wal_bytes=float(await watcher.fetchval("select pg_current_wal_insert_lsn() - $1::pg_lsn", wal)) / events,
    )
    await watcher.execute("delete from partition_offsets")
    await watcher.close()
    await ledger.close()
    return cost


async def observe(ledger: PostgresLedger, chance: random.Random, pairs: int, partition: int, turn: int) -> None:
    """One batch as observe does it."""
    ids = [person.salesforce_id(number) for number in chance.sample(range(pairs), BATCH)]
    async with ledger.transaction(durable=False) as tx:
        await tx.advance("crm.salesforce.lead.v1", partition, turn * BATCH, (turn + 1) * BATCH)
        await _step(tx, ids, turn)


async def _step(tx: Transaction, ids: list[str], turn: int) -> None:
    found = await tx.by_record(System.SALESFORCE, LEAD, ids)
    for pair in found.values():
        pair.state = edited(pair.state, turn)
    await tx.save(list(found.values()), person.NOW)
    await tx.record([decided(pair.id, pair.state.salesforce.id, turn) for pair in found.values()])


def edited(state: PairState, turn: int) -> PairState:
    """Two fields changed in Salesforce, Marketo is owed."""
    changed: dict[str, Any] = {}
    for key in ("title", "phone"):
        field = state.fields[key]
        value = f"{key} {turn}"
        new = field.with_side(System.SALESFORCE, Side(seen=value, seen_at=person.NOW, shows=field.version + 1))
        new.value, new.version = value, field.version + 1
        changed[key] = new
    new_state = state.with_fields(changed)
    new_state.due = (0, person.NOW, 0, 0)
    return new_state


def decided(pair: int, record: str, turn: int) -> Decision:
    """As long as a real one."""
    origin = Origin(
        topic="crm.salesforce.lead.v1",
        partition=3,
        offset=turn,
        source="cdc",
        kind="updated",
        at=person.NOW,
        author="005000000000042AAA",
        call="0000a1b2-c3d4-e5f6-a7b8-c9d0e1f20304",
        how="com/salesforce/api/soap/66.0;client=SfdcInternalAPI/",
    )
    rulings = tuple(
        Ruling(
            field=key, verdict=Verdict.ACCEPTED, value=f"{key} {turn}", agreed=f"{key} {turn}", version=3, reason="salesforce had seen it"
        )
        for key in ("title", "phone")
    )
    return Decision(kind="judged", at=person.NOW, pair=pair, system=System.SALESFORCE, record=record, event=origin, fields=rulings)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    uvloop.run(main())
