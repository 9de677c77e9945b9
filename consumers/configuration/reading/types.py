"""The kinds of settings: how each is read from the file, shown in the JSON Schema and described in the reference."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from consumers.configuration.reading.places import Invalid, Place, Reading

_REFERENCES = ("env", "file")
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
REFERENCE_SCHEMA: dict[str, Any] = {"$ref": "#/$defs/reference"}


class Secret:
    """A value that is used and never shown: only its origin is."""

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str) -> None:
        self._value = value
        self.origin = origin

    def reveal(self) -> str:
        """The secret itself, for the call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.origin})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class SettingType(Protocol):
    """How one setting is read, and what is said about it."""

    @property
    def doc(self) -> str:
        """What the setting is for, in a sentence."""
        ...

    def read(self, place: Place, reading: Reading) -> Any:
        """The value at a place. Raises `Invalid`."""
        ...

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        ...

    def words(self) -> str:
        """What may stand there, for the reference."""
        ...


def resolved(place: Place, reading: Reading) -> str:
    """The text at a place, or the one that `{env: NAME}` or `{file: PATH}` points to. Raises `Invalid`.

    Where NAME is not set and NAME_FILE is, the value is the content of the file that it names, as container platforms hand out secrets.
    """
    if not place.mapping:
        return place.text()
    entries = {name: value for name, _, value in reading.unique_items(place)}
    if len(entries) != 1 or next(iter(entries)) not in _REFERENCES:
        raise Invalid(place, "a single value is needed here, or {env: NAME}, or {file: PATH}")
    (source, target), *_ = entries.items()
    name, pointed = target.text(), Place(key=place.key, node=target.node)
    return _from_environment(pointed, name, reading) if source == "env" else _from_file(pointed, name, reading)


def _from_environment(place: Place, name: str, reading: Reading) -> str:
    value = reading.environ.get(name)
    pointer = reading.environ.get(f"{name}_FILE")
    if value is None and pointer:
        return _from_file(place, pointer, reading)
    if not value:
        state = "is not set" if value is None else "is empty"
        raise Invalid(place, f"the environment variable {name} {state}; export it, or point to a file with {{file: PATH}}")
    return value


def _from_file(place: Place, name: str, reading: Reading) -> str:
    path = reading.directory / name
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise Invalid(place, f"the file {path} can't be read ({said})") from error
    if not value:
        raise Invalid(place, f"the file {path} is empty")
    return value


@dataclass(frozen=True, slots=True)
class Text:
    """Text, perhaps of a form."""

    doc: str
    pattern: str = ""
    form: str = "text"

    def read(self, place: Place, reading: Reading) -> str:
        """The text, not blank, of the wanted form."""
        text = resolved(place, reading).strip()
        if not text:
            raise Invalid(place, f"must not be blank ({self.form})")
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise Invalid(place, f"{text!r} is not {self.form}")
        return text

    def schema(self) -> dict[str, Any]:
        """A string or a reference; numbers too, where they fit (an API version)."""
        plain: dict[str, Any] = {"type": ["string", "number"]}
        if self.pattern:
            plain["pattern"] = f"^(?:{self.pattern})$"
        return {"anyOf": [plain, REFERENCE_SCHEMA]}

    def words(self) -> str:
        """What may stand there."""
        return self.form


@dataclass(frozen=True, slots=True)
class Url:
    """The base URL of a system: https, or http to this machine."""

    doc: str

    def read(self, place: Place, reading: Reading) -> str:
        """The URL without a slash at its end."""
        text = resolved(place, reading).strip()
        parts = urlsplit(text)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise Invalid(place, f"{text!r} is not a URL; write it like https://example.my.salesforce.com")
        if parts.scheme == "http" and parts.hostname not in _LOCAL:
            raise Invalid(place, "plain http is only allowed to this machine; use https")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise Invalid(place, "a URL here has no user, password, query or fragment; leave them out")
        return text.rstrip("/")

    def schema(self) -> dict[str, Any]:
        """A string or a reference."""
        return {"anyOf": [{"type": "string", "pattern": "^https?://"}, REFERENCE_SCHEMA]}

    def words(self) -> str:
        """What may stand there."""
        return "URL"


@dataclass(frozen=True, slots=True)
class SecretText:
    """A secret: only by reference, never in the file."""

    doc: str

    def read(self, place: Place, reading: Reading) -> Secret:
        """The secret that the reference points to."""
        if not place.mapping:
            raise Invalid(place, "a secret must not stand in this file; write {env: NAME} or {file: PATH}")
        value = resolved(place, reading)
        name, target = next((name, target) for name, _, target in reading.unique_items(place))
        return Secret(value, f"{name}: {target.text()}")

    def schema(self) -> dict[str, Any]:
        """A reference."""
        return REFERENCE_SCHEMA

    def words(self) -> str:
        """What may stand there."""
        return "`{env: NAME}` or `{file: PATH}`"


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between bounds."""

    doc: str
    least: int
    most: int

    def read(self, place: Place, reading: Reading) -> int:
        """The number."""
        text = resolved(place, reading).strip()
        if not re.fullmatch(r"-?[0-9][0-9_]*", text) or not self.least <= int(text) <= self.most:
            raise Invalid(place, f"{text!r} is not {self.words()}")
        return int(text)

    def schema(self) -> dict[str, Any]:
        """An integer or a reference."""
        return {"anyOf": [{"type": "integer", "minimum": self.least, "maximum": self.most}, REFERENCE_SCHEMA]}

    def words(self) -> str:
        """What may stand there."""
        return f"a whole number from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    doc: str

    def read(self, place: Place, reading: Reading) -> bool:
        """The flag; YAML 1.1's yes and on are refused, since editors take them for text."""
        text = resolved(place, reading).strip()
        if text not in ("true", "false"):
            raise Invalid(place, f"{text!r} is not true or false")
        return text == "true"

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"anyOf": [{"type": "boolean"}, REFERENCE_SCHEMA]}

    def words(self) -> str:
        """What may stand there."""
        return "true or false"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    doc: str
    options: Callable[[str], Any]
    """An enumeration; or whatever makes the member of its word, where `only` says which there are."""
    only: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The words."""
        return self.only or tuple(str(each) for each in cast("type[StrEnum]", self.options))

    def read(self, place: Place, reading: Reading) -> Any:
        """The chosen member."""
        text = resolved(place, reading).strip()
        if text not in self.names:
            raise Invalid(place, f"{text!r} is not one of {', '.join(self.names)}")
        return self.options(text)

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"anyOf": [{"enum": list(self.names)}, REFERENCE_SCHEMA]}

    def words(self) -> str:
        """What may stand there."""
        return ", ".join(f"`{name}`" for name in self.names)


@dataclass(frozen=True, slots=True)
class Servers:
    """Kafka's addresses: `host:port`, several as a list or separated by commas."""

    doc: str

    def read(self, place: Place, reading: Reading) -> str:
        """The addresses, separated by commas."""
        parts = [each.text() for each in place.elements()] if place.sequence else resolved(place, reading).split(",")
        servers = [part.strip() for part in parts]
        for server in servers:
            if not re.fullmatch(r"[^\s:/]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", server):
                raise Invalid(place, f"{server!r} is not host:port")
        return ",".join(servers)

    def schema(self) -> dict[str, Any]:
        """A string or a list of strings, or a reference."""
        one = Text("").schema()["anyOf"]
        return {"anyOf": [*one, {"type": "array", "minItems": 1, "items": {"type": "string"}}]}

    def words(self) -> str:
        """What may stand there."""
        return "`host:port`, or a list of them"


@dataclass(frozen=True, slots=True)
class Names:
    """A list of names, each once."""

    doc: str

    def read(self, place: Place, reading: Reading) -> tuple[str, ...]:
        """The names in their order."""
        del reading
        if not place.sequence:
            raise Invalid(place, "a list belongs here, such as [Fill Out Form, Click Email]")
        names = tuple(each.text().strip() for each in place.elements())
        if not all(names) or len(set(names)) < len(names):
            raise Invalid(place, "each name stands once, and none is blank")
        return names

    def schema(self) -> dict[str, Any]:
        """A list of strings."""
        return {"type": "array", "uniqueItems": True, "items": {"type": "string", "minLength": 1}}

    def words(self) -> str:
        """What may stand there."""
        return "a list of names"
