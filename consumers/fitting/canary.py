"""The canary: one write to one Marketo person, to learn whether the instance's activities name the API user that wrote."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from consumers.configuration.settings import Echo
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from streams.marketo.sources.decode import shown_names
from streams.marketo.sources.rows import Activity, Row, RowError, Shown, parse
from streams.wire.errors import Fatal

EMAIL = "tandem-canary@example.com"
_PATIENCE_SECONDS = 90.0
_PAUSE_SECONDS = 2.0
_FAR_BACK_MS = 600_000
_BACK_MS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sung:
    """What the canary found: the mode of `echo` that this instance supports, and by what that was seen."""

    mode: Echo
    person: str
    own_user: str
    named_user: str | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """What the canary wrote, by which its activity is known."""

    field: str
    person: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How the canary waits: the time of day (ms), a clock in seconds, and a sleep."""

    now_ms: Callable[[], int]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


async def canary(session: MarketoSession, rest: MarketoRest, field: str, person: str | None, patience: Patience) -> Sung:
    """Write a fresh value into `field` (the stamp: nobody's data) of one person, and look for the activity that tells of it.

    Without `person` the one with the canary's e-mail is used; if there is none it is created, and deleted again at the end. Raises `Fatal`
    when the field is missing, or when the activity does not come within 90 seconds.
    """
    found = person or await _found(rest)
    made = found is None
    identity = found or await _made(rest)
    try:
        since = (await rest.paging_token(patience.now_ms() - _FAR_BACK_MS)).server_ms
        value = f"canary-{secrets.token_hex(8)}"
        token = (await rest.paging_token(since - _BACK_MS)).token
        answer = await rest.sync([{"id": int(identity), field: value}], "updateOnly", "id")
        result = answer.results[0]
        if not result.applied:
            raise Fatal(f"Marketo did not take the canary's write: {result.code} {result.message}.", remedy="Run tandem setup --yes first.")
        row = await _heard(rest, token, Song(field=field, person=identity, value=value), patience)
        return _verdict(row, await session.user(), identity)
    finally:
        if made:
            await rest.delete([identity])


def _verdict(row: Row, own_user: str, person: str) -> Sung:
    if row.author is None:
        detail = "activities name no API user here: own writes are recognised by the stamp field (echo: stamp)"
        return Sung(mode=Echo.STAMP, person=person, own_user=own_user, named_user=None, detail=detail)
    if row.author.casefold() == own_user.casefold():
        detail = "activities name the API user: own writes are recognised by it (echo: user)"
        return Sung(mode=Echo.USER, person=person, own_user=own_user, named_user=row.author, detail=detail)
    detail = f"activities name {row.author}, identity calls the user {own_user}: own writes are recognised by the stamp field (echo: stamp)"
    return Sung(mode=Echo.STAMP, person=person, own_user=own_user, named_user=row.author, detail=detail)


async def _found(rest: MarketoRest) -> str | None:
    people = await rest.find("email", [EMAIL], ["email"])
    return people[0].id if people else None


async def _made(rest: MarketoRest) -> str:
    answer = await rest.sync([{"email": EMAIL, "lastName": "Canary (Tandem)"}], "createOnly", None)
    result = answer.results[0]
    if not result.applied or result.id is None:
        raise Fatal(
            f"Marketo did not create the canary: {result.code} {result.message}.", remedy="Name an existing person with --canary-id."
        )
    return result.id


async def _heard(rest: MarketoRest, token: str, song: Song, patience: Patience) -> Row:
    """The activity of our write. Pages are followed while there are more, then asked again until the patience ends."""
    shown = shown_names(await rest.describe(), [song.field])
    deadline = patience.monotonic() + _PATIENCE_SECONDS
    while True:
        page = await rest.activities(token, [Activity.VALUE_CHANGED])
        for raw in page.rows:
            row = _row(raw, shown)
            if row and row.lead == song.person and any(each.name == song.field and each.new == song.value for each in row.changes):
                return row
        token = page.token
        if not page.more:
            if patience.monotonic() >= deadline:
                raise Fatal(
                    f"the canary's write did not appear among the activities within {_PATIENCE_SECONDS:g} s.", remedy="Try again later."
                )
            await patience.sleep(_PAUSE_SECONDS)


def _row(raw: object, shown: Shown) -> Row | None:
    try:
        return parse(raw, shown)
    except RowError:
        return None
