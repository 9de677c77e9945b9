"""What is said of a list of records that has Marketo's common interface: a declaration of whoever keeps it in step."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from streams.wire.events import Value
from streams.wire.systems import Object

_PATH = re.compile(r"[a-z]+(/[A-Za-z][A-Za-z0-9_]*)?")

Key = str | tuple[str | int, ...]
"""What names a record: the value of its one dedupe field, or those of all in their order."""


class Interface(Enum):
    """How Marketo is asked for such records."""

    RECORDS = "records"
    """The common interface of the lead database (companies, sales people, opportunities, roles, custom objects)."""
    MEMBERS = "members"
    """Members of programs, program by program. None has an id: program and person name it, `1001.123`."""
    PROGRAMS = "programs"
    """Programs, which are assets: read only here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A list of records that are no people."""

    object: Object
    """As on the topics: `company`."""
    path: str
    """`companies`, `salespersons`, `opportunities`, `opportunities/roles`, `customobjects/car_c`."""
    key: tuple[str, ...]
    """The dedupe fields: `("externalCompanyId",)`."""
    id_field: str
    """`id` or `marketoGUID`: the name that Marketo itself gives a record."""
    interface: Interface = Interface.RECORDS

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"not a path of Marketo's lead database: {self.path!r}")
        if not self.key:
            raise ValueError(f"{self.path}: no key field, nothing tells two records apart")

    @property
    def derived(self) -> bool:
        """Whether a record has no id of its own there: its key fields together name it."""
        return self.interface is Interface.MEMBERS

    def joined(self, parts: Mapping[str, Value]) -> str:
        """Of a derived name: the name, out of the key fields."""
        return ".".join(str(parts[name]) for name in self.key)

    def parts(self, name: str) -> dict[str, str]:
        """Of a derived name: the key fields. Raises ValueError for what is no such name."""
        return dict(zip(self.key, name.split("."), strict=True))

    @property
    def name(self) -> str:
        """What it is called: of a custom object, its API name."""
        return self.path.rpartition("/")[2]

    def named(self, key: Key) -> dict[str, Value]:
        """The key fields with these values. Raises ValueError for another number of them."""
        values = (key,) if isinstance(key, str) else key
        return dict(zip(self.key, values, strict=True))

    def place(self, fields: Mapping[str, Value]) -> tuple[str, ...]:
        """Where a record stands: equal for all spellings of a key that are one to Marketo, which folds case."""
        return tuple(str(fields.get(name)).casefold() for name in self.key)
