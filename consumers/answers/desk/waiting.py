"""What waits for a person, and what one does about it: dead letters, holds, conflicts. `who`: whoever acts, as the audit log names them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from consumers.answers.desk.control import a_pool
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import build
from consumers.desk.deciding import AsRule, Take, as_rule, resolve
from consumers.desk.doing import Outcome
from consumers.desk.holding import choose, retry_holds
from consumers.desk.letters import Attempt, Letter, letters, open_letters
from consumers.desk.retrying import DISCARDED, discard_letters, retry_letters
from consumers.desk.waiting import Ambiguity, Conflict, Line, ambiguity, conflict, conflicts, holds
from consumers.ledger.findings import mapped
from consumers.reports.database import ledger_connection
from consumers.reports.records.people import find
from consumers.reports.records.story import field_key
from consumers.worker.assembly.desk import Desk, open_desk
from streams.ground.clock import now_ms
from streams.wire.systems import System


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldShown:
    """Why one pair waits: each thing that keeps it; with an ambiguous match, its candidates."""

    lines: tuple[Line, ...]
    ambiguity: Ambiguity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a command is to be about: some by name, or by their cause, or all. `most`: of those, the newest."""

    names: Sequence[str] = ()
    cause: str = ""
    everything: bool = False
    most: int = 1_000


async def letters_of(settings: Settings, *, cause: str, most: int) -> list[Letter]:
    """The open dead letters."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await open_letters(connection, cause=cause, most=most)


async def letters_named(settings: Settings, numbers: Sequence[int]) -> list[Letter]:
    """These dead letters, open or closed."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await letters(connection, numbers)


async def retried_letters(settings: Settings, chosen: Chosen, *, who: str, apply: bool) -> list[Outcome]:
    """Dead letters tried once more."""
    numbers = await _letters(settings, chosen)
    return await _at_desk(settings, who, lambda desk: retry_letters(desk.doing, numbers, apply=apply)) if numbers else []


async def discarded_letters(settings: Settings, chosen: Chosen, *, who: str, apply: bool, reason: str) -> list[Outcome]:
    """Dead letters put away."""
    numbers = await _letters(settings, chosen)
    if not numbers:
        return []
    by = Attempt(at=now_ms(), who=who, what=f"{DISCARDED}: {reason}" if reason else DISCARDED)
    async with a_pool(settings) as pool:
        return await discard_letters(pool, numbers, by, apply=apply)


async def holds_of(settings: Settings, *, cause: str, most: int) -> list[Line]:
    """What is held, or refused by a system."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await holds(connection, build(settings, known=await mapped(connection)), cause=cause, most=most)


async def hold_of(settings: Settings, name: str, *, most: int) -> list[HoldShown]:
    """Why the pairs wait that a name may mean. Raises `UnknownRecord`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        found = await find(connection, name)
        lines = await holds(connection, build(settings, known=await mapped(connection)), most=most)
        return [
            HoldShown(
                lines=tuple(line for line in lines if line.listed.pair == each.pair), ambiguity=await ambiguity(connection, each.pair)
            )
            for each in found
        ]


async def ambiguity_of(settings: Settings, pair: int) -> Ambiguity | None:
    """A pair that is held for an ambiguous match beside those that it may be; None: it isn't held for that."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await ambiguity(connection, pair)


async def retried_holds(settings: Settings, chosen: Chosen, *, who: str, apply: bool) -> list[Outcome]:
    """What keeps pairs tried once more. Raises `UnknownRecord`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        if chosen.names:
            pairs = [found.pair for name in chosen.names for found in await find(connection, name)]
        else:
            lines = await holds(connection, build(settings, known=await mapped(connection)), cause=chosen.cause, most=chosen.most)
            pairs = [line.listed.pair for line in lines]
    numbers = list(dict.fromkeys(pairs))
    return await _at_desk(settings, who, lambda desk: retry_holds(desk.doing, numbers, apply=apply)) if numbers else []


async def chosen_match(settings: Settings, name: str, candidate: str, *, who: str, apply: bool) -> list[Outcome]:
    """The record of a held pair given to one of its candidates. Raises `UnknownRecord`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        held = [each for each in await find(connection, name) if each.state.hold]
        there = await find(connection, candidate)
    if len(held) != 1 or len(there) != 1:
        told = f"{name} is {len(held)} held records" if len(held) != 1 else f"{candidate} is {len(there)} records"
        return [Outcome(what=name, why=f"{told}: name it by an id, or by pair:NUMBER (`tandem holds show` tells them)")]

    async def act(desk: Desk) -> list[Outcome]:
        return [await choose(desk.doing, desk.reader, held[0].pair, there[0].pair, apply=apply)]

    return await _at_desk(settings, who, act)


async def conflicts_of(settings: Settings, *, cause: str, field: str, most: int) -> list[Line]:
    """Fields that wait for a person."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await conflicts(connection, build(settings, known=await mapped(connection)), cause=cause, field=field, most=most)


async def conflict_of(settings: Settings, name: str, field: str) -> list[Conflict]:
    """The conflicts about a field (empty: about any) of the pairs that a name may mean. Raises `UnknownRecord`, `UnknownField`."""
    found: list[Conflict] = []
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        rules = build(settings, known=await mapped(connection))
        for each in await find(connection, name):
            held = [key for key, item in each.state.unsettled().items() if item.hold]
            keys = [field_key(rules.objects[each.state.object], field)] if field else held
            told = [await conflict(connection, rules, each.pair, key) for key in keys]
            found += [conflict for conflict in told if conflict is not None]
    return found


async def resolved(settings: Settings, chosen: Chosen, field: str, take: Take, *, who: str, apply: bool, reason: str) -> list[Outcome]:
    """Conflicts decided: of one record and field, or all about a field. Raises `UnknownRecord`, `UnknownField`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        rules = build(settings, known=await mapped(connection))
        if chosen.names:
            found = [each for name in chosen.names for each in await find(connection, name)]
            wanted = [(each.pair, field_key(rules.objects[each.state.object], field)) for each in found]
        else:
            lines = await conflicts(connection, rules, cause=chosen.cause, field=field, most=chosen.most)
            wanted = [(line.listed.pair, line.listed.field) for line in lines]
    return await _at_desk(settings, who, lambda desk: resolve(desk.doing, wanted, take, apply=apply, reason=reason)) if wanted else []


async def rule_of(settings: Settings, name: str, field: str, side: System, *, most: int) -> AsRule:
    """A decision about a field as lines of the configuration. Raises `UnknownRecord`, `UnknownField`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        rules = build(settings, known=await mapped(connection))
        found = (await find(connection, name))[0]
        mapping = rules.objects[found.state.object]
        key = field_key(mapping, field)
        waiting = [
            line
            for line in await conflicts(connection, rules, cause="review", field=key, most=most)
            if line.listed.object == mapping.object
        ]
    return as_rule(mapping, str(mapping.object), key, side, len(waiting))


async def _letters(settings: Settings, chosen: Chosen) -> list[int]:
    if chosen.names:
        return [int(name) for name in chosen.names]
    return sorted(letter.number for letter in await letters_of(settings, cause=chosen.cause, most=chosen.most))


async def _at_desk(settings: Settings, who: str, act: Callable[[Desk], Awaitable[list[Outcome]]]) -> list[Outcome]:
    async with open_desk(settings, who) as desk:
        return await act(desk)
