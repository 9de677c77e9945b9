"""One record forced from one side, or read again, by what people call it. `who`: whoever acts, as the audit log names them."""

from collections.abc import Sequence

from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import build
from consumers.desk.doing import Outcome
from consumers.desk.forcing import Forcing, force
from consumers.desk.holding import read_again
from consumers.ledger.findings import mapped
from consumers.reports.database import ledger_connection
from consumers.reports.records.people import find
from consumers.reports.records.story import field_key
from consumers.worker.assembly.desk import open_desk
from streams.wire.systems import System


async def forced(settings: Settings, name: str, source: System, fields: Sequence[str], *, who: str, apply: bool, reason: str) -> Forcing:
    """The one record of that name, in these fields (none: in all that differ). Raises `UnknownRecord`, `UnknownField`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        rules, found = build(settings, known=await mapped(connection)), await find(connection, name)
    if len(found) != 1:
        why = f"{len(found)} records have that name: name one by an id, or by pair:NUMBER (`tandem record` tells them)"
        return Forcing(source=source, fields=(), outcome=Outcome(what="several records", why=why))
    keys = [field_key(rules.objects[found[0].state.object], field) for field in fields]
    async with open_desk(settings, who) as desk:
        return await force(desk.doing, desk.reader, found[0].pair, source, keys, apply=apply, reason=reason)


async def reread(settings: Settings, names: Sequence[str], *, who: str) -> list[Outcome]:
    """These records read again by the workers, as soon as their systems take a call. Raises `UnknownRecord`."""
    pairs = await named(settings, names)
    async with open_desk(settings, who) as desk:
        return await read_again(desk.doing, pairs)


async def named(settings: Settings, names: Sequence[str]) -> list[int]:
    """The pairs that these names may mean, each once. Raises `UnknownRecord`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return list(dict.fromkeys([found.pair for name in names for found in await find(connection, name)]))
