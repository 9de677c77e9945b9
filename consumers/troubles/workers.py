"""Which workers there are, and what each of them finds wrong: told by a beat into the ledger, read by status."""

import os
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from consumers.troubles.trouble import Trouble

BEAT = """
insert into workers as w (worker, roles, troubles, recent, beat_at) values ($1, $2, $3, $4, clock_timestamp())
on conflict (worker) do update
    set roles = excluded.roles, troubles = excluded.troubles, recent = excluded.recent, beat_at = excluded.beat_at
"""
FORGET = "delete from workers where worker = $1 or beat_at < clock_timestamp() - interval '1 day'"
ALIVE = """
select worker, roles, troubles, beat_at > clock_timestamp() - interval '30 seconds' as alive,
       (extract(epoch from beat_at) * 1000)::bigint as beat_ms
from workers order by beat_at desc limit 1000
"""
"""Silent for half a minute: it is gone, or hangs."""
RECENT = "select recent from workers where beat_at > clock_timestamp() - interval '5 minutes' limit 1000"
"""Also of workers that have died meanwhile."""
GROUPS = ("relay", "observe", "settle", "reconcile")
"""What some worker has to do, as `tandem run --role` names it."""
SERVING = "flow-steps"
"""The same where the configuration has Marketo's flow steps served."""
INTAKE = "intake"
"""The same where webhooks or the data stream call."""
_NOTHING: Mapping[str, int] = {}
_encoder, _decoder = msgspec.json.Encoder(), msgspec.json.Decoder(list[Trouble])


def name_of_worker() -> str:
    """A name for this process that no other has."""
    return f"{os.uname().nodename}:{os.getpid()}:{random.getrandbits(32):08x}"


async def beat(
    connection: Any, worker: str, roles: Sequence[str], troubles: Iterable[Trouble], recent: Mapping[str, int] = _NOTHING
) -> None:
    """Say that this worker lives, what it does, what it finds wrong, and what it did of late."""
    words = (_encoder.encode(list(troubles)).decode(), _encoder.encode(recent).decode())
    await connection.execute(BEAT, worker, list(roles), *words)


async def forget(connection: Any, worker: str) -> None:
    """This worker ends by itself; nobody shall miss it."""
    await connection.execute(FORGET, worker)


async def worker_troubles(connection: Any, groups: Sequence[str] = GROUPS) -> list[Trouble]:
    """What the living workers find wrong, and what of `groups` nobody does."""
    rows = await connection.fetch(ALIVE)
    found = [trouble for row in rows if row["alive"] for trouble in _decoder.decode(row["troubles"])]
    done = {role.partition(".")[0] for row in rows if row["alive"] for role in row["roles"]}
    last_ms = {group: max((row["beat_ms"] for row in rows if _does(row, group)), default=0) for group in groups}
    missing = [group for group in groups if group not in done]
    if len(missing) == len(groups):
        return [Trouble(where="workers", what="no worker runs (start one: tandem run)", since_ms=max(last_ms.values()))]
    found += [
        Trouble(where=group, what=f"no worker does this (start one: tandem run --role {group})", since_ms=last_ms[group])
        for group in missing
    ]
    return found


def _does(row: Any, group: str) -> bool:
    return any(role.partition(".")[0] == group for role in row["roles"])
