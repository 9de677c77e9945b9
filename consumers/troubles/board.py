"""What one worker knows to be wrong: with its own roles now, and in the ledger as it read it last."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from consumers.troubles.trouble import Trouble, worst_first

STALE_MS = 10_000
"""So long without a look at the ledger, and what it showed is no longer known."""


class Board:
    """Remembers since when each role has been in trouble. `now_ms`: our clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._reasons: Callable[[], Mapping[str, str]] = dict
        self._found: dict[str, Callable[[], Iterable[Trouble]]] = {}
        self._since: dict[str, int] = {}
        self._ledger: tuple[Trouble, ...] = ()
        self._heard_ms = 0
        self._why = ""

    def watch(self, reasons: Callable[[], Mapping[str, str]]) -> None:
        """Whom to ask why roles aren't ready now, by role."""
        self._reasons = reasons

    def also(self, role: str, found: Callable[[], Iterable[Trouble]]) -> None:
        """Whom to ask what else this worker finds wrong: one for each role."""
        self._found[role] = found

    def of_roles(self) -> tuple[Trouble, ...]:
        """What is wrong with this worker's roles, and what they have found out."""
        reasons, now = self._reasons(), self._now_ms()
        self._since = {role: self._since.get(role, now) for role in reasons}
        found = (each for ask in self._found.values() for each in ask())
        return (*(Trouble(where=role, what=why, since_ms=self._since[role]) for role, why in reasons.items()), *found)

    def heard(self, troubles: Sequence[Trouble]) -> None:
        """The ledger was read. What doesn't say itself since when it is so, is so since this worker first heard of it."""
        self._heard_ms, self._why = self._now_ms(), ""
        before = {(each.where, each.what): each.since_ms for each in self._ledger}
        self._ledger = tuple(
            replace(each, since_ms=each.since_ms or before.get((each.where, each.what), self._heard_ms)) for each in troubles
        )

    def deaf(self, why: str) -> None:
        """The ledger could not be read."""
        self._heard_ms = self._heard_ms or self._now_ms()
        self._why = why

    def all(self) -> tuple[Trouble, ...]:
        """Everything that this worker knows to be wrong."""
        return worst_first((*self.of_roles(), *self._of_ledger()))

    def _of_ledger(self) -> tuple[Trouble, ...]:
        """Before the first look there is nothing to say: what keeps the ledger from being opened, the roles tell."""
        if not self._heard_ms or self._now_ms() - self._heard_ms <= STALE_MS:
            return self._ledger
        what = self._why or "the ledger has not been read for some time"
        return (Trouble(where="ledger", what=what, since_ms=self._heard_ms, away=True),)
