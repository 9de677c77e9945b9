"""Finding the pair that an operator means: by Salesforce id, Marketo id, e-mail, or the pair's own number."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import unpack
from consumers.reports.records.called import agreed, name_of
from streams.wire.systems import salesforce_id

_SELECT = "select id, state from pairs where "
_BY_SALESFORCE = _SELECT + "salesforce_id = $1"
_BY_SALESFORCE_IDS = "select salesforce_id, state from pairs where salesforce_id = any($1::text[])"
_BY_MARKETO = _SELECT + "marketo_id = $1"
_BY_EMAIL = _SELECT + "match_key = $1 order by id limit 20"
_BY_PAIR = _SELECT + "id = $1"
_FORMER = "select p.id, p.state from former as f join pairs as p on p.id = f.pair where f.id = $1 and f.system = $2 order by p.id"
_SYSTEM_OF = {_BY_SALESFORCE: "salesforce", _BY_MARKETO: "marketo"}
"""Whose ids a query takes: one that no pair has may have been somebody's."""


class UnknownRecord(LookupError):  # noqa: N818 - an answer to the operator, not a failure
    """No pair belongs to what the operator wrote; the message says what can be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A pair of the ledger."""

    pair: int
    state: PairState
    was: str = ""
    """The id that it was found by, where that was another record's, which is part of this one now."""

    @property
    def note(self) -> str:
        """What to say of that; empty where it was found as what it is."""
        if not self.was:
            return ""
        return f"{self.was} is no record of its own any more: it was merged, converted or made again, and is part of this one."


async def find(connection: Any, name: str) -> list[Found]:
    """The pairs that `name` may mean (several only for an e-mail that several people have). Raises `UnknownRecord`."""
    query, argument = _query(name.strip())
    rows, was = await connection.fetch(query, argument), ""
    if not rows and query in _SYSTEM_OF:
        rows, was = await connection.fetch(_FORMER, argument, _SYSTEM_OF[query]), str(argument)
    if not rows:
        raise UnknownRecord(_hint(name.strip()))
    return [Found(pair=row["id"], state=unpack(row["state"]), was=was) for row in rows]


async def people_of(connection: Any, salesforce_ids: Sequence[str]) -> tuple[str, ...]:
    """Who they are, in that order: name and e-mail where they are known, else the id."""
    rows = await connection.fetch(_BY_SALESFORCE_IDS, list(salesforce_ids))
    names = {row["salesforce_id"]: _called(unpack(row["state"])) for row in rows}
    return tuple(names.get(each, each) for each in salesforce_ids)


def _called(state: PairState) -> str:
    name, email = name_of(state), agreed(state, "email")
    return f"{name} ({email})" if email and email != name else name


def _query(name: str) -> tuple[str, object]:
    if "@" in name:
        return _BY_EMAIL, name.lower()
    if numbered := re.fullmatch(r"pair:(\d{1,18})", name):
        return _BY_PAIR, int(numbered[1])
    if re.fullmatch(r"\d{1,14}", name):
        return _BY_MARKETO, str(int(name))
    if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", name):
        return _BY_MARKETO, name.lower()
    try:
        return _BY_SALESFORCE, salesforce_id(name)
    except ValueError as error:
        raise UnknownRecord(
            f"{name!r} is neither a Salesforce id (15 or 18 characters), a Marketo id (digits or a GUID), an e-mail, nor pair:NUMBER"
        ) from error


def _hint(name: str) -> str:
    if "@" in name:
        return f"no person with the e-mail {name} is known; try an id, or wait for the next cycle if the person is new"
    return f"no record {name} is known; try the id of the other side or the e-mail, or wait for the next cycle if the record is new"
