"""Prints: the names that a system gives to changes of its feed, shortened. A pair remembers some dozens of them. Pure."""

from functools import lru_cache
from hashlib import blake2b

_BYTES = 8


@lru_cache(maxsize=4_096)
def prints(ref: str) -> tuple[int, ...]:
    """Those of a change event's `ref`, which may be several names (Marketo's GUIDs have 36 characters each)."""
    return tuple(int.from_bytes(blake2b(name.encode(), digest_size=_BYTES).digest()) for name in ref.split(","))
