"""A SOQL query as a value."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

from infra.sandbox.salesforce.soql.grammar.functions import SHOWING

FIELDS = "FIELDS"
FIELD_GROUPS = frozenset({"ALL", "STANDARD", "CUSTOM"})


class Operator(StrEnum):
    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    LIKE = "LIKE"
    IN = "IN"
    NOT_IN = "NOT IN"
    INCLUDES = "INCLUDES"
    EXCLUDES = "EXCLUDES"


class Path(msgspec.Struct, frozen=True):
    """A field, perhaps of a parent: `Account.Owner.Name`; with a function, an aggregate of it: `COUNT(Id) n`. FIELDS(ALL) is one with
    that function too."""

    names: tuple[str, ...]
    at: int
    function: str = ""
    alias: str = ""


class TypeOf(msgspec.Struct, frozen=True):
    """TYPEOF of a polymorphic relationship: which fields are shown of a record of which object, and of all others."""

    relationship: str
    at: int
    whens: tuple[tuple[str, tuple[Path, ...]], ...]
    otherwise: tuple[Path, ...]


class Text(msgspec.Struct, frozen=True):
    value: str
    at: int


class Number(msgspec.Struct, frozen=True):
    value: float
    at: int


class Truth(msgspec.Struct, frozen=True):
    value: bool
    at: int


class Null(msgspec.Struct, frozen=True):
    at: int


class Day(msgspec.Struct, frozen=True):
    """`2026-08-10`."""

    value: str
    at: int


class Moment(msgspec.Struct, frozen=True):
    """A time as stored: `2026-08-10T01:02:03.000+0000`."""

    value: str
    at: int


class Span(msgspec.Struct, frozen=True):
    """A relative date literal such as TODAY or LAST_N_DAYS:30."""

    name: str
    n: int
    at: int


class Inner(msgspec.Struct, frozen=True):
    """A query within IN (...): its values stand for it."""

    query: Query
    at: int


Literal: TypeAlias = Text | Number | Truth | Null | Day | Moment | Span | Inner


class Comparison(msgspec.Struct, frozen=True):
    path: Path
    operator: Operator
    values: tuple[Literal, ...]


class Not(msgspec.Struct, frozen=True):
    inner: Condition


class And(msgspec.Struct, frozen=True):
    parts: tuple[Condition, ...]


class Or(msgspec.Struct, frozen=True):
    parts: tuple[Condition, ...]


Condition: TypeAlias = Comparison | Not | And | Or


class OrderKey(msgspec.Struct, frozen=True):
    path: Path
    descending: bool
    nulls_last: bool


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """`select` is empty when the query asks COUNT() only. `children` are sub-queries; their `object` names a relationship."""

    source: str
    select: tuple[Path, ...]
    count: bool
    object: str
    object_at: int
    where: Condition | None = None
    order: tuple[OrderKey, ...] = ()
    limit: int | None = None
    offset: int = 0
    group: tuple[Path, ...] = ()
    having: Condition | None = None
    children: tuple[Query, ...] = ()
    typeofs: tuple[TypeOf, ...] = ()
    alias: str = ""
    """What the object is called within the query."""
    scope: str = "everything"

    @property
    def aggregates(self) -> bool:
        return bool(self.group) or any(path.function and path.function != FIELDS and path.function not in SHOWING for path in self.select)
