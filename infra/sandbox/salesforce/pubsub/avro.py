"""Change events as Pub/Sub API sends them: Avro records with every field, and bitmaps of the changed ones (Pub/Sub API guide, event
deserialisation). The JSON form of CometD is the source."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import fastavro
import orjson

Schema = dict[str, Any]
Record = dict[str, Any]


class Encoder:
    """Encodes the events of one schema."""

    def __init__(self, text: bytes) -> None:
        self._fields: list[Schema] = orjson.loads(text)["fields"]
        self._parsed = fastavro.parse_schema(orjson.loads(text))

    def encode(self, body: bytes) -> bytes:
        """A payload in JSON as Avro binary without its schema."""
        payload = orjson.loads(body)
        header = payload.pop("ChangeEventHeader")
        diffs: list[str] = []
        nulled: list[str] = []
        record = self._record(self._fields[1:], payload, "", diffs, nulled)
        record["ChangeEventHeader"] = {
            **header,
            "changedFields": self.bitmaps(header["changedFields"]),
            "diffFields": self.bitmaps(diffs),
            "nulledFields": self.bitmaps(nulled if header["changeType"] == "UPDATE" else ()),
        }
        out = io.BytesIO()
        fastavro.schemaless_writer(out, self._parsed, record)
        return out.getvalue()

    def bitmaps(self, paths: Iterable[str]) -> list[str]:
        """`0x…` for the top-level fields, then `position-0x…` for the parts of each compound; bit i is the i-th field of the schema."""
        top, nested = 0, dict[int, int]()
        places = {field["name"]: place for place, field in enumerate(self._fields)}
        for path in paths:
            head, _, tail = path.partition(".")
            place = places.get(head)
            if place is None:
                continue
            if not tail:
                top |= 1 << place
                continue
            parts = [field["name"] for field in _record_of(self._fields[place]["type"])["fields"]]
            nested[place] = nested.get(place, 0) | 1 << parts.index(tail)
        found = [_bytes_of(top)] if top else []
        return found + [f"{place}-{_bytes_of(bits)}" for place, bits in sorted(nested.items())]

    def _record(self, fields: Iterable[Schema], values: Mapping[str, Any], prefix: str, diffs: list[str], nulled: list[str]) -> Record:
        record: Record = {}
        for field in fields:
            name = field["name"]
            value = values.get(name)
            if value is None:
                record[name] = None
                if name in values:
                    nulled.append(f"{prefix}{name}")
            elif isinstance(value, dict) and set(value) == {"diff"}:
                record[name] = value["diff"]
                diffs.append(f"{prefix}{name}")
            elif isinstance(value, dict):
                record[name] = self._record(_record_of(field["type"])["fields"], value, f"{name}.", diffs, nulled)
            else:
                record[name] = _avro(field["type"], value)
        return record


def _bytes_of(bits: int) -> str:
    """Whole bytes in hexadecimal (Pub/Sub API guide, event deserialisation considerations)."""
    digits = f"{bits:X}"
    return f"0x{'0' * (len(digits) % 2)}{digits}"


def _record_of(union: list[Any]) -> Schema:
    return next(each for each in union if isinstance(each, dict))


def _avro(union: list[Any], value: Any) -> Any:
    if "long" in union:
        text = str(value)
        moment = datetime.fromisoformat(text) if "T" in text else datetime.fromisoformat(text).replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    if "double" in union:
        return float(value)
    return value
