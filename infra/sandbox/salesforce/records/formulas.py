"""Formula fields: a small part of the formula language, compiled to functions of a row (Formula operators and functions guide).

Operators `+ - * / & = == <> != < <= > >= && || !`, text in quotes, numbers, TRUE, FALSE, NULL, fields, fields of a parent
(`Account.Industry`), and the functions of `_FUNCTIONS`. Text joins with `&` or `+`; blank text is empty, a blank number is nothing.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from infra.sandbox.salesforce.schema.types import NUMERIC, Field, Kind, ObjectType, Row, Value

Parent = Callable[[str], Row | None]
Evaluate = Callable[[Row, Parent], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<name>[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)?)"""
    r"""|(?P<sign>&&|\|\||==|!=|<>|<=|>=|[-+*/&=<>!(),]))"""
)
_LEVELS: tuple[tuple[str, ...], ...] = (("||",), ("&&",), ("=", "==", "!=", "<>"), ("<", "<=", ">", ">="), ("&",), ("+", "-"), ("*", "/"))


class Formula(msgspec.Struct, frozen=True):
    """A compiled formula. `parents` are the reference fields that it follows."""

    evaluate: Evaluate
    parents: frozenset[str]


def compiled(kind: ObjectType, field: Field, text: str) -> Formula:
    """The formula of a field of that object, its value brought to the field's type. Raises ValueError for what can't be read."""
    parser = _Parser(kind, text)
    inner = parser.whole()

    def evaluate(row: Row, parent: Parent) -> Value:
        return _as_value(field, inner(row, parent))

    return Formula(evaluate, frozenset(parser.parents))


class _Parser:
    def __init__(self, kind: ObjectType, text: str) -> None:
        self._kind = kind
        self._tokens = _tokens(text)
        self._at = 0
        self.parents: set[str] = set()

    def whole(self) -> Evaluate:
        found = self._level(0)
        if self._at != len(self._tokens):
            raise ValueError(f"Syntax error. Extra {self._tokens[self._at][1]}")
        return found

    def _level(self, level: int) -> Evaluate:
        if level == len(_LEVELS):
            return self._unary()
        left = self._level(level + 1)
        while self._peek() in _LEVELS[level]:
            sign = self._next()
            left = _binary(sign, left, self._level(level + 1))
        return left

    def _unary(self) -> Evaluate:
        if self._peek() == "-":
            self._next()
            inner = self._unary()
            return lambda row, parent: -_number(inner(row, parent))
        if self._peek() == "!":
            self._next()
            inner = self._unary()
            return lambda row, parent: not inner(row, parent)
        return self._atom()

    def _atom(self) -> Evaluate:
        if self._at >= len(self._tokens):
            raise ValueError("Syntax error. Found end of formula")
        sort, text = self._tokens[self._at]
        self._at += 1
        match sort:
            case "number":
                number = float(text)
                return lambda _row, _parent: number
            case "text":
                plain = re.sub(r"\\(.)", r"\1", text[1:-1])
                return lambda _row, _parent: plain
            case "name":
                return self._named(text)
            case _ if text == "(":
                inner = self._level(0)
                self._expect(")")
                return inner
        raise ValueError(f"Syntax error. Found '{text}'")

    def _named(self, name: str) -> Evaluate:
        upper = name.upper()
        if self._peek() == "(":
            return self._call(upper)
        if upper in ("TRUE", "FALSE"):
            return lambda _row, _parent: upper == "TRUE"
        if upper == "NULL":
            return lambda _row, _parent: None
        return self._field(name)

    def _call(self, name: str) -> Evaluate:
        self._next()
        arguments: list[Evaluate] = []
        while self._peek() != ")":
            arguments.append(self._level(0))
            if self._peek() == ",":
                self._next()
            elif self._peek() != ")":
                raise ValueError("Syntax error. Missing ')'")
        self._next()
        function = _FUNCTIONS.get(name)
        if function is None:
            raise ValueError(f"Unknown function {name}. There are: {', '.join(sorted(_FUNCTIONS))}")
        return lambda row, parent: function(*[each(row, parent) for each in arguments])

    def _field(self, name: str) -> Evaluate:
        head, _, tail = name.partition(".")
        if not tail:
            if head not in self._kind.fields:
                raise ValueError(f"Field {head} does not exist. Check spelling.")
            missing = False if self._kind.fields[head].kind is Kind.BOOLEAN else None
            return lambda row, _parent: row.get(head, missing)
        reference = next((each for each in self._kind.fields.values() if each.relationship == head), None)
        if reference is None:
            raise ValueError(f"Field {name} does not exist. Check spelling.")
        link = reference.name
        self.parents.add(link)

        def follow(row: Row, parent: Parent) -> Value:
            above = parent(str(row[link])) if link in row else None
            return None if above is None else above.get(tail)

        return follow

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _expect(self, sign: str) -> None:
        if self._peek() != sign:
            raise ValueError(f"Syntax error. Missing '{sign}'")
        self._at += 1


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"Syntax error. Found '{text[at:].strip()[:10]}'")
        sort = match.lastgroup or ""
        found.append((sort, match.group(sort)))
        at = match.end()
    return found


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def _binary(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    def run(row: Row, parent: Parent) -> Any:
        a = left(row, parent)
        if sign == "&&":
            return bool(a) and bool(right(row, parent))
        if sign == "||":
            return bool(a) or bool(right(row, parent))
        b = right(row, parent)
        match sign:
            case "=" | "==":
                return _text(a) == _text(b) if isinstance(a, str) or isinstance(b, str) else a == b
            case "!=" | "<>":
                return _text(a) != _text(b) if isinstance(a, str) or isinstance(b, str) else a != b
            case "&":
                return _text(a) + _text(b)
            case "<" | "<=" | ">" | ">=":
                return a is not None and b is not None and _COMPARE[sign](a, b)
        return _arithmetic(sign, a, b)

    return run


def _arithmetic(sign: str, a: Any, b: Any) -> Any:
    if sign == "+" and (isinstance(a, str) or isinstance(b, str)):
        return _text(a) + _text(b)
    if a is None or b is None:
        return None
    x, y = _number(a), _number(b)
    if sign == "/":
        return None if y == 0 else x / y
    return {"+": x + y, "-": x - y, "*": x * y}[sign]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _case(subject: Any, *rest: Any) -> Any:
    for place in range(0, len(rest) - 1, 2):
        if rest[place] == subject:
            return rest[place + 1]
    return rest[-1]


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "IF": lambda test, yes, no: yes if test else no,
    "AND": lambda *parts: all(parts),
    "OR": lambda *parts: any(parts),
    "NOT": lambda part: not part,
    "ISBLANK": lambda value: value in (None, ""),
    "ISPICKVAL": lambda value, wanted: _text(value) == wanted,
    "BLANKVALUE": lambda value, other: other if value in (None, "") else value,
    "NULLVALUE": lambda value, other: other if value is None else value,
    "CASE": _case,
    "TEXT": _text,
    "VALUE": lambda value: float(value) if re.fullmatch(r"-?\d+(\.\d+)?", _text(value)) else None,
    "UPPER": lambda value: _text(value).upper(),
    "LOWER": lambda value: _text(value).lower(),
    "TRIM": lambda value: _text(value).strip(),
    "LEN": lambda value: len(_text(value)),
    "LEFT": lambda value, n: _text(value)[: int(n)],
    "RIGHT": lambda value, n: _text(value)[-int(n) :] if n else "",
    "CONTAINS": lambda value, part: _text(part) in _text(value),
    "BEGINS": lambda value, part: _text(value).startswith(_text(part)),
    "SUBSTITUTE": lambda value, old, new: _text(value).replace(_text(old), _text(new)),
    "ABS": lambda value: abs(_number(value)),
    "ROUND": lambda value, places: round(_number(value), int(places)),
    "FLOOR": lambda value: math.floor(_number(value)),
    "CEILING": lambda value: math.ceil(_number(value)),
    "MIN": lambda *values: min(_number(each) for each in values),
    "MAX": lambda *values: max(_number(each) for each in values),
}


def _as_value(field: Field, value: Any) -> Value:
    if value is None or value == "":
        return None
    if field.kind is Kind.BOOLEAN:
        return bool(value)
    if field.kind in NUMERIC:
        return round(_number(value), field.scale)
    return _text(value)
