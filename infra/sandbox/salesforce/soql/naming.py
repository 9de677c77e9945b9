"""Ties the names of a query to what a user may see: paths become getters, literals values of a field's type, errors name their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import msgspec

from infra.sandbox.salesforce.access.views import View, VisibleObject
from infra.sandbox.salesforce.schema.types import IDS, NUMERIC, TEXTUAL, Field, Kind, Row, Value
from infra.sandbox.salesforce.soql.grammar.functions import DATE_FUNCTIONS, SHOWING, result_of, worked_out
from infra.sandbox.salesforce.soql.grammar.query import Day, Literal, Moment, Null, Number, Path, Text, Truth
from infra.sandbox.salesforce.soql.grammar.tokens import located
from infra.sandbox.salesforce.soql.polymorphic import NAME, TYPE, is_polymorphic
from infra.sandbox.salesforce.wire import ids
from infra.sandbox.salesforce.wire.errors import ApiError, no_such_type

Getter = Callable[[Row], Value]
Parent = Callable[[str], Row | None]
MAX_HOPS = 5


class Bound(msgspec.Struct, frozen=True):
    """A path found in the schema: the reference fields to follow, then the field. `shown` are its names as the schema writes them."""

    hops: tuple[Field, ...]
    field: Field
    shown: tuple[str, ...]
    function: str = ""
    """A function of one field; `field` is what comes out, `of` what goes in."""
    of: Field | None = None
    alias: str = ""


def is_type(bound: Bound) -> bool:
    """Whether the path asks for the type of a polymorphic parent."""
    return bool(bound.hops) and is_polymorphic(bound.hops[-1]) and bound.field.name == TYPE


class Naming:
    """Everything that turns the names of one query on one object into functions over its rows."""

    def __init__(self, source: str, view: View, name: str, parent: Parent, today: date, *, alias: str = "") -> None:
        visible = view.object(name)
        if visible is None or not visible.kind.queryable:
            raise no_such_type(name)
        self.root: VisibleObject = visible
        self._source = source
        self._view = view
        self._parent = parent
        self.today = today
        self._own_names = {visible.kind.name.lower(), alias.lower()}

    def path(self, path: Path) -> Bound:
        """Raises INVALID_FIELD for what does not exist or is hidden."""
        names = path.names
        if len(names) > 1 and names[0].lower() in self._own_names and names[0].lower() not in self.root.relationships:
            names = names[1:]
        here = self.root
        hops: list[Field] = []
        shown: list[str] = []
        for name in names[:-1]:
            reference = here.relationships.get(name.lower())
            if reference is None or len(hops) == MAX_HOPS:
                raise self.invalid(
                    path, f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom relationship,"
                    " be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for"
                    " the appropriate names.",
                )  # fmt: skip
            target = NAME if is_polymorphic(reference) else self._view.object(reference.reference_to[0])
            if target is None:
                raise self.invalid(path, self._no_column(name, here))
            hops.append(reference)
            shown.append(reference.relationship or name)
            here = target
        field = here.field(names[-1])
        if field is None:
            raise self.invalid(path, self._no_column(names[-1], here))
        if path.function in DATE_FUNCTIONS:
            result = result_of(path.function, field)
            if result is None:
                raise self.invalid(path, f"field {field.name} does not support the function {path.function}", code="MALFORMED_QUERY")
            return Bound(tuple(hops), result, (*shown, field.name), path.function, field)
        function = path.function if path.function in SHOWING else ""
        return Bound(tuple(hops), field, (*shown, field.name), function, field, path.alias)

    def getter(self, bound: Bound) -> Getter:
        if bound.function in DATE_FUNCTIONS and bound.of is not None:
            get, function = self.getter(Bound(bound.hops, bound.of, bound.shown)), bound.function
            return lambda row: worked_out(function, get(row))
        name = bound.field.name
        missing = False if bound.field.kind is Kind.BOOLEAN else None
        if not bound.hops:
            return lambda row: row.get(name, missing)
        hops = tuple(each.name for each in bound.hops)

        def follow(row: Row) -> Value:
            here = self.follow(row, hops)
            return None if here is None else here.get(name, missing)

        def type_of(row: Row) -> Value:
            here = self.follow(row, hops)
            return None if here is None else self.type_of(here)

        return type_of if is_type(bound) else follow

    def visible(self, name: str) -> VisibleObject:
        """The object of that name. Raises INVALID_TYPE."""
        found = self._view.object(name)
        if found is None:
            raise no_such_type(name)
        return found

    @property
    def user_id(self) -> str:
        return self._view.user_id

    def type_of(self, row: Row) -> str | None:
        """The name of the object that the record is of."""
        return self._view.name_of(str(row["Id"]))

    def follow(self, row: Row, hops: Sequence[str]) -> Row | None:
        here: Row | None = row
        for hop in hops:
            target = here.get(hop) if here is not None else None
            here = self._parent(target) if isinstance(target, str) else None
            if here is not None and not self._view.shows(here):
                return None
        return here

    def invalid(self, path: Path, problem: str, code: str = "INVALID_FIELD") -> ApiError:
        return ApiError(400, code, located(self._source, path.at, problem))

    def value(self, path: Path, field: Field, literal: Literal) -> Value:
        """The literal as a stored value of that field; None for null. Raises when the types don't fit."""
        match literal:
            case Null():
                return None
            case Text(text) if field.kind in IDS:
                return self._id(path, text)
            case Text(text) if field.kind in TEXTUAL:
                return text or None
            case Number(number) if field.kind in NUMERIC:
                return number
            case Truth(truth) if field.kind is Kind.BOOLEAN:
                return truth
            case Day(day) if field.kind is Kind.DATE:
                return day
            case Moment(moment) if field.kind is Kind.DATETIME:
                return moment
            case _:
                raise self.invalid(path, expectation(field))

    def _id(self, path: Path, text: str) -> str | None:
        if not text:
            return None
        if not ids.well_formed(text):
            raise self.invalid(path, f"invalid ID field: {text}", code="INVALID_QUERY_FILTER_OPERATOR")
        return ids.normalise(text)

    @staticmethod
    def _no_column(name: str, owner: VisibleObject) -> str:
        return (
            f"No such column '{name}' on entity '{owner.kind.name}'. If you are attempting to use a custom field, be sure to append the"
            " '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
        )


def expectation(field: Field) -> str:
    text = field.kind in TEXTUAL or field.kind in IDS
    kind = "string" if text else ("dateTime" if field.kind is Kind.DATETIME else str(field.kind))
    quotes = "should be enclosed in quotes" if text else "should not be enclosed in quotes"
    return f"value of filter criterion for field '{field.name}' must be of type {kind} and {quotes}"
