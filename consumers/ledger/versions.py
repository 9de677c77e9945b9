"""Versions of the configuration: the rules that workers have run under, numbered whenever they changed. Decisions carry the number."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from consumers.mapping.fields import FieldMapping, SyncRules
from streams.ground.database import away_is_retry

_LOCK = "select pg_advisory_xact_lock(hashtext('tandem: config versions'))"
_LAST = "select number, digest from config_versions order by number desc limit 1"
_KEEP = "insert into config_versions (number, digest, since_ms, rules) values ($1, $2, $3, $4::jsonb)"
_ALL = "select number, digest, since_ms, rules from config_versions order by number desc limit $1"
_PEOPLE = "people"
Words = Mapping[str, Mapping[str, str]]
"""By object, then by field: how it is mapped and decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One of them. `changed`: what is otherwise than in the version before, in words; of the first one, nothing."""

    number: int
    digest: str
    since_ms: int
    changed: tuple[str, ...]


async def numbered(pool: Any, rules: SyncRules, now_ms: int) -> int:
    """The number of these rules: that of the last version where they are the same, else a new one. Raises `Retry` while the database is
    away."""
    with away_is_retry("number the rules"):
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK)
            last = await connection.fetchrow(_LAST)
            if last is not None and last["digest"] == rules.version:
                return int(last["number"])
            number = 1 + (last["number"] if last is not None else 0)
            await connection.execute(_KEEP, number, rules.version, now_ms, orjson.dumps(words_of(rules)).decode())
            return number


async def versions(connection: Any, most: int) -> list[Version]:
    """The newest first."""
    rows = await connection.fetch(_ALL, most + 1)
    told = [orjson.loads(row["rules"]) for row in rows]
    before = [*told[1:], None][: len(rows)]
    found = [
        Version(number=row["number"], digest=row["digest"], since_ms=row["since_ms"], changed=tuple(_changes(was, now)) if was else ())
        for row, now, was in zip(rows, told, before, strict=True)
    ]
    return found[:most]


def words_of(rules: SyncRules) -> dict[str, dict[str, str]]:
    """Everything that the digest of the rules is made of, in words."""
    told = {str(obj): {item.key: _line(item) for item in mapping.fields} for obj, mapping in rules.objects.items()}
    told[_PEOPLE] = {
        "links": repr(rules.links),
        "qualify": repr(rules.qualification),
        "new": str(rules.new_people),
        "delete_in_salesforce": str(rules.delete_in_salesforce),
        "delete_in_marketo": ", ".join(
            str(obj) for obj, mapping in rules.objects.items() if mapping.is_person and mapping.delete_in_marketo
        ),
        "money": repr(rules.money),
    }
    return told


def _line(item: FieldMapping) -> str:
    rule = item.rule
    told = f"{item.salesforce or '(Tandem)'}, {item.type}, {item.direction}, {rule.name}@{rule.version} (else {rule.default})"
    return (
        f"{told}, tolerance {rule.tolerance_ms} ms, too long: {item.overlong}, unwanted: {item.unwanted}, default {item.required_default!r}"
    )


def _changes(was: Words, now: Words) -> Iterator[str]:
    for obj in sorted({*was, *now}):
        before, after = was.get(obj, {}), now.get(obj, {})
        for name in sorted({*before, *after}):
            one, other = before.get(name), after.get(name)
            if one == other:
                continue
            if one is None:
                yield f"{obj}.{name} is new: {other}"
            elif other is None:
                yield f"{obj}.{name} is gone: {one}"
            else:
                yield f"{obj}.{name}: {one} -> {other}"
