"""The body of a webhook of Marketo's: which people it is about. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from streams.marketo.sources.push.hints import Hint

_NAMES = ("leadId", "id")
_LEADS_MAX = 1000


class UnreadableError(ValueError):
    """A body that says nothing; the message holds nothing of it."""


def hints_of(body: bytes) -> list[Hint]:
    """The people of a body `{"leadId": 4711}` (or a list of such). Anything else in it is passed over. Raises `UnreadableError`."""
    try:
        told: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise UnreadableError("the body is no JSON") from None
    found = list(dict.fromkeys(_leads(told if isinstance(told, list) else [told])))
    if not found:
        raise UnreadableError('the body names nobody; the payload template of the webhook is {"leadId": {{lead.Id}}}')
    return found[:_LEADS_MAX]


def _leads(told: list[Any]) -> Iterator[Hint]:
    for each in told:
        number = next((each[name] for name in _NAMES if name in each), None) if isinstance(each, dict) else None
        if isinstance(number, int | str) and not isinstance(number, bool) and str(number).isdecimal() and int(number) > 0:
            yield Hint(str(int(number)))
