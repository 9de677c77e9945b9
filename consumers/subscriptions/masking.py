"""Messages without personal data: what a reader needs to follow the stream stays, what a person wrote goes. Pure.

Values are masked by what they look like, not by the name of their field: a note may hold an address as well as the field for it. Ids,
times, numbers, true and false stay: they are what messages are found by.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from consumers.subscriptions.message import Message
from consumers.subscriptions.topics import Content

MASK = "•••"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ][\d:.]+(Z|[+-]\d{2}:?\d{2})?)?")
_ID = re.compile(r"[0-9A-Za-z]{3}[0-9A-Za-z]{9}([0-9A-Za-z]{3}|[0-9A-Za-z]{6})")
_MET = ("salesforce", "marketo", "base", "agreed")
_VALUES = ("value", "agreed", "lost")


def masked(message: Message) -> Message:
    """The message with each value of a field masked."""
    if message.data is None:
        return message
    told = dict(message.data)
    if message.content is Content.CHANGES:
        told |= {part: _all(told[part]) for part in ("fields", "before") if isinstance(told.get(part), Mapping)}
    elif message.content is Content.DECISIONS:
        told = masked_decision(told)
    elif message.content is Content.CONFLICTS:
        told |= {part: masked_value(told[part]) for part in _MET if part in told}
        told |= {"reason": masked_words(str(told["reason"]))} if told.get("reason") else {}
    elif message.content is Content.STATES:
        told |= {"fields": _all(told.get("fields") or {})} | ({"held": masked_words(str(told["held"]))} if told.get("held") else {})
    elif "original" in told:
        told["original"] = MASK
    return replace(message, data=told)


def masked_decision(decision: Mapping[str, Any]) -> dict[str, Any]:
    """A decision as it is published, the same."""
    told = {**decision, "fields": [_ruling(each) for each in decision.get("fields") or ()]}
    if told.get("detail"):
        told["detail"] = masked_words(str(told["detail"]))
    if isinstance(told.get("joined"), Mapping):
        told["joined"] = {**told["joined"], "values": _all(told["joined"].get("values") or {}), "state": MASK}
    return told


def masked_value(value: Any) -> Any:
    """The first letter of a text, and that there is more; ids, dates, numbers, true, false and nothing as they are."""
    if not isinstance(value, str) or not value or _DATE.fullmatch(value) or _is_id(value):
        return value
    return f"{value[0]}{MASK}"


def _is_id(text: str) -> bool:
    """A Salesforce id has a digit among its first letters (key prefix) and isn't a word."""
    return _ID.fullmatch(text) is not None and any(each.isdigit() for each in text[:5]) and not text.isdigit()


def _all(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: masked_value(value) for name, value in values.items()}


def _ruling(ruling: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: masked_value(each) if name in _VALUES else each for name, each in ruling.items()}
    return told | {"reason": masked_words(str(told["reason"]))} if told.get("reason") else told


def masked_words(text: str) -> str:
    """A sentence of ours or of a system's: what it quotes, and addresses, are masked."""
    text = re.sub(r"[\w.+-]+@[\w.-]+", MASK, text)
    text = re.sub(r"'[^']*'|\"[^\"]*\"|“[^”]*”", MASK, text)
    return re.sub(r"\+?\d[\d ()/-]{6,}\d", MASK, text)
