"""Dead letters as rows: what is open, every attempt, and how they were closed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from consumers.desk.causes import Cause, of_letter
from streams.ground.database import away_is_retry
from streams.wire.codec import Undecodable, decode
from streams.wire.events import ChangeEvent

_COLUMNS = 'id, at, stage, reason, topic, partition, "offset", key, original, attempts, closed_ms, closed_how'
_OPEN = f"select {_COLUMNS} from dead_letters where closed_ms is null order by id desc limit $1"  # noqa: S608 - columns of ours
_SOME = f"select {_COLUMNS} from dead_letters where id = any($1::bigint[]) order by id"  # noqa: S608 - as above
_TRIED = "update dead_letters set attempts = attempts || $2::jsonb where id = $1"
_CLOSE = """
update dead_letters set closed_ms = $2, closed_how = $3, attempts = attempts || $4::jsonb where id = any($1::bigint[]) and closed_ms is null
"""
SHOWN_BYTES = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Somebody tried, or closed it. `at`: ms."""

    at: int
    who: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter. `at`: ms; `closed_ms`: 0 while it is open; `original`: its bytes as they came."""

    number: int
    at: int
    stage: str
    reason: str
    topic: str
    partition: int
    offset: int
    key: str
    original: bytes
    attempts: tuple[Attempt, ...] = ()
    closed_ms: int = 0
    closed_how: str = ""

    @property
    def cause(self) -> Cause:
        """Why it is one, and what helps."""
        return of_letter(self.stage, self.reason)

    def event(self) -> ChangeEvent | None:
        """What it tells, where that can be read; None: it can't."""
        try:
            return decode(self.original)
        except Undecodable:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterShown:
    """A letter for the eyes of a person, or a program. `original`: its beginning as text, where it was asked for."""

    number: int
    at: int
    cause: str
    what: str
    remedy: str
    stage: str
    reason: str
    record: str
    topic: str = ""
    partition: int = -1
    offset: int = -1
    attempts: tuple[Attempt, ...] = ()
    closed_ms: int = 0
    closed_how: str = ""
    original: str = ""


async def open_letters(connection: Any, *, cause: str = "", most: int) -> list[Letter]:
    """The newest ones that are open, newest first. `cause`: only those of that one, by its name."""
    with away_is_retry("read dead letters"):
        found = [_letter(row) for row in await connection.fetch(_OPEN, most)]
    return [each for each in found if not cause or each.cause.name == cause]


async def letters(connection: Any, numbers: Sequence[int]) -> list[Letter]:
    """These, open or closed."""
    with away_is_retry("read dead letters"):
        return [_letter(row) for row in await connection.fetch(_SOME, list(numbers))]


async def tried(pool: Any, number: int, attempt: Attempt) -> None:
    """It was tried, and is open still."""
    with away_is_retry("note what was tried"):
        await pool.execute(_TRIED, number, _text([attempt]))


async def closed(pool: Any, numbers: Sequence[int], how: str, attempt: Attempt) -> None:
    """They are done with."""
    with away_is_retry("close dead letters"):
        await pool.execute(_CLOSE, list(numbers), attempt.at, how, _text([attempt]))


def letter_shown(letter: Letter, *, with_original: bool = False) -> LetterShown:
    """The letter in words."""
    cause = letter.cause
    return LetterShown(
        number=letter.number,
        at=letter.at,
        cause=cause.name,
        what=cause.what,
        remedy=cause.remedy,
        stage=letter.stage,
        reason=letter.reason,
        record=letter.key,
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        attempts=letter.attempts,
        closed_ms=letter.closed_ms,
        closed_how=letter.closed_how,
        original=letter.original[:SHOWN_BYTES].decode(errors="backslashreplace") if with_original else "",
    )


def _letter(row: Mapping[str, Any]) -> Letter:
    return Letter(
        number=row["id"],
        at=row["at"],
        stage=row["stage"],
        reason=row["reason"],
        topic=row["topic"] or "",
        partition=-1 if row["partition"] is None else row["partition"],
        offset=-1 if row["offset"] is None else row["offset"],
        key=row["key"] or "",
        original=row["original"],
        attempts=tuple(Attempt(**each) for each in orjson.loads(row["attempts"])),
        closed_ms=row["closed_ms"] or 0,
        closed_how=row["closed_how"] or "",
    )


def _text(attempts: Sequence[Attempt]) -> str:
    return orjson.dumps([{"at": each.at, "who": each.who, "what": each.what} for each in attempts]).decode()
