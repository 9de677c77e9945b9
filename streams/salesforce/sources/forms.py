"""The forms of change events: each object's events name the schema that they follow, another one once its fields have changed (CDC guide,
event schema)."""

from collections.abc import Mapping
from typing import Any


class Forms:
    """The schemas seen so far; the first of each object is how it was when the stream was opened."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._objects: set[str] = set()

    def differs(self, message: Mapping[str, Any]) -> bool:
        """Whether it follows a schema that is new for an object that had another one."""
        schema, entity = _of(message)
        if not schema or schema in self._seen:
            return False
        if entity in self._objects:
            return True
        self._seen.add(schema)
        self._objects.add(entity)
        return False

    def is_new(self, message: Mapping[str, Any]) -> bool:
        """The same, once: from now on it has been seen."""
        if not self.differs(message):
            return False
        self._seen.add(_of(message)[0])
        return True


def _of(message: Mapping[str, Any]) -> tuple[str, str]:
    data = message.get("data")
    payload = data.get("payload") if isinstance(data, dict) else None
    header = payload.get("ChangeEventHeader") if isinstance(payload, dict) else None
    if not isinstance(data, dict) or not isinstance(header, dict):
        return "", ""
    return str(data.get("schema") or ""), str(header.get("entityName") or "")
