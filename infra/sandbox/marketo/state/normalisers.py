"""Rules that make another value of what is written: inside the write, or afterwards by a smart campaign."""

from typing import Literal

import msgspec


class Normaliser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`when` is `write` (what is stored differs from what was sent; one activity) or `after` (a trigger campaign changes the field once
    more, with an activity of its own)."""

    field: str
    how: Literal["trim", "collapse", "title", "upper", "lower", "map", "prefix", "cut"]
    when: Literal["write", "after"] = "write"
    map: dict[str, str] = {}
    """For `map`: value -> replacement."""
    prefix: str = ""
    length: int = 0
    """For `cut`: characters that stay."""
    campaign: int = 1074
    """Smart campaign id that an `after` rule shows in its activity."""

    def rewrite(self, value: object) -> object:
        """The value as the rule leaves it; only strings are touched."""
        if not isinstance(value, str):
            return value
        match self.how:
            case "trim":
                return value.strip()
            case "collapse":
                return " ".join(value.split())
            case "title":
                return value.title()
            case "upper":
                return value.upper()
            case "lower":
                return value.lower()
            case "map":
                return self.map.get(value, value)
            case "prefix":
                return value if value.startswith(self.prefix) else self.prefix + value
            case "cut":
                return value[: self.length]
