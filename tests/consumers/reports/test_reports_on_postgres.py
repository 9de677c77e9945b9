"""The reports against a real ledger."""

import io
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest
from rich.console import Console

from consumers.cli.text.looking.record import print_record
from consumers.cli.text.status import print_status
from consumers.configuration.mapping.defaults import build
from consumers.kinds.registry import KINDS
from consumers.ledger.port import Duty
from consumers.merge.pair.decision import Decision, Ruling, Verdict, encode
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.pair.stored import pack
from consumers.reports.database import ledger_connection
from consumers.reports.records.parents import kept, of
from consumers.reports.records.people import UnknownRecord, find
from consumers.reports.records.record import shown
from consumers.reports.records.relations import relations_of
from consumers.reports.records.story import decisions_about, story
from consumers.reports.standing.lists import Queue, listed
from consumers.reports.standing.status import State, Status, impersonal
from consumers.reports.standing.status import status as status_of
from consumers.troubles.ledger import Expected
from consumers.troubles.trouble import Trouble
from consumers.troubles.workers import GROUPS, SERVING, beat, worker_troubles
from streams.budget.reckoning.limits import MARKETO, SALESFORCE
from streams.budget.reckoning.state import BudgetState
from streams.wire.errors import Fatal, Retry, Unprepared
from streams.wire.events import Value
from streams.wire.systems import CONTACT, Object, System, salesforce_id
from tests.consumers.configuration.test_default_mapping import SETTINGS

pytestmark = pytest.mark.integration
NOW = 1_800_000_000_000
LIMITS = {System.SALESFORCE: SALESFORCE, System.MARKETO: MARKETO}
LEAD = "00QA0000001tXYZMA2"


@pytest.fixture
async def database(postgres: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(postgres)
    try:
        yield connection
    finally:
        await connection.close()


async def status(connection: Any, *, now_ms: int, **more: Any) -> Status:
    return await status_of(connection, Expected(now_ms=now_ms, limits=LIMITS), **more)


async def add_pair(database: Any, *, salesforce: str | None, marketo: str | None, email: str | None = None, **more: Any) -> int:
    obj, counterpart = more.pop("object", Object("lead")), more.pop("counterpart", Object("person"))
    state = PairState(
        object=obj, counterpart=counterpart, salesforce=Record(id=salesforce or ""), marketo=Record(id=marketo or ""),
        fields=more.pop("fields", {}), hold=more.get("held") or "", waits=more.pop("waits", ""),
    )  # fmt: skip
    added: int = await database.fetchval(
        "insert into pairs (salesforce_object, marketo_object, salesforce_id, marketo_id, match_key, state, held, contested, updated_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, 0) returning id",
        obj, counterpart, salesforce, marketo, email, pack(state), more.get("held"), more.get("contested", False),
    )  # fmt: skip
    return added


ACCOUNT_ID, USER_ID, UNKNOWN_ID = (salesforce_id(f"{prefix}000000000001") for prefix in ("001", "005", "006"))


async def add_family(database: Any) -> tuple[int, int]:
    """An account that a user owns, with two contacts and a lead, who waits for a user; the numbers of the account and of a contact."""
    named = {"company": Field(value="Acme", version=1)}
    account: dict[str, Any] = {"object": Object("account"), "counterpart": Object("company"), "fields": named}
    one = await add_pair(database, salesforce=ACCOUNT_ID, marketo=ACCOUNT_ID, **account)
    called = {"firstName": Field(value="Otto", version=1), "lastName": Field(value="Hahn", version=1)}
    user: dict[str, Any] = {"object": Object("user"), "counterpart": Object("salesperson"), "fields": called}
    await add_pair(database, salesforce=USER_ID, marketo=USER_ID, **user)
    sorts = [Object("contact"), Object("contact"), Object("lead")]
    people = [
        await add_pair(database, salesforce=salesforce_id(f"003{n:012d}"), marketo=str(n), object=obj) for n, obj in enumerate(sorts, 1)
    ]
    told = [(child, "externalCompanyId", ACCOUNT_ID, False) for child in people]
    told += [(people[0], "externalSalesPersonId", UNKNOWN_ID, True), (one, "externalSalesPersonId", USER_ID, False)]
    await database.executemany("insert into relations values ($1, $2, $3, $4)", told)
    return one, people[0]


async def test_every_kind_is_counted_apart_and_people_alone_are_people(postgres: str, database: Any) -> None:
    await add_family(database)
    async with ledger_connection(postgres) as connection:
        told = await status(connection, now_ms=NOW)
    assert (told.pairs.kind, told.pairs.pairs, told.pairs.linked, told.pairs.objects) == ("person", 3, 3, {"lead": 1, "contact": 2})
    counted = {each.kind: (each.pairs, each.linked, each.objects) for each in told.others}
    assert (counted["account"], counted["user"]) == ((1, 1, {"account": 1}), (1, 1, {"user": 1}))
    assert counted.keys() == {kind.name for kind in KINDS if not kind.is_person}
    shown = io.StringIO()
    print_status(Console(file=shown, width=120), told, everything=False)
    lines = shown.getvalue().splitlines()
    assert "3 people: 3 on both sides." in lines
    assert "1 account: 1 on both sides." in lines
    assert "1 user: 1 on both sides." in lines


async def test_what_a_record_belongs_to_and_what_belongs_to_it(postgres: str, database: Any) -> None:
    account, contact = await add_family(database)
    rules = build(SETTINGS)
    async with ledger_connection(postgres) as connection:
        ((above,), (below,)) = (await find(connection, ACCOUNT_ID), await find(connection, f"pair:{contact}"))
        of_account = await relations_of(connection, account, above.state, rules)
        of_contact = await relations_of(connection, contact, below.state, rules)
    assert [each.told for each in of_account.children] == ["2 contacts", "1 lead"]
    assert [(each.kind, each.name, each.waiting) for each in of_account.parents] == [("user", "Otto Hahn", False)]
    assert [(each.kind, each.name, each.salesforce_id, each.waiting) for each in of_contact.parents] == [
        ("account", "Acme", ACCOUNT_ID, False), ("user", "", UNKNOWN_ID, True),
    ]  # fmt: skip
    assert of_contact.children == ()
    shown_text = io.StringIO()
    console = Console(file=shown_text, width=120)
    print_record(console, shown(account, above.state, rules, {}, relations=of_account), everything=False)
    print_record(console, shown(contact, below.state, rules, {}, relations=of_contact), everything=False)
    lines = [line.strip() for line in shown_text.getvalue().splitlines()]
    assert lines[0].startswith("Acme, account ")
    assert "belongs to user Otto Hahn (" + USER_ID + ")" in lines
    assert "has 2 contacts, 1 lead" in lines
    assert f"belongs to account Acme ({ACCOUNT_ID})" in lines
    assert f"belongs to user ({UNKNOWN_ID}) (waits for it: it is not in Marketo yet)" in lines


async def decide(database: Any, pair: int, at: int, *rulings: Ruling, kind: str = "judged", outcome: str = "") -> None:
    decision = Decision(kind=kind, at=at, pair=pair, system=System.MARKETO, record="7", fields=rulings, outcome=outcome)
    await database.execute("insert into decisions (at, pair, kind, body) values ($1, $2, $3, $4)", at, pair, kind, encode(decision))


def ruling(verdict: Verdict, field: str = "title", value: str = "x") -> Ruling:
    return Ruling(field=field, verdict=verdict, value=value, agreed=value)


async def test_an_empty_ledger_has_a_status(postgres: str) -> None:
    async with ledger_connection(postgres) as connection:
        told = await status(connection, now_ms=NOW)
    assert (told.pairs.pairs, told.due, told.sources, told.partitions, told.spent, told.dead_letters) == (0, (), (), (), (), 0)


async def test_status(postgres: str, database: Any) -> None:
    await add_pair(database, salesforce=LEAD, marketo="7")
    await add_pair(database, salesforce=None, marketo="8", held="ambiguous match: 2 people")
    contested = Field(value="x", version=1, hold="contested: marketo undoes our write")
    await add_pair(database, salesforce="00QA0000001tXYaMAM", marketo="9", contested=True, fields={"title": contested})
    await database.executemany(
        "insert into due (kind, pair, lane, at) values ($1, $2, $3, $4)",
        [(Duty.WRITE_MARKETO, 1, 0, NOW - 2_000), (Duty.WRITE_MARKETO, 2, 0, NOW + 9_000), (Duty.LOOK_SALESFORCE, 3, 1, NOW + 5_000)],
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
    await beat(database, "one", ["observe"], [], {"accepted": 1, "echo": 1})
    await beat(database, "two", ["observe"], [], {"accepted": 2})
    await beat(database, "gone", ["observe"], [], {"accepted": 9})
    await database.execute("update workers set beat_at = now() - interval '6 minutes' where worker = 'gone'")
    await database.execute(
        'insert into dead_letters (at, stage, reason, topic, partition, "offset", original)'
        " values (1, 'observe', 'not JSON', 't', 0, 1, ''), (2, 'observe', 'not JSON', 't', 0, 2, '')"
    )

    async with ledger_connection(postgres) as connection:
        told = await status(connection, now_ms=NOW, ends={("crm.salesforce.lead.v1", 0): 100, ("crm.marketo.person.v1", 0): 4})

    pairs, waiting = told.pairs, told.waiting
    assert (pairs.pairs, pairs.linked, pairs.only_marketo, pairs.only_salesforce, pairs.objects) == (3, 2, 1, 0, {"lead": 3, "contact": 0})
    assert (waiting.held, waiting.contested, pairs.about) == (1, 1, False)
    assert [(each.what, each.system, each.lane, each.pairs, each.due, each.oldest_ms) for each in told.due] == [
        ("write", "marketo", "live", 2, 1, 2_000),
        ("look", "salesforce", "repair", 1, 0, -5_000),
    ]
    assert waiting.why_held == {"ambiguous match": 1}
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
    assert told.recent == {"accepted": 3, "echo": 1}
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


async def test_flow_steps_that_nobody_serves_are_a_trouble_where_they_are_configured(postgres: str, database: Any) -> None:
    await beat(database, "one", ["relay.salesforce", "observe", "settle.marketo", "reconcile.person"], [])
    assert await worker_troubles(database) == []
    (missing,) = await worker_troubles(database, (*GROUPS, SERVING))
    assert (missing.where, "tandem run --role flow-steps" in missing.what) == ("flow-steps", True)
    await beat(database, "two", ["flow-steps.serve"], [])
    assert await worker_troubles(database, (*GROUPS, SERVING)) == []


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


async def test_an_open_gap_is_told_until_it_is_closed(postgres: str, database: Any) -> None:
    await beat(database, "one", ["relay.marketo", "observe", "settle.marketo", "reconcile.person"], [])
    await database.execute("insert into gaps (source, object, reason, opened_ms) values ('salesforce.cdc', 'lead', 'expired replay id', 7)")
    async with ledger_connection(postgres) as connection:
        told = await status(connection, now_ms=NOW)
        (trouble,) = told.troubles
        assert (told.state, trouble.since_ms) == (State.ATTENTION, 7)
        assert trouble.what == "changes of leads may be missing and are being read back (expired replay id)"
        await database.execute("update gaps set closed_ms = 8")
        assert (await status(connection, now_ms=NOW)).state is State.IN_STEP


async def test_lag_is_unknown_without_kafka(postgres: str, database: Any) -> None:
    await database.execute("insert into partition_offsets values ('crm.salesforce.lead.v1', 0, 90)")
    async with ledger_connection(postgres) as connection:
        (partition,) = (await status(connection, now_ms=NOW)).partitions
    assert partition.behind is None


async def test_a_large_ledger_is_estimated_and_a_status_never_reads_a_whole_table(postgres: str, database: Any) -> None:
    await database.execute(
        "insert into pairs (salesforce_object, salesforce_id, marketo_id, match_key, state, updated_at)"
        " select 'lead', case when n % 4 > 0 then 's' || n end, case when n % 4 < 3 then 'm' || n end, 'k' || n, $1, 0"
        " from generate_series(1, 40000) as n",
        pack(PairState(fields={"title": Field(value="x" * 200, version=1)})),
    )
    await database.execute("insert into due (kind, pair, lane, at) select 1, id, 0, id from pairs")
    await database.execute("insert into refusals select id, 'marketo', 'title', id || ' characters', id from pairs")
    body = encode(Decision(kind="judged", at=NOW, pair=1, system=System.MARKETO, record="7", fields=(ruling(Verdict.ACCEPTED),)))
    await database.execute("insert into decisions (at, pair, kind, body) select 1, 1, 'judged', $1 from generate_series(1, 30000)", body)
    await database.execute(
        "insert into dead_letters (at, stage, reason, original) select 1, 'observe', 'x', '' from generate_series(1, 30000)"
    )
    await database.execute("analyze")
    tables = "pairs", "due", "refusals", "decisions", "dead_letters"
    async with ledger_connection(postgres) as connection:
        await connection.execute("set stats_fetch_consistency = none")
        before = await rows_read(connection, tables)
        told = await status(connection, now_ms=NOW)
        await connection.execute("select pg_stat_force_next_flush()")
        read = {name: count - before[name] for name, count in (await rows_read(connection, tables)).items()}
    assert told.pairs.about
    assert told.pairs.pairs == pytest.approx(40_000, rel=0.1)
    assert told.pairs.linked == pytest.approx(20_000, rel=0.2)
    (owed,) = told.due
    assert (owed.pairs, owed.due, owed.oldest_ms) == (10_000, 10_000, NOW - 1)
    assert (told.waiting.refused, [each.records for each in told.waiting.why_refused], told.dead_letters) == (10_000, [1_000], 1_000)
    assert read == {name: pytest.approx(0, abs=45_000 if name == "due" else 15_000) for name in tables}
    assert read["pairs"] == read["decisions"] == 0


async def rows_read(connection: Any, tables: tuple[str, ...]) -> dict[str, int]:
    """How many rows of each table have been read by now, through indexes or not."""
    rows = await connection.fetch(
        "select relname, seq_tup_read + coalesce(idx_tup_fetch, 0) as read from pg_stat_user_tables where relname = any($1)", list(tables)
    )
    return {row["relname"]: row["read"] for row in rows}


async def test_refusals_are_grouped_by_what_is_refused_and_why(postgres: str, database: Any) -> None:
    pairs = [await add_pair(database, salesforce=None, marketo=str(number)) for number in range(4)]
    told = [
        ("title", "200 characters, salesforce takes at most 128 in Title"),
        ("title", "301 characters, salesforce takes at most 128 in Title"),
    ]
    told += [("title", "FIELD_CUSTOM_VALIDATION_EXCEPTION: no directors"), ("*", "DUPLICATES_DETECTED: known already")]
    for place, (pair, (field, reason)) in enumerate(zip(pairs, told, strict=True)):
        await database.execute("insert into refusals values ($1, 'salesforce', $2, $3, $4)", pair, field, reason, NOW - 10 + place)
    await beat(database, "one", ["relay.marketo", "observe", "settle.marketo", "reconcile.person"], [])
    async with ledger_connection(postgres) as connection:
        found = await status(connection, now_ms=NOW)
    assert [(each.field, each.reason.split(" ")[0], each.records) for each in found.waiting.why_refused] == [
        ("title", "200", 2),
        ("*", "DUPLICATES_DETECTED:", 1),
        ("title", "FIELD_CUSTOM_VALIDATION_EXCEPTION:", 1),
    ]
    assert found.state is State.ATTENTION
    (trouble,) = found.troubles
    assert (trouble.what, trouble.since_ms) == ("4 fields are refused by a system, see tandem list refused", NOW - 10)
    public = impersonal(found)
    assert [(each.field, each.reason) for each in public.waiting.why_refused] == [("title", ""), ("*", ""), ("title", "")]


@pytest.mark.parametrize("queue", Queue)
async def test_lists_name_the_people(postgres: str, database: Any, queue: Queue) -> None:
    def agreed(**values: Value) -> dict[str, Field]:
        shown = {key: Side(seen=value, shows=1) for key, value in values.items()}
        return {key: Field(value=value, version=1, salesforce=shown[key], marketo=shown[key]) for key, value in values.items()}

    who = agreed(firstName="Ada", lastName="Lovelace", email="ada@example.com")
    held = await add_pair(database, salesforce=LEAD, marketo=None, held="ambiguous match: 2 people", fields=who)
    title = Field(value="Countess", version=2, salesforce=Side(seen="Countess", shows=2), marketo=Side(shows=1), hold="")
    wrong = Field(value="x", version=2, salesforce=Side(shows=2), marketo=Side(shows=1), hold="contested: marketo undoes our write")
    pair = await add_pair(
        database, salesforce="00QA0000001tXYaMAM", marketo="9", contested=True, fields={**who, "title": title, "city": wrong}
    )
    await database.execute("insert into refusals values ($1, 'marketo', 'title', 'too long', 5)", pair)
    await database.execute("insert into due (kind, pair, lane, at) values ($1, $2, 0, 7)", Duty.WRITE_MARKETO, pair)
    rules = build(SETTINGS)
    async with ledger_connection(postgres) as connection:
        lines = await listed(connection, queue, rules, most=10)
    assert {(each.person, each.email) for each in lines} == {("Ada Lovelace", "ada@example.com")}
    assert [(each.pair, each.system, each.field, each.why, each.value, each.since_ms) for each in lines] == {
        Queue.HELD: [(held, "", "", "ambiguous match: 2 people", None, 0)],
        Queue.REFUSED: [(pair, "marketo", "title", "too long", "Countess", 5)],
        Queue.OWED: [(pair, "marketo", "title", "is to be written", "Countess", 7)],
        Queue.CONTESTED: [(pair, "", "city", "contested: marketo undoes our write", "x", 0)],
    }[queue]


@pytest.mark.parametrize("name", [LEAD, LEAD[:15], "7", "zoe@example.com", " ZOE@example.com ", "pair:{pair}"])
async def test_a_pair_is_found_by_every_name_it_has(postgres: str, database: Any, name: str) -> None:
    pair = await add_pair(database, salesforce=salesforce_id(LEAD), marketo="7", email="zoe@example.com")
    async with ledger_connection(postgres) as connection:
        (found,) = await find(connection, name.replace("{pair}", str(pair)))
    assert (found.pair, found.state.marketo.id) == (pair, "7")


@pytest.mark.parametrize("name", ["7c9e6679-7425-40de-944b-e07fc1f90ae7", "7C9E6679-7425-40DE-944B-E07FC1F90AE7"])
async def test_a_record_is_found_by_the_guid_that_marketo_gave_it(postgres: str, database: Any, name: str) -> None:
    role: dict[str, Any] = {"object": Object("role"), "counterpart": Object("role")}
    pair = await add_pair(database, salesforce=salesforce_id("00K000000000001"), marketo=name.lower(), **role)
    async with ledger_connection(postgres) as connection:
        (found,) = await find(connection, name)
    assert found.pair == pair


@pytest.mark.parametrize(("system", "obj", "name"), [("salesforce", "lead", "00QA0000001tXYZ"), ("marketo", "person", "4711")])
async def test_whoever_is_part_of_another_is_found_as_that_one(postgres: str, database: Any, system: str, obj: str, name: str) -> None:
    winner = await add_pair(database, salesforce=salesforce_id("00Q000000000077"), marketo="77")
    former = salesforce_id(name) if system == "salesforce" else name
    await database.execute("insert into former (system, object, id, pair) values ($1, $2, $3, $4)", system, obj, former, winner)
    async with ledger_connection(postgres) as connection:
        (found,) = await find(connection, name)
    assert (found.pair, found.was) == (winner, former)
    assert former in found.note


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
        whole = story(await decisions_about(connection, 3, "title", most=10_000), "title", most=10_000)
        newest = story(await decisions_about(connection, 3, "title", most=2), "title", most=2)
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

    with pytest.raises(Unprepared, match=r"has no tables of Tandem's yet\. Run tandem-migrate\."):
        await ask()


@pytest.mark.parametrize(
    ("dsn", "kind", "said"),
    [
        (
            "postgresql://someone:s3cret@127.0.0.1:1/x",
            Retry,
            r"PostgreSQL at 127\.0\.0\.1:1/x can't be reached .*Check that it runs",
        ),
        ("postgresql://someone:s3cret@[broken/x", Fatal, "Write postgres.dsn as postgresql://"),
        ("nonsense", Fatal, "Write postgres.dsn as postgresql://"),
    ],
)
async def test_an_unreachable_database_is_told_without_its_password(dsn: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        async with ledger_connection(dsn):
            pass
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("parent", "why"),
    [
        (None, "it is not known yet and will be read"),
        ({"held": "ambiguous match"}, "it is held: ambiguous match"),
        ({"gone": True}, "it was deleted in Salesforce, or is not visible to Tandem's user there"),
        ({"refused": "1003 no such company"}, "Marketo refuses it: 1003 no such company"),
        ({}, "it is on its way"),
    ],
)
async def test_what_keeps_a_parent_shows_on_each_child(postgres: str, database: Any, parent: dict[str, Any] | None, why: str) -> None:
    key, account = "externalCompanyId", "001000000000001AAA"
    waits = f"waits for account {account}, which is not in Marketo yet; it is written once it is"
    side = Side(shows=0, refused=1, reason=waits)
    fields = {key: Field(value=account, version=1, salesforce=Side(seen=account, shows=1), marketo=side)}
    children = [await add_pair(database, salesforce=f"00300000000000{number}AAA", marketo=str(number), fields=fields) for number in (1, 2)]
    for child in children:
        await database.execute("insert into relations values ($1, $2, $3, true)", child, key, account)
        await database.execute("insert into refusals values ($1, 'marketo', $2, $3, 1)", child, key, waits)
    if parent is not None:
        own = await add_pair(database, salesforce=account, marketo=None, held=parent.get("held"))
        await database.execute("update pairs set gone = $2 where id = $1", own, parent.get("gone", False))
        if parent.get("refused"):
            await database.execute("insert into refusals values ($1, 'marketo', '*', $2, 1)", own, parent["refused"])
    async with ledger_connection(postgres) as connection:
        lines = [each for each in await listed(connection, Queue.REFUSED, build(SETTINGS), most=9) if each.field == key]
        keeping = await kept(connection, children)
    assert {(each.pair, each.why) for each in lines} == {(child, f"{waits}; {why}") for child in children}
    assert of(keeping, children[0]) == {key: why}
    state = PairState(object=CONTACT, fields=fields, salesforce=Record(id="1", complete=True), marketo=Record(id="2", complete=True))
    told = next(each for each in shown(1, state, build(SETTINGS), {}, of(keeping, children[0])).fields if each.field == key)
    assert told.marketo.why == f"{waits}; {why}"
