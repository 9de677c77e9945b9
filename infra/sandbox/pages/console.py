"""What a system offers to its pages. `pages.handlers` does the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectLink:
    """One entry of the list at the side."""

    name: str
    label: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A row of a table: the record's id and the values of the columns."""

    id: str
    values: Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Part of an object's records. `more`: there are others behind."""

    columns: Sequence[str]
    rows: Sequence[Listed]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldShown:
    name: str
    label: str
    value: object
    type: str = "string"
    editable: bool = False
    choices: Sequence[str] = ()
    """Values that are offered for it; others may be typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line of what happened to a record, or of what belongs to it: when, what, more about it, and another record to go to."""

    at: str
    what: str
    detail: str = ""
    link: tuple[str, str] | None = None
    """Object and id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordShown:
    title: str
    subtitle: str
    fields: Sequence[FieldShown]
    related: Sequence[tuple[str, Sequence[Note]]] = field(default_factory=tuple)
    """Headed lists beside the fields."""


class EditRefusedError(ValueError):
    """The edit can't be made; the text tells the person why."""


class Console(Protocol):
    """`title` heads the pages, `accent` is a CSS colour, `person` is who edits through them, `stamps` are fields that change with every
    change and say nothing of it."""

    title: str
    stamps: frozenset[str]
    accent: str
    person: str

    def objects(self) -> Sequence[ObjectLink]: ...

    def records(self, name: str, search: str, start: int, count: int) -> Page:
        """The records of an object, the newest first, or those that match a search. KeyError for an unknown object."""
        ...

    def record(self, name: str, key: str) -> RecordShown:
        """KeyError when there is none."""
        ...

    def edit(self, name: str, key: str, values: dict[str, str | None]) -> None:
        """Changes fields as that person would. EditRefusedError when the system refuses; KeyError when there is no such record."""
        ...

    def blank(self, name: str) -> Sequence[FieldShown]:
        """The fields of a record that is still to be made; none where people make no such records here. KeyError for an unknown object."""
        ...

    def create(self, name: str, values: dict[str, str | None]) -> str:
        """Makes a record as that person would; its id. EditRefusedError when the system refuses; KeyError for an unknown object."""
        ...
