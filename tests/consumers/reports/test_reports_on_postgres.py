"""The reports against a real ledger."""

import re
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.ledger.port import Kind
from consumers.merge.decision import Decision, Ruling, Verdict, encode
from consumers.merge.state import Field, PairState, Record
from consumers.merge.stored import pack
from consumers.reports.database import Unreachable, ledger_connection
from consumers.reports.people import UnknownRecord, find
from consumers.reports.status import State, Status
from consumers.reports.status import status as status_of
from consumers.reports.story import story
from consumers.troubles.ledger import Expected
from consumers.troubles.trouble import Trouble
from consumers.troubles.workers import beat
from streams.budget_state import BudgetState
from streams.systems import System, salesforce_id

pytestmark = pytest.mark.integration
NOW = 1_800_000_000_000
LEAD = "00QA0000001tXYZMA2"


@pytest.fixture
async def database(postgres: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(postgres)
    try:
        yield connection
    finally:
        await connection.close()


async def status(connection: Any, *, now_ms: int, **more: Any) -> Status:
    return await status_of(connection, Expected(now_ms=now_ms, day_calls={System.SALESFORCE: 100_000, System.MARKETO: 50_000}), **more)


async def add_pair(database: Any, *, salesforce: str | None, marketo: str | None, email: str | None = None, **more: Any) -> int:
    state = PairState(
        salesforce=Record(id=salesforce or ""), marketo=Record(id=marketo or ""), fields=more.pop("fields", {}), hold=more.get("held") or ""
    )
    added: int = await database.fetchval(
        "insert into pairs (salesforce_object, salesforce_id, marketo_id, match_key, state, held, contested, updated_at)"
        " values ('lead', $1, $2, $3, $4, $5, $6, 0) returning id",
        salesforce, marketo, email, pack(state), more.get("held"), more.get("contested", False),
    )  # fmt: skip
    return added


async def decide(database: Any, pair: int, at: int, *rulings: Ruling, kind: str = "judged", outcome: str = "") -> None:
    decision = Decision(kind=kind, at=at, pair=pair, system=System.MARKETO, record="7", fields=rulings, outcome=outcome)
    await database.execute("insert into decisions (at, pair, kind, body) values ($1, $2, $3, $4)", at, pair, kind, encode(decision))


def ruling(verdict: Verdict, field: str = "title", value: str = "x") -> Ruling:
    return Ruling(field=field, verdict=verdict, value=value, agreed=value)


async def test_an_empty_ledger_has_a_status(postgres: str) -> None:
    async with ledger_connection(postgres) as connection:
        told = await status(connection, now_ms=NOW)
    assert (told.pairs, told.due, told.sources, told.partitions, told.spent, told.dead_letters) == ((), (), (), (), (), 0)


async def test_status(postgres: str, database: Any) -> None:
    await add_pair(database, salesforce=LEAD, marketo="7")
    await add_pair(database, salesforce=None, marketo="8", held="ambiguous match: 2 people")
    contested = Field(value="x", version=1, hold="contested: marketo undoes our write")
    pair = await add_pair(database, salesforce="00QA0000001tXYaMAM", marketo="9", contested=True, fields={"title": contested})
    await database.executemany(
        "insert into due (kind, pair, lane, at) values ($1, $2, $3, $4)",
        [(Kind.WRITE_MARKETO, 1, 0, NOW - 2_000), (Kind.WRITE_MARKETO, 2, 0, NOW + 9_000), (Kind.LOOK_SALESFORCE, 3, 1, NOW + 5_000)],
    )
    await database.execute(
        "insert into source_positions values ('marketo.activities', 1, 'token', $1, $1, $1, 'host-1'),"
        " ('salesforce.cdc', 1, null, null, null, $1, 'host-1')",
        round(time.time() * 1000) - 60_000,
    )
    await database.execute("insert into gaps (source, object, reason, opened_ms) values ('salesforce.cdc', 'lead', 'expired replay id', 1)")
    await database.execute("insert into gaps (source, reason, opened_ms, closed_ms) values ('salesforce.cdc', 'closed long ago', 1, 2)")
    await database.execute("insert into partition_offsets values ('crm.salesforce.lead.v1', 0, 90), ('crm.salesforce.lead.v1', 1, 5)")
    state = BudgetState(day_ends=NOW + 1, day_used=123, day_limit=50_000, blocked_until=NOW + 4_000)
    await database.execute("insert into budgets values ('marketo', 1, $1)", msgspec.json.encode(state).decode())
    await database.execute(
        "insert into budget_spent values ('marketo', (now() at time zone 'utc')::date, 0, 'write', 100),"
        " ('marketo', '2001-01-01', 0, 'write', 7)"
    )
    await decide(database, pair, NOW - 400_000, ruling(Verdict.LOST))
    await decide(database, pair, NOW - 1_000, ruling(Verdict.ACCEPTED), ruling(Verdict.ECHO, "phone"))
    await decide(database, pair, NOW - 500, ruling(Verdict.ACCEPTED), kind="written", outcome="update done")
    await database.execute(
        'insert into dead_letters (at, stage, reason, topic, partition, "offset", original)'
        " values (1, 'observe', 'not JSON', 't', 0, 1, ''), (2, 'observe', 'not JSON', 't', 0, 2, '')"
    )

    async with ledger_connection(postgres) as connection:
        told = await status(connection, now_ms=NOW, ends={("crm.salesforce.lead.v1", 0): 100, ("crm.marketo.person.v1", 0): 4})

    (pairs,) = told.pairs
    assert (pairs.object, pairs.pairs, pairs.linked, pairs.only_marketo, pairs.held, pairs.contested) == ("lead", 3, 2, 1, 1, 1)
    assert [(each.what, each.system, each.lane, each.pairs, each.due, each.oldest_ms) for each in told.due] == [
        ("write", "marketo", "live", 2, 1, 2_000),
        ("look", "salesforce", "repair", 1, 0, -5_000),
    ]
    assert told.held == {"ambiguous match": 1}
    assert told.contested == {"title: contested: marketo undoes our write": 1}
    activities, cdc = told.sources
    assert activities.saved_ago_ms is not None
    assert 60_000 <= activities.saved_ago_ms < 120_000
    assert (cdc.begun, cdc.saved_ago_ms, cdc.gaps) == (False, None, ("lead: expired replay id",))
    assert [(each.topic, each.partition, each.behind) for each in told.partitions] == [
        ("crm.marketo.person.v1", 0, 4),
        ("crm.salesforce.lead.v1", 0, 10),
        ("crm.salesforce.lead.v1", 1, 0),
    ]
    (spent,) = told.spent
    assert (spent.system, spent.used, spent.limit, spent.blocked_ms, spent.by_purpose) == (
        "marketo",
        123,
        50_000,
        4_000,
        {"live write": 100},
    )
    assert told.verdicts == {"accepted": 1, "echo": 1}
    assert told.writes == {"written marketo: update done": 1}
    assert (told.dead_letters, told.dead_reasons) == (2, {"observe: not JSON": 2})


async def test_the_limit_is_the_systems_word_or_the_configurations(postgres: str, database: Any) -> None:
    for system, limit in (("marketo", None), ("salesforce", 77_000)):
        state = BudgetState(day_used=5, day_limit=limit)
        await database.execute("insert into budgets values ($1, 1, $2)", system, msgspec.json.encode(state).decode())
    async with ledger_connection(postgres) as connection:
        told = await status(connection, now_ms=NOW)
    assert {each.system: each.limit for each in told.spent} == {"marketo": 50_000, "salesforce": 77_000}


async def test_in_step_once_every_role_is_run_and_nothing_is_wrong(postgres: str, database: Any) -> None:
    await beat(database, "one", ["relay.salesforce", "observe"], [])
    await beat(database, "two", ["settle.marketo", "reconcile.person"], [])
    async with ledger_connection(postgres) as connection:
        told = await status(connection, now_ms=NOW)
    assert (told.state, told.troubles) == (State.IN_STEP, ())


async def test_what_nobody_runs_is_a_trouble(postgres: str, database: Any) -> None:
    async with ledger_connection(postgres) as connection:
        (none,) = (await status(connection, now_ms=NOW)).troubles
        assert "no worker runs" in none.what
        await beat(database, "one", ["relay.salesforce", "observe", "settle.marketo"], [])
        told = await status(connection, now_ms=NOW)
        assert told.state is State.DEGRADED
        assert [each.where for each in told.troubles] == ["reconcile"]
        await beat(database, "two", ["reconcile.person"], [])
        await database.execute("update workers set beat_at = now() - interval '31 seconds' where worker = 'two'")
        (gone,) = (await status(connection, now_ms=NOW)).troubles
        assert (gone.where, gone.since_ms > 0) == ("reconcile", True)


async def test_what_workers_find_wrong_is_told_once_and_since_the_first_of_them(postgres: str, database: Any) -> None:
    roles = ["relay.marketo", "observe", "settle.marketo", "reconcile.person"]
    for worker, since in (("one", 500), ("two", 300)):
        await beat(database, worker, roles, [Trouble(where="observe", what="Kafka is away", since_ms=since)])
    async with ledger_connection(postgres) as connection:
        told = await status(connection, now_ms=NOW, found=(Trouble(where="kafka", what="can't be reached", away=True),))
    assert [(each.where, each.since_ms) for each in told.troubles] == [("kafka", 0), ("observe", 300)]
    assert told.away


@pytest.mark.parametrize(
    ("budget", "what"),
    [
        (BudgetState(blocked_until=NOW + 54_000_000, probe_at=NOW + 300_000), "Marketo takes no calls"),
        (BudgetState(day_used=50_000, day_ends=NOW + 300_000), r"Marketo's calls of the day are used up \(50,000 of 50,000\)"),
    ],
)
async def test_a_system_that_takes_no_calls_is_degraded_with_the_next_try(
    postgres: str, database: Any, budget: BudgetState, what: str
) -> None:
    await beat(database, "one", ["relay.marketo", "observe", "settle.marketo", "reconcile.person"], [])
    await database.execute("insert into budgets values ('marketo', 1, $1)", msgspec.json.encode(budget).decode())
    async with ledger_connection(postgres) as connection:
        told = await status(connection, now_ms=NOW)
    (trouble,) = told.troubles
    assert re.match(what, trouble.what)
    assert (told.state, trouble.again_ms) == (State.DEGRADED, NOW + 300_000)


async def test_lag_is_unknown_without_kafka(postgres: str, database: Any) -> None:
    await database.execute("insert into partition_offsets values ('crm.salesforce.lead.v1', 0, 90)")
    async with ledger_connection(postgres) as connection:
        (partition,) = (await status(connection, now_ms=NOW)).partitions
    assert partition.behind is None


async def test_recent_decisions_are_counted_over_pages(postgres: str, database: Any) -> None:
    body = encode(Decision(kind="judged", at=NOW, pair=1, system=System.MARKETO, record="7", fields=(ruling(Verdict.ACCEPTED),)))
    await database.executemany(
        "insert into decisions (at, pair, kind, body) values ($1, 1, 'judged', $2)",
        [(NOW - 10 * 60_000, body)] * 50 + [(NOW, body)] * 4_500,
    )
    async with ledger_connection(postgres) as connection:
        told = await status(connection, now_ms=NOW)
    assert (told.verdicts, told.recent_partial) == ({"accepted": 4_500}, False)


@pytest.mark.parametrize("name", [LEAD, LEAD[:15], "7", "zoe@example.com", " ZOE@example.com ", "pair:{pair}"])
async def test_a_pair_is_found_by_every_name_it_has(postgres: str, database: Any, name: str) -> None:
    pair = await add_pair(database, salesforce=salesforce_id(LEAD), marketo="7", email="zoe@example.com")
    async with ledger_connection(postgres) as connection:
        (found,) = await find(connection, name.replace("{pair}", str(pair)))
    assert (found.pair, found.state.marketo.id) == (pair, "7")


async def test_an_e_mail_may_mean_several_people(postgres: str, database: Any) -> None:
    first = await add_pair(database, salesforce=None, marketo="7", email="a@example.com")
    second = await add_pair(database, salesforce=None, marketo="8", email="a@example.com")
    async with ledger_connection(postgres) as connection:
        assert [each.pair for each in await find(connection, "a@example.com")] == [first, second]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no@example.com", "no person with the e-mail no@example.com is known"),
        ("123", "no record 123 is known"),
        (LEAD, f"no record {LEAD} is known"),
        ("Zoë Ångström", "is neither a Salesforce id"),
        ("pair:99", "no record pair:99 is known"),
    ],
)
async def test_an_unknown_name_is_answered_with_a_hint(postgres: str, name: str, said: str) -> None:
    async with ledger_connection(postgres) as connection:
        with pytest.raises(UnknownRecord, match=said):
            await find(connection, name)


async def test_a_story_is_told_oldest_first_and_from_the_newest_on(postgres: str, database: Any) -> None:
    for number in range(1_200):
        await decide(database, 3, NOW + number, ruling(Verdict.ACCEPTED, "title" if number % 2 else "phone", f"v{number}"))
    await decide(database, 4, NOW, ruling(Verdict.ACCEPTED, "title", "of another pair"))
    async with ledger_connection(postgres) as connection:
        whole = await story(connection, 3, "title", most=10_000)
        newest = await story(connection, 3, "title", most=2)
    assert [each.value for each in whole] == [f"v{number}" for number in range(1, 1_200, 2)]
    assert [each.value for each in newest] == ["v1197", "v1199"]


async def test_reports_can_not_write(postgres: str) -> None:
    async with ledger_connection(postgres) as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("delete from pairs")


async def test_a_database_without_tables_is_told(postgres_server: Any) -> None:
    async def ask() -> None:
        async with ledger_connection(postgres_server.dsn("postgres")) as connection:
            await status(connection, now_ms=NOW)

    with pytest.raises(Unreachable, match="no ledger yet; run tandem-migrate"):
        await ask()


@pytest.mark.parametrize("dsn", ["postgresql://someone:s3cret@127.0.0.1:1/x", "postgresql://someone:s3cret@[broken/x", "nonsense"])
async def test_an_unreachable_database_is_told_without_its_password(dsn: str) -> None:
    with pytest.raises(Unreachable, match="PostgreSQL can't be reached") as caught:
        async with ledger_connection(dsn):
            pass
    assert "s3cret" not in str(caught.value)
