"""The words of a query, taken one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from infra.sandbox.salesforce.soql.grammar.tokens import Sort, Token, malformed, tokenise
from infra.sandbox.salesforce.wire.errors import ApiError

T = TypeVar("T")


class Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokenise(source)
        self._next = 0

    def end(self) -> None:
        if self._peek.sort is not Sort.END:
            raise self._unexpected()

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

    def _unexpected(self, token: Token | None = None, *, expected: str | None = None) -> ApiError:
        token = token or self._peek
        shown = "<EOF>" if token.sort is Sort.END else token.text
        problem = f"unexpected token: '{shown}'"
        if expected is not None:
            problem = f"expecting '{expected}', found '{shown}'"
        return malformed(self._source, token.at, problem)
