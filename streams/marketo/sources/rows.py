"""Rows of Marketo's activity log: parsed, put in order, and gathered into changes. No I/O, no clock."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Any

import msgspec
import orjson


class Activity(IntEnum):
    """The activity types we read (Marketo, activity types)."""

    NEW_LEAD = 12
    VALUE_CHANGED = 13
    MERGED = 32
    DELETED = 37


STATUS_CHANGED, MEMBER_CHANGED = 104, 123
MEMBERS = (STATUS_CHANGED, MEMBER_CHANGED)
"""What the same walk brings of the members of programs."""
FEED = (Activity.NEW_LEAD, Activity.VALUE_CHANGED, Activity.MERGED)
"""What one walk along `activities.json` brings; deletions have an endpoint of their own (Marketo, Get Deleted Leads)."""
Shown = Mapping[int | str, str]
"""REST name of a field, by the number and by the label with which `activities.json` names it."""
_UNSHOWN: Shown = {}
_VALUES, _ATTRIBUTE_VALUES = {"oldValue", "newValue"}, {"oldvalue", "newvalue"}
_RANK = {Activity.NEW_LEAD: 0, Activity.VALUE_CHANGED: 1, Activity.MERGED: 2, Activity.DELETED: 3}
_READ = frozenset(Activity)


class RowError(ValueError):
    """A row that can't be used; the message says why and holds no values."""


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a row: REST name, and the values before and after as Marketo displays them."""

    name: str
    old: object
    new: object


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One activity. `at`: its date (whole seconds, ms). `author`, `call`: None where the instance doesn't deliver them."""

    guid: str
    lead: str
    at: int
    type: Activity
    changes: tuple[FieldChange, ...] = ()
    author: str | None = None
    call: str | None = None
    origin: str | None = None
    losers: tuple[str, ...] = ()


def parse(raw: object, shown: Shown = _UNSHOWN) -> Row | None:
    """The row; None for a type that we don't use, and for a change of a field that is not `shown`. Raises `RowError`.

    `marketoGUID` names it; `id` may be missing or repeated since 2017, so it only stands in. A row without either is named by
    its contents, the same at each delivery. A changed value is told in one of two shapes: by `leadchanges.json` with the field's REST
    name, by `activities.json` as an attribute: its number and label, Old Value and New Value beside the others.
    """
    if not isinstance(raw, dict):
        raise RowError(f"a row is a JSON object, not {type(raw).__name__}")
    kind = raw.get("activityTypeId")
    if not isinstance(kind, int):
        raise RowError("activityTypeId is missing or not a number")
    if kind not in _READ:
        return None
    attributes = _attributes(raw.get("attributes"))
    changes: tuple[FieldChange, ...] = ()
    if kind == Activity.VALUE_CHANGED:
        changes = _changes(raw["fields"]) if "fields" in raw else _attribute_change(raw, attributes, shown)
        if not changes:
            return None
    return Row(
        guid=_guid(raw),
        lead=_lead_id(raw.get("leadId")),
        at=_time(raw.get("activityDate")),
        type=Activity(kind),
        changes=changes,
        author=_word(attributes.get("modifyinguser")),
        call=_word(attributes.get("requestid")),
        origin=_word(attributes.get("sourcetype" if kind == Activity.NEW_LEAD else "source")) or _word(attributes.get("mergesource")),
        losers=_merge_ids(attributes.get("mergeids")) if kind == Activity.MERGED else (),
    )


class MemberRow(msgspec.Struct, frozen=True, kw_only=True):
    """An activity of a member. `status`: the one that it has since then; None: something else of it has changed."""

    program: str
    person: str
    at: int
    status: str | None


def member_row(raw: object) -> MemberRow | None:
    """The row of a member; None for one of another type. Raises `RowError`. The program is its primary attribute."""
    if not isinstance(raw, dict) or raw.get("activityTypeId") not in MEMBERS:
        return None
    program = raw.get("primaryAttributeValueId")
    if isinstance(program, bool) or not isinstance(program, int | str) or not str(program).isdecimal():
        raise RowError("a change of a member that names no program")
    status = _attributes(raw.get("attributes")).get("newstatus") if raw["activityTypeId"] == STATUS_CHANGED else None
    return MemberRow(program=str(program), person=_lead_id(raw.get("leadId")), at=_time(raw.get("activityDate")), status=_word(status))


def date(raw: object) -> int:
    """The date of a row of any type, ms; 0 where it can't be told."""
    try:
        return _time(raw.get("activityDate")) if isinstance(raw, dict) else 0
    except RowError:
        return 0


def arrange(rows: Iterable[Row]) -> list[Row]:
    """By date; within a second, each lead's rows as `chain` puts them; else as they came. Repeated rows once."""
    seconds: dict[int, dict[str, dict[str, Row]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        seconds[row.at][row.lead].setdefault(row.guid, row)
    return [row for at in sorted(seconds) for lead in seconds[at].values() for row in chain(list(lead.values()))]


def chain(rows: Sequence[Row]) -> list[Row]:
    """The rows of one lead in one second, in the order in which they happened, as far as they tell.

    For each field the rows form a path from Old to New value; where they do, that is its order, else the order of arrival. A
    creation comes first, a deletion last. Where fields contradict each other the order of arrival stands.
    """
    if len(rows) < 2:
        return list(rows)
    paths = _paths(rows)
    if not paths and all(_continues(rows[0], row) for row in rows):
        return list(rows)
    after: dict[int, set[int]] = {index: set() for index in range(len(rows))}
    for path in paths:
        for earlier, later in pairwise(path):
            after[later].add(earlier)
    left = sorted(range(len(rows)), key=lambda index: (_rank(rows[index]), index))
    ordered: list[Row] = []
    while left:
        free = [index for index in left if after[index].isdisjoint(left)] or left[:1]
        chosen = next((index for index in free if ordered and _continues(ordered[-1], rows[index])), free[0])
        left.remove(chosen)
        ordered.append(rows[chosen])
    return ordered


def combine(rows: Sequence[Row]) -> list[tuple[Row, ...]]:
    """Rows in order, gathered: neighbours of one lead, second, author and call with different fields are one change."""
    groups: list[list[Row]] = []
    for row in rows:
        if groups and _joins(groups[-1], row):
            groups[-1].append(row)
        else:
            groups.append([row])
    return [tuple(group) for group in groups]


def _joins(group: list[Row], row: Row) -> bool:
    first = group[0]
    if row.type != Activity.VALUE_CHANGED or not _same_call(first, row):
        return False
    if (first.type, first.lead, first.at) != (row.type, row.lead, row.at):
        return False
    taken = {change.name for member in group for change in member.changes}
    return taken.isdisjoint(change.name for change in row.changes)


def _continues(last: Row, row: Row) -> bool:
    """Kept together so that `combine` can gather them; a change of values never passes a creation or a deletion by this."""
    return last.type == row.type == Activity.VALUE_CHANGED and _same_call(last, row)


def _same_call(one: Row, other: Row) -> bool:
    return (one.author, one.call, one.origin) == (other.author, other.call, other.origin)


def _rank(row: Row) -> int:
    return _RANK[row.type]


def _paths(rows: Sequence[Row]) -> list[list[int]]:
    """For each field, the indexes of its rows in order: along Old -> New where these make one path, else as they came."""
    fields: dict[str, list[tuple[int, FieldChange]]] = defaultdict(list)
    for index, row in enumerate(rows):
        for change in row.changes:
            fields[change.name].append((index, change))
    return [_path(edges) for edges in fields.values() if len(edges) > 1]


def _path(edges: list[tuple[int, FieldChange]]) -> list[int]:
    """An Eulerian path through the values (each row is an edge Old -> New), by Hierholzer; early arrivals first among equals."""
    leaving: dict[str, list[tuple[int, str]]] = defaultdict(list)
    balance: dict[str, int] = defaultdict(int)
    for index, change in edges:
        old, new = _node(change.old), _node(change.new)
        leaving[old].append((index, new))
        balance[old] += 1
        balance[new] -= 1
    starts = [node for node, surplus in balance.items() if surplus > 0]
    arrived = [index for index, _ in edges]
    if len(starts) > 1 or any(balance[node] > 1 for node in starts):
        return arrived
    for choices in leaving.values():
        choices.reverse()
    stack: list[tuple[str, int | None]] = [(starts[0] if starts else _node(edges[0][1].old), None)]
    path: list[int] = []
    while stack:
        node, reached_by = stack[-1]
        if leaving[node]:
            taken, target = leaving[node].pop()
            stack.append((target, taken))
        else:
            stack.pop()
            if reached_by is not None:
                path.append(reached_by)
    path.reverse()
    return path if len(path) == len(edges) else arrived


def _node(display: object) -> str:
    return "" if display is None else str(display)


def _attributes(raw: object) -> dict[str, object]:
    """Attribute -> value; names compared without case, spaces and underscores, their spelling differs between deliveries."""
    if not isinstance(raw, list):
        return {}
    return {_key(str(each.get("name", ""))): each.get("value") for each in raw if isinstance(each, dict)}


@lru_cache(maxsize=1024)
def _key(name: str) -> str:
    return name.casefold().replace(" ", "").replace("_", "")


def _word(value: object) -> str | None:
    return str(value).strip() or None if value is not None else None


def _guid(raw: dict[str, Any]) -> str:
    for name in ("marketoGUID", "id"):
        value = raw.get(name)
        if isinstance(value, str | int) and str(value):
            return str(value).replace(",", ";")
    return "content:" + hashlib.blake2b(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _lead_id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal():
        raise RowError("leadId is missing or not a number")
    return str(value)


def _time(value: object) -> int:
    if not isinstance(value, str):
        raise RowError("activityDate is missing")
    try:
        return _parse_time(value)
    except ValueError as error:
        raise RowError("activityDate is not a date and time") from error


@lru_cache(maxsize=4096)
def _parse_time(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _changes(raw: object) -> tuple[FieldChange, ...]:
    if not isinstance(raw, list) or not raw:
        raise RowError("a changed value without a list of fields")
    return tuple([_change(each) for each in raw])


def _change(raw: object) -> FieldChange:
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str) or raw.keys().isdisjoint(_VALUES):
        raise RowError("a field without name or values")
    return FieldChange(name=raw["name"], old=raw.get("oldValue"), new=raw.get("newValue"))


def _attribute_change(raw: dict[str, Any], attributes: dict[str, object], shown: Shown) -> tuple[FieldChange, ...]:
    """The field is the row's primary attribute (Marketo, bulk activity extract, Change Data Value); empty: it is not one of ours."""
    number, label = raw.get("primaryAttributeValueId"), raw.get("primaryAttributeValue")
    if (number is None and label is None) or attributes.keys().isdisjoint(_ATTRIBUTE_VALUES):
        raise RowError("a changed value without field or values")
    name = shown.get(number) if isinstance(number, int) else None
    if name is None and isinstance(label, str):
        name = shown.get(label)
    return () if name is None else (FieldChange(name=name, old=attributes.get("oldvalue"), new=attributes.get("newvalue")),)


def _merge_ids(value: object) -> tuple[str, ...]:
    """Losers, out of text like `[1286861]`."""
    ids = tuple(part.strip() for part in str(value or "").strip(" []").split(",") if part.strip())
    if not ids or not all(each.isdecimal() for each in ids):
        raise RowError("a merge without the ids of the merged leads")
    return ids
