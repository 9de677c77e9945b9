"""What both systems' fields looked like when they were asked last: so that it is known what has appeared, vanished and changed since, also
while nobody was running; and which fields were kept in step then."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog

from consumers.fitting.left_out import Place
from consumers.fitting.sight import Returned
from consumers.mapping.describes import Describes, FieldFacts
from consumers.mapping.fields import Direction, FieldMapping, SyncRules
from streams.ground.database import away_is_retry
from streams.wire.systems import Object, System

RECALL = "select system, object, name, facts, before, since_ms, gone_ms, changed_ms, kept, kept_ms from known_fields"
KEEP = """
insert into known_fields (system, object, name, facts, before, since_ms, gone_ms, changed_ms, kept, kept_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (system, object, name) do update
    set facts = excluded.facts, before = excluded.before, since_ms = excluded.since_ms, gone_ms = excluded.gone_ms,
        changed_ms = excluded.changed_ms, kept = excluded.kept, kept_ms = excluded.kept_ms
"""
FORGET = "delete from known_fields where gone_ms between 1 and $1"
GONE_MS = 90 * 86_400_000
"""A field that is gone is remembered so long."""
_log = structlog.get_logger(__name__)

Key = tuple[System, Object, str]
"""System, Salesforce object, the field's API name."""


class Look(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of a field's description."""

    type: str = ""
    label: str = ""
    length: int = 0
    values: tuple[str, ...] = ()
    """Of a picklist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One field of one side. Times in ms, ours."""

    look: Look
    before: Look | None = None
    """How it looked before its last change."""
    since_ms: int = 0
    """When it was seen first; 0: it was there when anybody looked for the first time."""
    gone_ms: int = 0
    """Since when it is not there (or hidden); 0: it is."""
    changed_ms: int = 0
    kept: bool = False
    """Whether it was kept in step at the last look."""
    kept_ms: int = 0
    """When it was kept in step last; 0: never."""


Knowledge = Mapping[Key, Known]


def learnt(known: Knowledge, rules: SyncRules, describes: Describes, unread: Mapping[Place, Iterable[str]], now: int) -> dict[Key, Known]:
    """What is to be remembered otherwise than before. `unread`: what is left out now, by place. Pure."""
    changed: dict[Key, Known] = {}
    for obj, mapping in rules.objects.items():
        for system in System:
            facts = describes.of(system, mapping.named_on(system))
            mapped, out = mapping.by_name(system), set(unread.get((system, obj), ()))
            first = not any(key[:2] == (system, obj) for key in known)
            for name, told in facts.items():
                was = known.get((system, obj, name))
                new = _of(was, told, now, first=first, kept=name in mapped and name not in out)
                if new != was:
                    changed[system, obj, name] = new
            for key, was in known.items():
                if facts and key[:2] == (system, obj) and key[2] not in facts and not was.gone_ms:
                    changed[key] = replace(was, gone_ms=now, kept=False)
    return changed


def resumed(known: Knowledge, changed: Knowledge, rules: SyncRules) -> list[Returned]:
    """The fields that are kept in step now and weren't when anybody looked last: what changed meanwhile nobody has told. Pure.

    One that never was, and flows both ways, is left to meet when its records change: nobody knows yet what stands on the other side.
    """
    found = []
    for (system, obj, name), new in changed.items():
        was = known.get((system, obj, name))
        if not new.kept or (was is not None and was.kept) or not any(key[:2] == (system, obj) for key in known):
            continue
        item = rules.objects[obj].by_name(system)[name]
        if (was is not None and was.kept_ms) or _flows_from(item, system):
            since = was.kept_ms if was is not None else 0
            found.append(Returned(system=system, object=obj, name=name, since_ms=since))
    return found


async def recall(connection: Any) -> dict[Key, Known]:
    """Everything that is remembered."""
    rows = await connection.fetch(RECALL)
    return {(System(row["system"]), Object(row["object"]), row["name"]): _known(row) for row in rows}


async def keep(connection: Any, changed: Knowledge, now: int) -> None:
    """These are remembered so from now on; what is gone for long is forgotten."""
    rows = [
        (system, obj, name, _text(new.look), _text(new.before), new.since_ms, new.gone_ms, new.changed_ms, new.kept, new.kept_ms)
        for (system, obj, name), new in sorted(changed.items())
    ]
    await connection.executemany(KEEP, rows)
    await connection.execute(FORGET, now - GONE_MS)


class Memory:
    """The memory of all workers. `pool`: of the ledger."""

    def __init__(self, pool: Any, rules: SyncRules) -> None:
        self._pool, self._rules = pool, rules

    async def take_in(
        self, describes: Describes, unread: Mapping[Place, Iterable[str]], now: int, back: Callable[[list[Returned]], Awaitable[None]]
    ) -> None:
        """Remember what both systems show now. `back` is told, before that, of what is kept in step again and wasn't when anybody looked
        last. Raises `Retry`, and what `back` raises: then it is told again the next time."""
        with away_is_retry("remember what the systems' fields look like"):
            async with self._pool.acquire() as connection:
                known = await recall(connection)
        changed = learnt(known, self._rules, describes, unread, now)
        if again := resumed(known, changed, self._rules):
            await back(again)
        if changed:
            with away_is_retry("remember what the systems' fields look like"):
                async with self._pool.acquire() as connection:
                    await keep(connection, changed, now)
        _say(known, changed)


def told_of(was: Known | None, new: Known) -> str:
    """What is new about a field, in a few words; empty: nothing that matters."""
    if was is None or (was.gone_ms and not new.gone_ms):
        return "" if not new.since_ms and was is None else "has appeared"
    if new.gone_ms and not was.gone_ms:
        return "has vanished"
    if new.changed_ms != was.changed_ms and new.before is not None:
        return difference(new.before, new.look)
    return ""


def news(known: Known) -> tuple[str, int]:
    """What is new about a field, and since when; empty where nothing is. Pure."""
    if known.gone_ms:
        return "has vanished", known.gone_ms
    if known.before is not None and known.changed_ms >= known.since_ms:
        return difference(known.before, known.look), known.changed_ms
    return ("has appeared", known.since_ms) if known.since_ms else ("", 0)


def difference(before: Look, after: Look) -> str:
    """How a description has changed, in a few words."""
    words = []
    if before.type != after.type:
        words.append(f"was of type {before.type}, is of type {after.type}")
    if gained := [each for each in after.values if each not in before.values]:
        words.append(f"takes new values: {', '.join(gained)}")
    if retired := [each for each in before.values if each not in after.values]:
        words.append(f"no longer takes: {', '.join(retired)}")
    if before.length != after.length and not words:
        words.append(f"held {before.length} characters, holds {after.length}")
    return "; ".join(words)


def _of(was: Known | None, told: FieldFacts, now: int, *, first: bool, kept: bool) -> Known:
    look = Look(type=told.wire_type, label=told.label, length=told.length or 0, values=told.picklist)
    if was is None:
        return Known(look=look, since_ms=0 if first else now, kept=kept, kept_ms=now if kept else 0)
    new = replace(was, look=look, kept=kept)
    if was.gone_ms:
        new = replace(new, gone_ms=0, since_ms=now)
    if difference(was.look, look):
        new = replace(new, before=was.look, changed_ms=now)
    return replace(new, kept_ms=now) if kept != was.kept else new


def _flows_from(item: FieldMapping, system: System) -> bool:
    one_way = Direction.TO_MARKETO if system is System.SALESFORCE else Direction.TO_SALESFORCE
    return item.direction is one_way


def _say(known: Knowledge, changed: Knowledge) -> None:
    for key, new in changed.items():
        if words := told_of(known.get(key), new):
            system, obj, name = key
            _log.info("a field is another one than before (`tandem fields`)", system=system, object=obj, field=name, what=words)


def _known(row: Any) -> Known:
    before = msgspec.json.decode(row["before"], type=Look) if row["before"] else None
    look = msgspec.json.decode(row["facts"], type=Look)
    times = {name: row[name] for name in ("since_ms", "gone_ms", "changed_ms", "kept_ms")}
    return Known(look=look, before=before, kept=row["kept"], **times)


def _text(look: Look | None) -> str:
    return msgspec.json.encode(look).decode() if look is not None else ""
