"""Sessions and one-time links, kept in the database: another process may make a link, and a restart signs nobody out.

Only hashes of what browsers and links carry are stored.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from consumers.console.access.roles import Role, Visitor
from streams.ground.database import away_is_retry

SESSION_MS = 12 * 3_600_000
"""Since it was made."""
LINK_MS = 24 * 3_600_000
REVEALED_MS = 15 * 60_000
_FORGET = "delete from console_sessions where ends_at < $1"
_ADD = "insert into console_sessions (token, link, who, role, made_at, ends_at) values ($1, $2, $3, $4, $5, $6)"
_TAKE_LINK = "delete from console_sessions where token = $1 and link and ends_at > $2 returning who, role"
_FIND = "select who, role, revealed_until from console_sessions where token = $1 and not link and ends_at > $2"
_END = "delete from console_sessions where token = $1"
_REVEAL = "update console_sessions set revealed_until = $2 where token = $1 and not link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has shown who they are."""

    who: str
    role: Role


async def new_link(connection: Any, person: Person, now_ms: int) -> str:
    """A token that signs that person in once, within a day."""
    return await _new(connection, person, now_ms, link=True, ends_ms=now_ms + LINK_MS)


async def take_link(connection: Any, token: str, now_ms: int) -> Person | None:
    """Whom the link signs in; it is used up by that. None: there is no such link any more."""
    with away_is_retry("signing in"):
        row = await connection.fetchrow(_TAKE_LINK, _hashed(token), now_ms)
    return Person(who=row["who"], role=Role(row["role"])) if row else None


async def new_session(connection: Any, person: Person, now_ms: int) -> str:
    """A token for the browser of that person. What has ended is swept out."""
    with away_is_retry("signing in"):
        await connection.execute(_FORGET, now_ms)
    return await _new(connection, person, now_ms, link=False, ends_ms=now_ms + SESSION_MS)


async def visitor_of(connection: Any, token: str, now_ms: int) -> Visitor | None:
    """Whose session it is; None: it has ended, or never was."""
    with away_is_retry("looking for the session"):
        row = await connection.fetchrow(_FIND, _hashed(token), now_ms)
    if row is None:
        return None
    return Visitor(who=row["who"], role=Role(row["role"]), revealed=row["revealed_until"] > now_ms, form_key=form_key(token))


async def end_session(connection: Any, token: str) -> None:
    """Sign out."""
    with away_is_retry("signing out"):
        await connection.execute(_END, _hashed(token))


async def reveal(connection: Any, token: str, until_ms: int) -> None:
    """Show personal data in this session until then; 0: mask it again."""
    with away_is_retry("showing personal data"):
        await connection.execute(_REVEAL, _hashed(token), until_ms)


def form_key(token: str) -> str:
    """What each form of that session carries, which no other site can know."""
    return hashlib.sha256(b"form key of " + token.encode()).hexdigest()


async def _new(connection: Any, person: Person, now_ms: int, *, link: bool, ends_ms: int) -> str:
    token = secrets.token_urlsafe(32)
    with away_is_retry("signing in"):
        await connection.execute(_ADD, _hashed(token), link, person.who, str(person.role), now_ms, ends_ms)
    return token


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
