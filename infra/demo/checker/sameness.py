"""When a value in Salesforce and one in Marketo mean the same: the check's own notion, by kind of field."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from infra.demo.checker.table import NO_COMPANY, NO_PART, PLACEHOLDER, Kind

Wire = object
Normal = str | Decimal | bool | frozenset[str] | None


def normal(kind: Kind, value: Wire) -> Normal:
    """A form in which equal means the same. What can't be read as its kind stays text, so that it differs."""
    if kind is Kind.BOOLEAN:
        return _boolean(value)
    if kind is Kind.COSTS and isinstance(value, list):
        value = sum(each["cost"] for each in value) if value else None
    if value is None:
        return None
    text = str(value).strip()
    if not text:
        return None
    read = _READ.get(kind)
    return text if read is None else read(text)


def as_the_flow_writes(phone: str) -> str:
    """Ten digits, or eleven that begin with 1, become `(415) 555-0123`; anything else stays."""
    digits = re.sub(r"\D", "", phone)
    if len(digits) == 11 and digits.startswith("1"):
        digits = digits[1:]
    return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}" if len(digits) == 10 else phone


def _boolean(value: Wire) -> bool:
    return value is True or str(value).strip().lower() in {"true", "1"}


def _number(text: str) -> Normal:
    try:
        return Decimal(text).normalize()
    except InvalidOperation:
        return text


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _choices(text: str) -> Normal:
    return frozenset(part.strip() for part in text.split(";") if part.strip()) or None


_USER_PREFIX = "005"
_READ: Mapping[Kind, Callable[[str], Normal]] = {
    Kind.EMAIL: str.lower,
    Kind.NUMBER: _number,
    Kind.COSTS: _number,
    Kind.DATE: lambda text: text[:10],
    Kind.DATETIME: _moment,
    Kind.CHOICES: _choices,
    Kind.REWRITTEN_PHONE: as_the_flow_writes,
    Kind.DEMANDED: lambda text: None if text == PLACEHOLDER else text,
    Kind.OWNER: lambda text: text if text.startswith(_USER_PREFIX) else None,
    Kind.ACCOUNT: lambda text: None if text == NO_COMPANY else text,
    Kind.PART: lambda text: None if text == NO_PART else text,
}
