"""Versions of the configuration: the rules that workers have run under, numbered whenever they changed. Decisions carry the number."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from consumers.mapping.fields import FieldMapping, SyncRules
from streams.ground.database import away_is_retry

_LOCK = "select pg_advisory_xact_lock(hashtext('tandem: config versions'))"
_LAST = "select number, digest, file is null as bare from config_versions order by number desc limit 1"
_KEEP = "insert into config_versions (number, digest, since_ms, rules, file) values ($1, $2, $3, $4::jsonb, $5::jsonb)"
_FILL = "update config_versions set file = $2::jsonb where number = $1 and file is null"
_ALL = "select number, digest, since_ms, rules from config_versions order by number desc limit $1"
_ONE = "select number, since_ms, rules, file from config_versions where $1 in (0, number) order by number desc limit 1"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept of a version. `rules`: in words; `file`: the part of the configuration that makes them, in the form of the file; None
    where a former version of Tandem has numbered it."""

    number: int
    since_ms: int
    rules: Words
    file: Mapping[str, Any] | None


async def numbered(pool: Any, rules: SyncRules, now_ms: int, file: Mapping[str, Any] | None = None) -> int:
    """The number of these rules: that of the last version where they are the same, else a new one. `file`: the part of the configuration
    that makes them. Raises `Retry` while the database is away."""
    written = orjson.dumps(file).decode() if file is not None else None
    with away_is_retry("number the rules"):
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK)
            last = await connection.fetchrow(_LAST)
            if last is not None and last["digest"] == rules.version:
                if last["bare"] and written is not None:
                    await connection.execute(_FILL, last["number"], written)
                return int(last["number"])
            number = 1 + (last["number"] if last is not None else 0)
            await connection.execute(_KEEP, number, rules.version, now_ms, orjson.dumps(words_of(rules)).decode(), written)
            return number


async def versions(connection: Any, most: int) -> list[Version]:
    """The newest first."""
    rows = await connection.fetch(_ALL, most + 1)
    told = [orjson.loads(row["rules"]) for row in rows]
    before = [*told[1:], None][: len(rows)]
    found = [
        Version(number=row["number"], digest=row["digest"], since_ms=row["since_ms"], changed=tuple(changes(was, now)) if was else ())
        for row, now, was in zip(rows, told, before, strict=True)
    ]
    return found[:most]


async def kept(connection: Any, number: int = 0) -> Kept | None:
    """A version; 0: the present one. None: there is none of that number (or none at all)."""
    row = await connection.fetchrow(_ONE, number)
    if row is None:
        return None
    file = orjson.loads(row["file"]) if row["file"] is not None else None
    return Kept(number=row["number"], since_ms=row["since_ms"], rules=orjson.loads(row["rules"]), file=file)


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


def changes(was: Words, now: Words) -> Iterator[str]:
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
