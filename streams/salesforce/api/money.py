"""Amounts of an org with several currencies, in one: each record's own currency converted by a fixed rate. Pure.

Every record of such an org says its currency in `CurrencyIsoCode`, and its fields of type currency hold amounts in it (object reference,
CurrencyIsoCode). Whoever reads an amount here gets it in the corporate currency; what is written goes back into the record's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from streams.wire.events import Value
from streams.wire.systems import Object

ISO = "CurrencyIsoCode"
_NO_RATE = "there is no rate for"
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """`rates`: what one unit of a currency is worth in the corporate one. `fields`: of the objects whose records have a currency, the
    fields that hold amounts."""

    corporate: str
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    fields: Mapping[Object, frozenset[str]] = field(default_factory=dict)

    def read_with(self, obj: Object) -> tuple[str, ...]:
        """What has to be read beside the fields of an object."""
        return (ISO,) if obj in self.fields else ()

    def told(self, obj: Object, fields: dict[str, Value]) -> dict[str, Value]:
        """The fields of a whole record with amounts in the corporate currency.

        An amount in a currency without a rate becomes a text that says so, which nobody takes for a number.
        """
        amounts = self.fields.get(obj)
        if not amounts or amounts.isdisjoint(fields):
            return fields
        code = str(fields.get(ISO) or self.corporate)
        return {name: self._corporate(value, code) if name in amounts else value for name, value in fields.items()}

    def touched(self, obj: Object, fields: Mapping[str, Value]) -> frozenset[str]:
        """Of a change: the fields that can't be understood without the rest of the record; the currency is one."""
        amounts = self.fields.get(obj)
        return frozenset((amounts | {ISO}) & fields.keys()) if amounts else frozenset()

    def sent(self, value: Value, code: str) -> Value:
        """An amount in the corporate currency as a record of this currency holds it. Raises LookupError where there is no rate."""
        rate = self._rate(code)
        if rate is None:
            raise LookupError(no_rate(code))
        return _cents(_decimal(value) / rate) if _is_amount(value) and rate != 1 else value

    def _corporate(self, value: Value, code: str) -> Value:
        if not _is_amount(value):
            return value
        rate = self._rate(code)
        if rate is None:
            return f"{value} {code}: {no_rate(code)}"
        return value if rate == 1 else _cents(_decimal(value) * rate)

    def _rate(self, code: str) -> Decimal | None:
        return Decimal(1) if code == self.corporate else self.rates.get(code)


def untold_rate(text: str) -> str:
    """Of an amount that could not be converted: why; empty for any other text."""
    return text[text.index(_NO_RATE) :] if _NO_RATE in text else ""


def no_rate(code: str) -> str:
    """What to do about a currency that nobody has given a rate for."""
    return f"{_NO_RATE} {code} (currencies.rates.{code})"


def _is_amount(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _decimal(value: Value) -> Decimal:
    return Decimal(str(value))


def _cents(value: Decimal) -> float:
    return float(value.quantize(_CENT, ROUND_HALF_EVEN))
