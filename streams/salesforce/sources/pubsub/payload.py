"""An Avro payload of the Pub/Sub API in the form that the Streaming API gives the same event. Pure.

After the Pub/Sub API guide, "event deserialization considerations": every field of the schema is there, null where it wasn't changed;
which were changed, nulled, or hold a difference only, stands in bitmaps of the header; moments are milliseconds.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import orjson

Field = Mapping[str, Any]
_HEADER = "ChangeEventHeader"
_LISTS = ("changedFields", "nulledFields", "diffFields")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnreadableError(ValueError):
    """The payload can't be read by its schema; the text says why, without what is in it."""


class Form:
    """Reads the events of one schema."""

    def __init__(self, text: str) -> None:
        """`text`: the schema as the service gives it. Raises `UnreadableError`."""
        try:
            schema = orjson.loads(text)
            self._fields: list[Field] = schema["fields"]
            self._parsed = fastavro.parse_schema(schema)
            self._places = [(field, _record_of(field)) for field in self._fields]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, fastavro.schema.SchemaParseException) as error:
            raise UnreadableError(f"the schema can't be used ({type(error).__name__})") from None

    def payload(self, data: bytes) -> dict[str, Any]:
        """The payload as the Streaming API has it. Raises `UnreadableError`."""
        try:
            record: Any = fastavro.schemaless_reader(io.BytesIO(data), self._parsed, None)
            header = dict(record[_HEADER])
            named = {name: frozenset(self.named(header.get(name) or ())) for name in _LISTS}
            body = dict(self._body(record, named))
        except (EOFError, IndexError, KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise UnreadableError(f"the payload can't be read by its schema ({type(error).__name__})") from None
        header["changedFields"] = sorted(named["changedFields"])
        del header["nulledFields"], header["diffFields"]
        return {**body, _HEADER: header}

    def named(self, bitmaps: Sequence[str]) -> Iterator[str]:
        """The fields that bitmaps name: `0x…` at the top level, `place-0x…` parts of the compound there; bit i is the i-th."""
        for bitmap in bitmaps:
            place, dash, bits = bitmap.rpartition("-")
            fields, prefix = self._fields, ""
            if dash:
                parent, record = self._places[int(place)]
                if record is None:
                    raise ValueError("a bitmap of a field without parts")
                fields, prefix = record["fields"], f"{parent['name']}."
            number = int(bits, 16)
            if number >> len(fields):
                raise ValueError("a bitmap of more fields than there are")
            yield from (f"{prefix}{field['name']}" for place_, field in enumerate(fields) if number >> place_ & 1)

    def _body(self, record: Mapping[str, Any], named: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, Any]]:
        for field, parts in self._places:
            name = field["name"]
            value = record[name]
            if name == _HEADER:
                continue
            if parts is None or not (value is None or isinstance(value, Mapping)):
                yield from _told([field], record, named, "")
            elif inner := dict(_told(parts["fields"], value or {}, named, f"{name}.")):
                yield name, inner
            elif name in named["nulledFields"]:
                yield name, None


def _told(
    fields: Sequence[Field], values: Mapping[str, Any], named: Mapping[str, frozenset[str]], prefix: str
) -> Iterator[tuple[str, Any]]:
    """Those of some fields that the event tells of: what has a value, and what was emptied."""
    for field in fields:
        name, path = field["name"], f"{prefix}{field['name']}"
        value = values.get(name)
        if path in named["diffFields"]:
            yield name, {"diff": value}
        elif value is not None:
            yield name, _as_json(field, value)
        elif path in named["nulledFields"]:
            yield name, None


def _as_json(field: Field, value: Any) -> Any:
    """Moments as texts; which of a schema's numbers are moments stands in its `doc` (`Data:DateOnly:00N…`): their Avro type is the same."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    match str(field.get("doc") or "").split(":")[1:2]:
        case ["DateTime"]:
            return _moment(value).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value % 1000:03d}Z"
        case ["DateOnly"]:
            return _moment(value).strftime("%Y-%m-%d")
        case ["TimeOnly"]:
            return _moment(value).strftime("%H:%M:%S.") + f"{value % 1000:03d}Z"
        case _:
            return value


def _moment(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


def _record_of(field: Field) -> Mapping[str, Any] | None:
    kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
    return next((each for each in kinds if isinstance(each, dict) and each.get("type") == "record"), None)
