"""The values that a query compares with: texts, numbers, dates, moments, relative dates (SOQL guide, date formats and date literals)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from infra.sandbox.salesforce.soql.grammar.query import Day, Literal, Moment, Null, Number, Span, Text, Truth
from infra.sandbox.salesforce.soql.grammar.reader import Reader
from infra.sandbox.salesforce.soql.grammar.spans import COUNTED, PLAIN
from infra.sandbox.salesforce.soql.grammar.tokens import Sort, Token, malformed

_CURRENCY = re.compile(r"[A-Z]{3}\d+")
"""USD5000: an amount in a currency of the org, which has one."""


class LiteralReader(Reader):
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
        if _CURRENCY.fullmatch(word):
            return Number(float(word[3:]), token.at)
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
