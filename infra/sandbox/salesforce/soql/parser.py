"""Reads a SOQL text. What is not in this grammar is refused with MALFORMED_QUERY; nothing is skipped over.

query      = SELECT (COUNT() | item {, item}) FROM name [WHERE condition] [GROUP BY path {, path} [HAVING condition]]
             [ORDER BY key {, key}] [LIMIT n] [OFFSET n]
item       = path | function ( path ) [alias] | FIELDS ( ALL | STANDARD | CUSTOM ) | ( query )     -- the last over a child relationship
condition  = factor {AND factor} | factor {OR factor}      -- the two can't be mixed without parentheses, as in SOQL
factor     = NOT factor | ( condition ) | path operator literal | path [NOT] IN ( literals | query ) | path INCLUDES|EXCLUDES ( texts )
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TypeVar

from infra.sandbox.salesforce.errors import ApiError
from infra.sandbox.salesforce.soql.query import (
    FIELD_GROUPS,
    FIELDS,
    And,
    Comparison,
    Condition,
    Day,
    Inner,
    Literal,
    Moment,
    Not,
    Null,
    Number,
    Operator,
    Or,
    OrderKey,
    Path,
    Query,
    Span,
    Text,
    Truth,
)
from infra.sandbox.salesforce.soql.spans import COUNTED, PLAIN
from infra.sandbox.salesforce.soql.tokens import Sort, Token, malformed, tokenise

FUNCTIONS = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"})
_SIGNS = {"=": Operator.EQ, "!=": Operator.NE, "<>": Operator.NE, "<": Operator.LT, "<=": Operator.LE, ">": Operator.GT, ">=": Operator.GE}
_CLAUSES = frozenset(
    {"SELECT", "FROM", "WHERE", "ORDER", "BY", "LIMIT", "OFFSET", "AND", "OR", "NOT", "IN", "LIKE", "GROUP", "HAVING", "USING"}
)
T = TypeVar("T")
MAX_DEPTH = 100
MAX_LENGTH = 100_000


def parse(source: str) -> Query:
    """The query that the text states. Raises `ApiError` MALFORMED_QUERY."""
    if len(source) > MAX_LENGTH:
        raise ApiError(400, "MALFORMED_QUERY", f"SOQL statements cannot be longer than {MAX_LENGTH} characters.")
    return _Parser(source).query()


def parse_condition(source: str) -> Condition:
    """A WHERE condition that stands alone (validation rules, flows)."""
    parser = _Parser(source)
    condition = parser.condition(0)
    parser.end()
    return condition


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokenise(source)
        self._next = 0

    # -- clauses

    def query(self) -> Query:
        found = self._query()
        self.end()
        return found

    def _query(self, depth: int = 0) -> Query:
        if depth > 1:
            raise malformed(self._source, self._peek.at, "queries are nested too deeply")
        self._keyword("SELECT")
        count, select, children = self._select(depth)
        self._keyword("FROM")
        name = self._object_name()
        where = self.condition(0) if self._take("WHERE") else None
        group, having = self._group() if self._take("GROUP") else ((), None)
        order = self._order() if self._take("ORDER") else ()
        limit = self._whole_number("LIMIT")
        offset = self._whole_number("OFFSET")
        return Query(
            source=self._source, select=select, count=count, object=name.text, object_at=name.at, where=where, order=order, limit=limit,
            offset=offset or 0, group=group, having=having, children=children,
        )  # fmt: skip

    def _group(self) -> tuple[tuple[Path, ...], Condition | None]:
        self._keyword("BY")
        return tuple(self._list(self._path)), self.condition(0) if self._take("HAVING") else None

    def end(self) -> None:
        if self._peek.sort is not Sort.END:
            raise self._unexpected()

    def _select(self, depth: int) -> tuple[bool, tuple[Path, ...], tuple[Query, ...]]:
        if self._peek.word == "COUNT" and self._after().text == "(" and self._after(2).text == ")":
            self._advance()
            self._sign("(")
            self._sign(")")
            return True, (), ()
        items = self._list(lambda: self._item(depth))
        return False, tuple(each for each in items if isinstance(each, Path)), tuple(each for each in items if isinstance(each, Query))

    def _item(self, depth: int) -> Path | Query:
        if self._peek.sort is Sort.SIGN and self._peek.text == "(":
            self._advance()
            inner = self._query(depth + 1)
            self._sign(")")
            return inner
        if self._peek.word == FIELDS and self._after().text == "(":
            return self._fields()
        path = self._path()
        if self._peek.sort is Sort.NAME and self._peek.word not in _CLAUSES and path.function:
            return Path(path.names, path.at, path.function, self._advance().text)
        return path

    def _fields(self) -> Path:
        at = self._advance().at
        self._sign("(")
        group = self._advance()
        if group.word not in FIELD_GROUPS:
            raise self._unexpected(group)
        self._sign(")")
        return Path((group.word,), at, FIELDS)

    def _order(self) -> tuple[OrderKey, ...]:
        self._keyword("BY")
        return tuple(self._list(self._order_key))

    def _order_key(self) -> OrderKey:
        path = self._path()
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        nulls_last = False
        if self._take("NULLS"):
            nulls_last = self._take("LAST")
            if not nulls_last:
                self._keyword("FIRST")
        return OrderKey(path, descending, nulls_last)

    def _whole_number(self, keyword: str) -> int | None:
        if not self._take(keyword):
            return None
        token = self._advance()
        if token.sort is not Sort.NUMBER or not token.text.isdigit():
            raise self._unexpected(token)
        return int(token.text)

    # -- conditions

    def condition(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise malformed(self._source, self._peek.at, "the condition is nested too deeply")
        parts = [self._factor(depth)]
        joint = self._peek.word
        if joint not in ("AND", "OR"):
            return parts[0]
        while self._take(joint):
            parts.append(self._factor(depth))
        if self._peek.word in ("AND", "OR"):  # the two mixed without parentheses
            raise self._unexpected()
        return And(tuple(parts)) if joint == "AND" else Or(tuple(parts))

    def _factor(self, depth: int) -> Condition:
        if self._take("NOT"):
            if depth > MAX_DEPTH:
                raise malformed(self._source, self._peek.at, "the condition is nested too deeply")
            return Not(self._factor(depth + 1))
        if self._peek.text == "(" and self._peek.sort is Sort.SIGN:
            self._advance()
            inner = self.condition(depth + 1)
            self._sign(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        path = self._path()
        token = self._advance()
        if token.sort is Sort.SIGN and token.text in _SIGNS:
            return Comparison(path, _SIGNS[token.text], (self._literal(),))
        match token.word:
            case "LIKE":
                return Comparison(path, Operator.LIKE, (self._literal(),))
            case "NOT":
                self._keyword("IN")
                return Comparison(path, Operator.NOT_IN, self._values())
            case "IN" | "INCLUDES" | "EXCLUDES":
                return Comparison(path, Operator(token.word), self._values())
            case _:
                raise self._unexpected(token)

    def _values(self) -> tuple[Literal, ...]:
        self._sign("(")
        if self._peek.word == "SELECT":
            inner = Inner(self._query(1), self._peek.at)
            self._sign(")")
            return (inner,)
        values = tuple(self._list(self._literal))
        self._sign(")")
        return values

    def _literal(self) -> Literal:
        token = self._advance()
        match token.sort:
            case Sort.STRING:
                return Text(token.text, token.at)
            case Sort.NUMBER:
                return Number(float(token.text), token.at)
            case Sort.DATE:
                return Day(self._day(token), token.at)
            case Sort.DATETIME:
                return Moment(self._moment(token), token.at)
            case Sort.NAME:
                return self._named_literal(token)
            case _:
                raise self._unexpected(token)

    def _named_literal(self, token: Token) -> Literal:
        word = token.word
        if word == "NULL":
            return Null(token.at)
        if word in ("TRUE", "FALSE"):
            return Truth(word == "TRUE", token.at)
        if word in PLAIN:
            return Span(word, 0, token.at)
        if word in COUNTED:
            self._sign(":")
            n = self._advance()
            if n.sort is not Sort.NUMBER or not n.text.isdigit() or int(n.text) > 100_000:
                raise self._unexpected(n)
            return Span(word, int(n.text), token.at)
        raise self._unexpected(token)

    def _day(self, token: Token) -> str:
        try:
            return date.fromisoformat(token.text).isoformat()
        except ValueError:
            raise malformed(self._source, token.at, f"Invalid date: {token.text}") from None

    def _moment(self, token: Token) -> str:
        text = re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", token.text)
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            raise malformed(self._source, token.at, f"Invalid datetime: {token.text}") from None
        return moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000")

    # -- words

    @property
    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _after(self, steps: int = 1) -> Token:
        return self._tokens[min(self._next + steps, len(self._tokens) - 1)]

    def _advance(self) -> Token:
        token = self._tokens[self._next]
        if token.sort is not Sort.END:
            self._next += 1
        return token

    def _take(self, keyword: str) -> bool:
        if self._peek.word == keyword:
            self._next += 1
            return True
        return False

    def _keyword(self, keyword: str) -> None:
        if not self._take(keyword):
            raise self._unexpected(expected=keyword)

    def _sign(self, sign: str) -> None:
        if self._peek.sort is not Sort.SIGN or self._peek.text != sign:
            raise self._unexpected(expected=sign)
        self._next += 1

    def _list(self, item: Callable[[], T]) -> list[T]:
        items = [item()]
        while self._peek.sort is Sort.SIGN and self._peek.text == ",":
            self._advance()
            items.append(item())
        return items

    def _path(self) -> Path:
        token = self._peek
        if token.sort is not Sort.NAME or token.word in _CLAUSES:
            raise self._unexpected()
        self._advance()
        if self._peek.sort is Sort.SIGN and self._peek.text == "(" and token.word in FUNCTIONS:
            self._advance()
            inner = self._path()
            self._sign(")")
            return Path(inner.names, token.at, token.word)
        return Path(tuple(token.text.split(".")), token.at)

    def _object_name(self) -> Token:
        """Any name: objects are called Group and Order too."""
        token = self._peek
        if token.sort is not Sort.NAME or "." in token.text:
            raise self._unexpected()
        return self._advance()

    def _unexpected(self, token: Token | None = None, *, expected: str | None = None) -> ApiError:
        token = token or self._peek
        shown = "<EOF>" if token.sort is Sort.END else token.text
        problem = f"unexpected token: '{shown}'"
        if expected is not None:
            problem = f"expecting '{expected}', found '{shown}'"
        return malformed(self._source, token.at, problem)
