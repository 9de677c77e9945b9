"""What is asked for under a key is done once: the answer is kept for a day, and given again.

The order of effects: the key is taken; it is done; the answer is kept. After a crash in between nobody knows how far it came: the key stays
taken, and says so. What fails gives its key back.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from consumers.console.access.problems import Problem, Refused
from streams.ground.database import away_is_retry

KEPT_MS = 24 * 3_600_000
KEY_MAX = 200
_SWEEP = "delete from asked_by_programs where at < $1"
_TAKE = """
insert into asked_by_programs (who, key, asked, at) values ($1, $2, $3, $4) on conflict (who, key) do nothing returning true
"""
_FIND = "select asked, answer from asked_by_programs where who = $1 and key = $2"
_KEEP = "update asked_by_programs set answer = $3 where who = $1 and key = $2"
_DROP = "delete from asked_by_programs where who = $1 and key = $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One of them, of one program."""

    who: str
    key: str

    async def take(self, connection: Any, act: str, body: bytes, now_ms: int) -> bytes | None:
        """The answer that was given to the same before; None: it is to be done now. Raises `Refused` where it is being done, or the key
        was for something else, and `Retry`."""
        asked = hashlib.sha256(act.encode() + b"\0" + body).digest()
        with away_is_retry("take the key"):
            await connection.execute(_SWEEP, now_ms - KEPT_MS)
            if await connection.fetchval(_TAKE, self.who, self.key, asked, now_ms):
                return None
            row = await connection.fetchrow(_FIND, self.who, self.key)
        if row is None:
            raise Refused(_BUSY)
        if row["asked"] != asked:
            raise Refused(_OTHER)
        if row["answer"] is None:
            raise Refused(_BUSY)
        return bytes(row["answer"])

    async def keep(self, connection: Any, answer: bytes) -> None:
        """What was answered. Raises `Retry`."""
        with away_is_retry("keep the answer"):
            await connection.execute(_KEEP, self.who, self.key, answer)

    async def give_back(self, connection: Any) -> None:
        """It was not done. Raises `Retry`."""
        with away_is_retry("give the key back"):
            await connection.execute(_DROP, self.who, self.key)


_BUSY = Problem(
    name="key-in-use", title="It is being done", status=409, headers={"retry-after": "2"},
    detail="The same was asked for under this key, and has not been answered yet.",
    remedy="Ask again in a moment. Where it stays so, whoever did it has crashed: the audit log and the records say how far it came.",
)  # fmt: skip
_OTHER = Problem(
    name="key-used", title="The key was used for something else", status=422,
    detail="Something else was asked for under this Idempotency-Key within a day.",
    remedy="Use a new key for each thing that is to be done.",
)  # fmt: skip
