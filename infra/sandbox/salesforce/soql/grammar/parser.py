"""Reads a SOQL text. What is not in this grammar is refused with MALFORMED_QUERY; nothing is skipped over.

query      = SELECT (COUNT() | item {, item}) FROM name [alias] [USING SCOPE name] [WHERE condition] [WITH name]
             [GROUP BY path {, path} [HAVING condition]] [ORDER BY key {, key}] [LIMIT n] [OFFSET n] {FOR name}
item       = path | function ( path ) [alias] | FIELDS ( ALL | STANDARD | CUSTOM ) | ( query )     -- the last over a child relationship
           | TYPEOF name WHEN name THEN path {, path} {WHEN ...} [ELSE path {, path}] END
condition  = factor {AND factor} | factor {OR factor}      -- the two can't be mixed without parentheses, as in SOQL
factor     = NOT factor | ( condition ) | path operator literal | path [NOT] IN ( literals | query ) | path INCLUDES|EXCLUDES ( texts )
"""

from __future__ import annotations

from infra.sandbox.salesforce.soql.grammar.functions import DATE_FUNCTIONS, SHOWING, ZONE
from infra.sandbox.salesforce.soql.grammar.literals import LiteralReader
from infra.sandbox.salesforce.soql.grammar.query import (
    FIELD_GROUPS,
    FIELDS,
    And,
    Comparison,
    Condition,
    Inner,
    Literal,
    Not,
    Operator,
    Or,
    OrderKey,
    Path,
    Query,
    TypeOf,
)
from infra.sandbox.salesforce.soql.grammar.tokens import Sort, Token, malformed
from infra.sandbox.salesforce.wire.errors import ApiError

FUNCTIONS = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX", ZONE}) | DATE_FUNCTIONS | SHOWING
_SIGNS = {"=": Operator.EQ, "!=": Operator.NE, "<>": Operator.NE, "<": Operator.LT, "<=": Operator.LE, ">": Operator.GT, ">=": Operator.GE}
_CLAUSES = frozenset({
    "SELECT", "FROM", "WHERE", "ORDER", "BY", "LIMIT", "OFFSET", "AND", "OR", "NOT", "IN", "LIKE", "GROUP", "HAVING", "USING", "WITH",
    "FOR",
})  # fmt: skip
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


class _Parser(LiteralReader):
    # -- clauses

    def query(self) -> Query:
        found = self._query()
        self.end()
        return found

    def _query(self, depth: int = 0) -> Query:
        if depth > 1:
            raise malformed(self._source, self._peek.at, "queries are nested too deeply")
        self._keyword("SELECT")
        count, select, children, typeofs = self._select(depth)
        self._keyword("FROM")
        name = self._object_name()
        alias = self._alias()
        scope = self._scope()
        where = self.condition(0) if self._take("WHERE") else None
        self._enforced()
        group, having = self._group() if self._take("GROUP") else ((), None)
        order = self._order() if self._take("ORDER") else ()
        limit = self._whole_number("LIMIT")
        offset = self._whole_number("OFFSET")
        self._purpose()
        return Query(
            source=self._source, select=select, count=count, object=name.text, object_at=name.at, where=where, order=order, limit=limit,
            offset=offset or 0, group=group, having=having, children=children, typeofs=typeofs, alias=alias, scope=scope,
        )  # fmt: skip

    def _group(self) -> tuple[tuple[Path, ...], Condition | None]:
        self._keyword("BY")
        return tuple(self._list(self._path)), self.condition(0) if self._take("HAVING") else None

    def _select(self, depth: int) -> tuple[bool, tuple[Path, ...], tuple[Query, ...], tuple[TypeOf, ...]]:
        if self._peek.word == "COUNT" and self._after().text == "(" and self._after(2).text == ")":
            self._advance()
            self._sign("(")
            self._sign(")")
            return True, (), (), ()
        items = self._list(lambda: self._item(depth))
        return (
            False,
            tuple(each for each in items if isinstance(each, Path)),
            tuple(each for each in items if isinstance(each, Query)),
            tuple(each for each in items if isinstance(each, TypeOf)),
        )

    def _item(self, depth: int) -> Path | Query | TypeOf:
        if self._peek.sort is Sort.SIGN and self._peek.text == "(":
            self._advance()
            inner = self._query(depth + 1)
            self._sign(")")
            return inner
        if self._peek.word == FIELDS and self._after().text == "(":
            return self._fields()
        if self._peek.word == "TYPEOF" and self._after().sort is Sort.NAME:
            return self._typeof()
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

    def _typeof(self) -> TypeOf:
        self._keyword("TYPEOF")
        name = self._object_name()
        whens = []
        while self._take("WHEN"):
            kind = self._object_name().text
            self._keyword("THEN")
            whens.append((kind, tuple(self._list(self._path))))
        otherwise = tuple(self._list(self._path)) if self._take("ELSE") else ()
        self._keyword("END")
        if not whens:
            raise malformed(self._source, name.at, "TYPEOF needs a WHEN")
        return TypeOf(name.text, name.at, tuple(whens), otherwise)

    def _alias(self) -> str:
        """`FROM Contact c`, or `FROM Contact AS c`."""
        if self._take("AS") or (self._peek.sort is Sort.NAME and self._peek.word not in _CLAUSES):
            return self._object_name().text
        return ""

    def _scope(self) -> str:
        if not self._take("USING"):
            return "everything"
        self._keyword("SCOPE")
        token = self._object_name()
        if token.text.lower() not in ("everything", "mine"):
            raise malformed(self._source, token.at, f"the filter scope '{token.text}' is not supported")
        return token.text.lower()

    def _enforced(self) -> None:
        """WITH SECURITY_ENFORCED, which the API does in any case."""
        if self._take("WITH"):
            token = self._object_name()
            if token.word not in ("SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"):
                raise self._unexpected(token)

    def _purpose(self) -> None:
        """FOR VIEW, FOR REFERENCE: who looks is somebody of the API, whose views are not kept."""
        while self._take("FOR"):
            token = self._object_name()
            if token.word not in ("VIEW", "REFERENCE"):
                raise self._unexpected(token)

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

    def _path(self) -> Path:
        token = self._peek
        if token.sort is not Sort.NAME or token.word in _CLAUSES:
            raise self._unexpected()
        self._advance()
        if self._peek.sort is Sort.SIGN and self._peek.text == "(" and token.word in FUNCTIONS:
            self._advance()
            inner = self._path()
            self._sign(")")
            if inner.function not in ("", ZONE) or (inner.function and token.word not in DATE_FUNCTIONS):
                raise malformed(self._source, inner.at, f"unexpected function: '{inner.function}'")
            return Path(inner.names, token.at, token.word)
        return Path(tuple(token.text.split(".")), token.at)

    def _object_name(self) -> Token:
        """Any name: objects are called Group and Order too."""
        token = self._peek
        if token.sort is not Sort.NAME or "." in token.text:
            raise self._unexpected()
        return self._advance()
