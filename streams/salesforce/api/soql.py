"""SOQL text from values. Names are checked, literals quoted: nothing else gets into a query. Pure."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\b": "\\b", "\f": "\\f"})


def name(text: str) -> str:
    """An object's or field's API name, as it is. Raises ValueError for anything else."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"not a Salesforce API name: {text!r}")
    return text


def text(value: str) -> str:
    """A quoted string literal."""
    return "'" + value.translate(_ESCAPES) + "'"


def moment(ms: int) -> str:
    """A dateTime literal in UTC, to the millisecond (Salesforce compares whole seconds)."""
    stamp = datetime.fromtimestamp(ms / 1000, tz=UTC)
    return stamp.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def moment_ms(stamp: str) -> int:
    """Milliseconds of a dateTime as REST (`+0000`) and CDC (`Z`) write it. Raises ValueError."""
    return round(datetime.fromisoformat(stamp.replace("+0000", "+00:00")).timestamp() * 1000)


def select(obj: str, fields: Iterable[str], where: Sequence[str] = (), *, order: Sequence[str] = (), limit: int | None = None) -> str:
    """`SELECT … FROM … [WHERE a AND b] [ORDER BY …] [LIMIT n]`. Fields keep their order, each once."""
    names = ", ".join(dict.fromkeys(name(each) for each in fields))
    parts = [f"SELECT {names} FROM {name(obj)}"]  # noqa: S608 - names are checked, literals quoted
    if where:
        parts.append("WHERE " + " AND ".join(where))
    if order:
        parts.append("ORDER BY " + ", ".join(name(each) for each in order))
    if limit is not None:
        parts.append(f"LIMIT {limit}")
    return " ".join(parts)


def any_of(field: str, values: Sequence[str]) -> str:
    """`field IN ('a', 'b')`; `field = 'a'` for one."""
    if len(values) == 1:
        return f"{name(field)} = {text(values[0])}"
    return f"{name(field)} IN ({', '.join(text(value) for value in values)})"


def count(obj: str, where: Sequence[str] = ()) -> str:
    """How many live records there are."""
    conditions = f" WHERE {' AND '.join(where)}" if where else ""
    return f"SELECT COUNT() FROM {name(obj)}{conditions}"  # noqa: S608 - the name is checked


def changed_between(start_ms: int, end_ms: int) -> list[str]:
    """Conditions of a window on SystemModstamp: from `start_ms`, before `end_ms`."""
    return [f"SystemModstamp >= {moment(start_ms)}", f"SystemModstamp < {moment(end_ms)}"]


def after_row(stamp_ms: int, record_id: str) -> str:
    """Keyset condition: rows behind this one in (SystemModstamp, Id) order."""
    stamp = moment(stamp_ms)
    return f"(SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > {text(record_id)}))"
