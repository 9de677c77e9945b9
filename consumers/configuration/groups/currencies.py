"""Several currencies in the configuration: rates of exchange, `{USD: 0.9, GBP: 1.17}`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from consumers.configuration.reading.places import Invalid, Place, Reading
from consumers.configuration.reading.types import Text

ISO_CODE = r"[A-Z]{3}"
_RATE_MAX = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Rates:
    """Numbers above zero by currency."""

    doc: str

    def read(self, place: Place, reading: Reading) -> Mapping[str, Decimal]:
        """Each rate, as exact as it was written."""
        rates: dict[str, Decimal] = {}
        for name, key, value in reading.unique_items(place):
            if not re.fullmatch(ISO_CODE, name):
                raise Invalid(key, f"{name!r} is not a currency's ISO code, such as USD")
            rates[name] = _rate(value)
        return rates

    def schema(self) -> dict[str, Any]:
        """Numbers by currency."""
        rate = {"type": "number", "exclusiveMinimum": 0, "maximum": int(_RATE_MAX)}
        return {"type": "object", "propertyNames": {"pattern": f"^{ISO_CODE}$"}, "additionalProperties": rate}

    def words(self) -> str:
        """What may stand there."""
        return "a number for each currency, such as `{USD: 0.9, GBP: 1.17}`"


def _rate(place: Place) -> Decimal:
    text = place.text().strip()
    try:
        rate = Decimal(text)
    except InvalidOperation:
        rate = Decimal(0)
    if not rate.is_finite() or not 0 < rate <= _RATE_MAX:
        raise Invalid(place, f"{text!r} is not a rate: a number above 0, what one unit is worth in the corporate currency")
    return rate


_ISO_FORM = "a currency's ISO code, such as EUR"


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencySettings:
    """Amounts of an org with several currencies, which Marketo keeps in one."""

    corporate: Annotated[str | None, Text("The currency of Marketo's amounts (ISO code)", ISO_CODE, _ISO_FORM)] = None
    rates: Annotated[Mapping[str, Decimal], Rates("What one unit of another currency is worth in the corporate one")] = field(
        default_factory=dict
    )
