"""A ledger that the version before kinds of record left is carried over: every state as it was, what was due is due, and work goes on.

`fixtures/make_previous.txt` says how it was made.
"""

import gzip
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.ledger.port import Duty
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.merge.pair.prints import prints
from consumers.merge.pair.state import PairState
from consumers.settle.looks.look import Looker
from consumers.settle.rounds.settler import Settler
from infra.postgres.migrate import migrate, read_migrations
from infra.postgres.server import Server
from streams.wire.systems import PERSON, System
from tests.consumers.merge.person_pair import MK, SF, T, reading, terms
from tests.consumers.pairs_in_memory import Clock
from tests.consumers.scripted_writer import ScriptedWriter

pytestmark = pytest.mark.integration

LEFT: dict[str, Any] = json.loads(gzip.decompress(Path(__file__).with_name("fixtures").joinpath("previous.json.gz").read_bytes()))
LATER = T + 3_600_000


def as_it_was(told: Any, now: Any) -> bool:
    """Whether a value is what it was; what has been appended to a list (a struct, as it is stored) since is new. Names of feed events are
    kept as prints since."""
    if isinstance(told, dict):
        return isinstance(now, dict) and told.keys() <= now.keys() and all(as_it_was(value, now[key]) for key, value in told.items())
    if isinstance(told, (list, tuple)):
        return isinstance(now, (list, tuple)) and len(told) <= len(now) and all(map(as_it_was, told, now))
    return bool(told == now) or (isinstance(told, str) and prints(told) == (now,))


def plainly(state: PairState) -> dict[str, Any]:
    whole = {name: msgspec.to_builtins(getattr(state, name)) for name in state.__struct_fields__ if name != "fields"}
    return json.loads(json.dumps({**whole, "fields": {key: msgspec.to_builtins(field) for key, field in state.fields.items()}}))  # type: ignore[no-any-return]


@pytest.fixture
async def carried_over(postgres_server: Server) -> AsyncIterator[PostgresLedger]:
    name = f"previous_{secrets.token_hex(6)}"
    server = await asyncpg.connect(postgres_server.dsn("postgres"))
    await server.execute(f"create database {name}")
    try:
        dsn = postgres_server.dsn(name)
        await migrate(dsn, migrations=read_migrations()[: LEFT["migrations"]])
        await filled(dsn)
        await migrate(dsn)
        ledger = await open_ledger(dsn)
        try:
            yield ledger
        finally:
            await ledger.close()
    finally:
        await server.execute(f"drop database {name} with (force)")
        await server.close()


async def filled(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    for table, rows in LEFT["tables"].items():
        await connection.execute(f"truncate {table}")
        for row in rows:
            values = [bytes.fromhex(value["hex"]) if isinstance(value, dict) else value for value in row.values()]
            places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
            names = ", ".join(f'"{each}"' for each in row)
            await connection.execute(f"insert into {table} ({names}) overriding system value values ({places})", *values)  # noqa: S608
    last = max(row["id"] for row in LEFT["tables"]["pairs"])
    await connection.execute("select setval(pg_get_serial_sequence('pairs', 'id'), $1)", last)
    await connection.close()


async def all_of(ledger: PostgresLedger) -> dict[int, PairState]:
    async with ledger.transaction() as tx:
        return {number: pair.state for number, pair in (await tx.by_id([int(each) for each in LEFT["states"]])).items()}


def test_it_holds_pairs_in_many_states() -> None:
    states = LEFT["states"].values()
    sides = [field[place] for state in states for field in state["fields"].values() for place in (3, 4)]
    assert len(LEFT["states"]) == 50
    assert {"waiting", "retract", "hold"} <= {name for state in states for name, value in state.items() if value}
    assert any(side[6] for side in sides), "writes under way"
    assert {row["kind"] for row in LEFT["tables"]["due"]} >= {int(duty) for duty in Duty} - {int(Duty.LOOK_MARKETO)}
    assert all(LEFT["tables"][table] for table in ("refusals", "decisions", "dead_letters", "partition_offsets", "left_behind"))


async def test_every_state_is_as_it_was(carried_over: PostgresLedger) -> None:
    now = {str(number): plainly(state) for number, state in (await all_of(carried_over)).items()}
    assert now.keys() == LEFT["states"].keys()
    changed = {
        number: name for number, told in LEFT["states"].items() for name, value in told.items() if not as_it_was(value, now[number][name])
    }
    assert not changed
    assert {state["counterpart"] for state in now.values()} == {PERSON}


async def test_pairs_are_found_by_their_records_and_what_was_due_is_due(carried_over: PostgresLedger) -> None:
    states = await all_of(carried_over)
    async with carried_over.transaction() as tx:
        for system in System:
            for number, state in states.items():
                record = state.record(system).id
                found = await tx.by_record(system, state.named_on(system), [record]) if record else {}
                assert [pair.id for pair in found.values()] == ([number] if record else [])
    for duty in Duty:
        async with carried_over.transaction() as tx:
            claimed = {pair.id for pair in await tx.claim(duty, LATER, 100, 2)}
        assert claimed == {number for number, state in states.items() if 0 < state.due[duty] <= LATER}, duty
    assert await carried_over.offset("crm.salesforce.lead.v1", 0) == 17
    assert await carried_over.last_read("crm.salesforce.lead.v1", 0) == (16, 4242)
    assert await carried_over.anything_left()


async def test_a_worker_goes_on_from_it(carried_over: PostgresLedger) -> None:
    clock, told = Clock(), terms()
    clock.now = LATER
    writers = {system: ScriptedWriter(system) for system in System}
    owed = {system: [n for n, state in (await all_of(carried_over)).items() if state.due[Duty.write_on(system)]] for system in System}
    for system, writer in writers.items():
        looker = Looker(carried_over, writer, told, clock)
        for state in (await all_of(carried_over)).values():
            record = state.record(system)
            if record.id and not record.deleted:
                mapped = [item for item in told.mapping(state).fields if item.key in state.fields]
                shown = {item.name_on(system): state.fields[item.key].side(system).seen for item in mapped}
                writer.records[record.id] = reading(system, shown, LATER - 60_000, id=record.id)
        await looker.reunited()
        while (await looker.round()).pairs:
            clock.now += 30_000
        settled = Settler(carried_over, writer, told, clock)
        while (await settled.round()).claimed:
            pass
        written = {item.pair for call in writer.calls for item in call}
        assert set(owed[system]) <= written, "everybody who was owed something has had a write"
    states = await all_of(carried_over)
    assert not [number for number, state in states.items() if state.due[Duty.WRITE_MARKETO]]
    (late,) = [number for number, state in states.items() if state.due[Duty.WRITE_SALESFORCE]]
    assert states[late].fields["title"].value == "z", "it waited in Marketo's feed, and was judged by the look there"
    assert {state.record(SF).calling or state.record(MK).calling for state in states.values()} == {0}
