"""What is written into the audit log, and read from it. Rows are only ever added; the keeper lets go the old ones."""

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from streams.ground.database import away_is_retry

_WRITE = "insert into audit_log (at, who, act, what, why) values ($1, $2, $3, $4, $5) returning id"
_READ = """
select id, at, who, act, what, why from audit_log
where ($1::bigint is null or at >= $1) and ($2::text is null or act = $2) and ($3::text is null or who = $3)
order by id desc limit $4
"""
WHO = "TANDEM_USER"
"""The environment variable that names whoever acts, where that isn't the account of the machine (a job, a jump host)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One line. `at`: ms; `what`: what it was done to, by names of ours, never a person's data; `why`: in their own words, or empty."""

    number: int = 0
    at: int
    who: str
    act: str
    what: Mapping[str, Any]
    why: str = ""


def who_acts() -> str:
    """The person at this command line: `TANDEM_USER`, else account and machine."""
    named = os.environ.get(WHO, "").strip()
    if named:
        return named
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in many containers
        account = f"uid {os.getuid()}"
    return f"{account}@{socket.gethostname()}"


async def write_down(connection: Any, deed: Deed) -> int:
    """Its number. In a transaction of the caller's it stands or falls with what is done. Raises `Retry` where the database is away."""
    with away_is_retry("writing the audit log"):
        number: int = await connection.fetchval(_WRITE, deed.at, deed.who, deed.act, orjson.dumps(dict(deed.what)).decode(), deed.why)
    return number


async def deeds(connection: Any, *, since_ms: int | None = None, act: str | None = None, who: str | None = None, most: int) -> list[Deed]:
    """The newest ones, newest first."""
    with away_is_retry("reading the audit log"):
        rows = await connection.fetch(_READ, since_ms, act, who, most)
    return [
        Deed(number=row["id"], at=row["at"], who=row["who"], act=row["act"], what=orjson.loads(row["what"]), why=row["why"]) for row in rows
    ]
