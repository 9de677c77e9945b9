"""Of every table it is known what keeps it from growing for ever: whoever adds one says so here."""

import re

from consumers.retention.shelves import NAMES
from infra.postgres.migrate import read_migrations

KEPT_FOR_A_TIME = {
    "pairs": "deleted_people",
    "decisions": "decisions",
    "decision_blocks": "decisions",
    "decision_links": "decisions",
    "dead_letters": "dead_letters",
    "cycles": "cycles",
    "gaps": "gaps",
    "gap_reads": "gaps",
    "coverage": "coverage",
    "differences": "differences",
    "audit_log": "audit_log",
    "budget_spent": "calls",
    "errand_batches": "errands",
    "errands": "errands",
    "workers": "workers",
    "leases": "leases",
}
"""By the shelf that they are on; living people and open gaps stay."""

BOUNDED_OTHERWISE = {
    "due": "four rows a pair at the most, gone when done or with the pair",
    "relations": "a row a reference of a pair, gone with the pair",
    "refusals": "a row a field of a pair, gone when taken or with the pair",
    "former": "a row a record that was merged or converted, gone with the pair that it is part of",
    "conflicts_waiting": "taken off once the conflict is decided, or its pair has ended",
    "pairs_ended": "taken off once the state topics have told it",
    "left_behind": "only what a pair waits for; taken off by the next batch",
    "known_fields": "a row a field of the systems' schemas, gone some months after the field",
    "audits": "a row or two a kind of record",
    "partition_offsets": "a row a partition",
    "source_positions": "a row a source",
    "budgets": "a row a system",
    "outbox": "a row a topic",
    "pauses": "a row a pause that somebody has asked for, gone when it ends",
    "campaign_links": "a row a campaign that somebody has linked, gone when it is unlinked",
    "copies": "a row a first copy that somebody has asked for: a few in a life",
    "config_versions": "a row a change of the rules, which people make",
    "findings": "a row a question (`echo`: knowledge, no report)",
    "confirmed_deletes": "a row a kind of record",
    "braked_deletes": "a row a kind of record",
    "console_sign_ins": "ten minutes at the most; swept out whenever a sign-in is begun",
    "asked_by_programs": "a day at the most; swept out whenever a program acts under a key",
    "deliveries": "a row a delivery that somebody has made, gone when it is deleted",
    "delivery_secrets": "one a delivery, and those before it for as long as they still sign",
    "console_sessions": "half a day at the most; swept out whenever somebody signs in",
}


def tables() -> set[str]:
    found: set[str] = set()
    for migration in read_migrations():
        found |= set(re.findall(r"^create table (?:if not exists )?(\w+)", migration.sql, re.IGNORECASE | re.MULTILINE))
        found -= set(re.findall(r"^drop table (?:if exists )?(\w+)", migration.sql, re.IGNORECASE | re.MULTILINE))
    return found


def test_every_table_is_bounded() -> None:
    assert tables() == KEPT_FOR_A_TIME.keys() | BOUNDED_OTHERWISE.keys(), "say what keeps a new table from growing for ever"
    assert not KEPT_FOR_A_TIME.keys() & BOUNDED_OTHERWISE.keys()


def test_every_shelf_is_of_a_table() -> None:
    assert set(KEPT_FOR_A_TIME.values()) == set(NAMES)
