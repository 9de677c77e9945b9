"""A ledger in which something of everything has happened, for looking at pages: most of it needs somebody."""

import time
from typing import Any

import asyncpg

from consumers.judging.meeting.candidates import AMBIGUOUS
from consumers.merge.pair.decision import Decision, Origin, Ruling, Verdict, encode
from consumers.merge.pair.state import Field, Side
from consumers.troubles.workers import GROUPS
from streams.wire.events import Happened
from streams.wire.systems import MARKETO, SALESFORCE, salesforce_id
from tests.consumers.reports.test_reports_on_postgres import add_family, add_pair

CANARY = '<script>window.canary = 1</script>"\'><img src=x onerror="window.canary = 1">'
"""What must stay text wherever it is shown."""


def both(value: str | float | bool | None, *, version: int = 1, **more: Any) -> Field:
    """Of one mind."""
    side = Side(seen=value, shows=version, seen_at=1_780_000_000_000)
    return Field(value=value, version=version, salesforce=side, marketo=side, **more)


async def fill(postgres: str) -> dict[str, int]:
    """The pairs by what they are there for."""
    connection = await asyncpg.connect(postgres)
    try:
        return await _fill(connection, round(time.time() * 1000))
    finally:
        await connection.close()


async def _fill(connection: Any, now: int) -> dict[str, int]:
    await add_family(connection)
    lead = [salesforce_id(f"00Q{n:012d}") for n in range(1, 6)]
    ada = {"email": both("ada@example.com"), "firstName": both("Ada"), "lastName": both("Lovelace"), "title": both("Countess", version=2)}
    behind = Side(seen="0171 555", shows=0)
    ada["phone"] = Field(value="0170 555 0101", version=2, salesforce=Side(seen="0170 555 0101", shows=2), marketo=behind)
    pairs = {"ada": await add_pair(connection, salesforce=lead[0], marketo="1001", email="ada@example.com", fields=ada)}
    evil = {name: both(CANARY) for name in ("firstName", "lastName", "title", "company", "city", "phone", "leadStatus", "website")}
    evil["email"] = both("canary@example.com")
    pairs["canary"] = await add_pair(connection, salesforce=lead[1], marketo="1002", email="canary@example.com", fields=evil)
    torn = Field(
        value="Engineer",
        version=3,
        hold=f"review: {CANARY}",
        salesforce=Side(seen="Chief Engineer", shows=0),
        marketo=Side(seen="CTO", shows=0),
    )
    fields = {"email": both("grace@example.com"), "lastName": both("Hopper"), "title": torn}
    pairs["conflict"] = await add_pair(
        connection, salesforce=lead[2], marketo="1003", email="grace@example.com", fields=fields, contested=True
    )
    twin = {"email": both("twin@example.com"), "lastName": both("Doe"), "title": both("Doctor")}
    also = Field(value="Nurse", version=2, hold="review: both changed", salesforce=Side(seen="Matron", shows=0), marketo=Side(seen="Nurse"))
    named = {"email": both("edith@example.com"), "lastName": both("Cavell"), "title": also}
    pairs["similar"] = await add_pair(
        connection, salesforce=lead[4], marketo="1004", email="edith@example.com", fields=named, contested=True
    )
    pairs["held"] = await add_pair(
        connection,
        salesforce=lead[3],
        marketo=None,
        email="twin@example.com",
        fields=twin,
        held=f"{AMBIGUOUS}: 2 people in Marketo; {CANARY}",
        waits="twin@example.com",
    )
    for marketo, title in (("1005", "Doctor"), ("1006", CANARY)):
        other = {**twin, "title": both(title)}
        pairs[f"twin {marketo}"] = await add_pair(connection, salesforce=None, marketo=marketo, email="twin@example.com", fields=other)
    refusal = "insert into refusals (pair, system, field, reason, since_ms) values ($1, 'salesforce', 'title', $2, $3)"
    await connection.execute(refusal, pairs["canary"], f"FIELD_CUSTOM_VALIDATION_EXCEPTION: {CANARY}", now - 600_000)
    letter = """
        insert into dead_letters (at, stage, reason, topic, partition, "offset", key, original)
        values ($1, 'observe', $2, $3, 0, 7, 'x', 'x')
    """
    await connection.execute(letter, now - 900_000, f"not an event: {CANARY}", "crm.salesforce.lead.v1")
    await connection.execute(
        "insert into gaps (source, object, since_ms, reason, cause, opened_ms)"
        " values ('salesforce.cdc', '', $1, 'replay id expired', 'expired', $2)",
        now - 7_200_000, now - 3_600_000,
    )  # fmt: skip
    await connection.execute("insert into partition_offsets values ('crm.salesforce.lead.v1', 0, 8), ('crm.marketo.person.v1', 0, 5)")
    worker = "insert into workers (worker, roles, troubles, recent, beat_at) values ('w', $1, '[]', '{}', now() + interval '1 hour')"
    await connection.execute(worker, list(GROUPS))
    await connection.execute(
        "insert into audit_log (at, who, act, what, why) values ($1, 'olga', 'link', '{\"campaign\": \"7\"}', $2)", now - 60_000, CANARY
    )
    delivery = """
        insert into deliveries (name, topic, way, url, choice, revealed, places, created_at, created_by, changed_at, delivered,
            delivered_at, attempts, next_at, failing_since, trouble)
        values ('billing', 'crm.decisions.v1', 'webhook', 'https://hooks.example.com/tandem', '{"verdicts": ["lost"]}', false, '{"0": 7}',
            $1, 'olga', $1, 41, $1, 3, $2, $1, $3)
    """
    await connection.execute(delivery, now - 7_200_000, now + 60_000, f"it answered 500; {CANARY}")
    version = "insert into config_versions (number, digest, since_ms, rules, file) values ($1, $2, $3, $4::jsonb, $5::jsonb)"
    was, now_is = '{"lead": {"title": "Title, salesforce@1"}}', '{"lead": {"title": "Title, marketo@1"}}'
    file = '{"lead": {"fields": {"title": {"rule": "salesforce"}}}}'
    await connection.execute(version, 1, "a", now - 86_400_000, was, file)
    await connection.execute(version, 2, "b", now - 3_600_000, now_is, "{}")
    for decision in _decisions(pairs["ada"], pairs["canary"], lead[0], now):
        await connection.execute(
            "insert into decisions (at, pair, kind, body) values ($1, $2, $3, $4)",
            decision.at,
            decision.pair,
            decision.kind,
            encode(decision),
        )
    return pairs


def _decisions(ada: int, canary: int, lead: str, now: int) -> list[Decision]:
    def told(kind: str, at: int, fields: tuple[Ruling, ...], pair: int = ada, **more: Any) -> Decision:
        system = more.pop("system", SALESFORCE)
        return Decision(kind=kind, at=at, pair=pair, system=system, record=lead if system is SALESFORCE else "1001", fields=fields, **more)

    edit = Origin(
        topic="crm.salesforce.lead.v1",
        partition=0,
        offset=1,
        source="salesforce.cdc",
        kind=Happened.UPDATED,
        at=now - 61_000,
        author=CANARY,
    )
    lady = Ruling(field="title", verdict=Verdict.ACCEPTED, value="Lady", agreed="Lady", version=1)
    title = Ruling(field="title", verdict=Verdict.WON, value="Countess", agreed="Countess", lost="Lady", version=2, rule="marketo@1")
    evil = Ruling(field="title", verdict=Verdict.ACCEPTED, value=CANARY, agreed=CANARY, version=1, reason=CANARY)
    echo = Ruling(field="title", verdict=Verdict.ECHO, value="Countess", agreed="Countess", version=2)
    wrote = Ruling(field="title", verdict=Verdict.ACCEPTED, value="Countess", version=2)
    return [
        told("judged", now - 7_200_000, (lady,), system=MARKETO),
        told("judged", now - 60_000, (title,), event=edit),
        told("written", now - 59_200, (wrote,), system=MARKETO, write=9, outcome="update done"),
        told("judged", now - 58_000, (echo,), system=MARKETO, event=edit),
        told("judged", now - 50_000, (evil,), canary, event=edit),
    ]
