"""Hints that something has changed in Marketo. The activity log alone is believed: a hint says that it is time to look. No I/O.

A hint that the log doesn't show at once is looked for again, further and further apart, since the log may be written after it was sent.
Where hints have been coming before whatever the log showed, the looks without a hint may be further apart (`trusted`); one change of
others that nothing hinted at ends that for ten minutes.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

PATIENCE_SECONDS = 60.0
"""A hint that names its activity is looked for so long."""
_ANY_PATIENCE_SECONDS = 8.0
"""One that names only its person may be about something that the log doesn't tell."""
_AGAIN_SECONDS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Between two looks for the same hint."""
_LATE_SECONDS = 30.0
"""A hint may come so long after the log has shown its change: the journal is asked every ten seconds."""
_REMEMBERED_SECONDS = 60.0
DISTRUST_SECONDS = 600.0
_BURST, _LOOKS_PER_SECOND, _BREATH_SECONDS = 8.0, 1.0, 0.1
_KEPT_MAX = 10_000


class Hint(msgspec.Struct, frozen=True, array_like=True):
    """A person of Marketo to whom something has happened; `ref`: the activity that tells of it, where it is known."""

    lead: str
    ref: str = ""


@dataclass(slots=True)
class _Wanted:
    told: float
    looks: int = 0
    due: float = 0.0


class Hints:
    """What was hinted at and not seen yet, and whether hints can be relied on. Of one process; times are of `monotonic`."""

    def __init__(
        self, *, quiet_seconds: float, wake: Callable[[], None] = lambda: None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`quiet_seconds`: between two looks without a hint, where hints can be relied on. `wake` is called when one comes."""
        self.wake = wake
        self.hearing = False
        """Hints can reach this process."""
        self._quiet_seconds, self._monotonic = quiet_seconds, monotonic
        self._wanted: dict[Hint, _Wanted] = {}
        self._heard: dict[str, float] = {}
        self._unheard: dict[str, float] = {}
        self._looking: frozenset[Hint] = frozenset()
        self._confirmed = False
        self._distrusted_until = 0.0
        self._looks, self._looked_at = _BURST, monotonic()

    @property
    def trusted(self) -> bool:
        """Whether what nothing hints at needn't be looked for closely."""
        return self.hearing and self._confirmed and self._monotonic() >= self._distrusted_until

    @property
    def wanted(self) -> int:
        """How many hints wait to be seen in the log."""
        return len(self._wanted)

    def told(self, hints: Iterable[Hint]) -> None:
        """They have come."""
        now = self._monotonic()
        for hint in hints:
            self._heard.pop(hint.lead, None)
            self._heard[hint.lead] = now
            self._unheard.pop(hint.lead, None)
            if len(self._wanted) < _KEPT_MAX:
                self._wanted[hint] = _Wanted(now)
                self._looking -= {hint}
        while len(self._heard) > _KEPT_MAX:
            del self._heard[next(iter(self._heard))]
        self.wake()

    def look(self) -> None:
        """The log is going to be read from now on."""
        now = self._monotonic()
        self._looks = min(_BURST, self._looks + (now - self._looked_at) * _LOOKS_PER_SECOND) - 1
        self._looked_at = now
        self._looking = frozenset(self._wanted)

    def shown(self, rows: Sequence[Any], others: Collection[str]) -> None:
        """The log has shown these rows (as the API gives them); `others`: the people of interest whom others than ourselves changed."""
        leads = {str(row.get("leadId")) for row in rows if isinstance(row, dict)}
        refs = {str(row.get(name)) for row in rows if isinstance(row, dict) for name in ("marketoGUID", "id")}
        for hint in list(self._wanted):
            if hint.ref in refs if hint.ref else hint.lead in leads and hint in self._looking:
                del self._wanted[hint]
        now = self._monotonic()
        for lead in others:
            if now - self._heard.get(lead, -_REMEMBERED_SECONDS) < _REMEMBERED_SECONDS:
                self._confirmed = True
            elif len(self._unheard) < _KEPT_MAX:
                self._unheard.setdefault(lead, now)

    def rest(self, otherwise: float, *, news: bool) -> float:
        """Seconds until the next look, when the log was read to its end; `otherwise`: without hints; `news`: there was any."""
        now = self._monotonic()
        self._forget(now)
        due = [self._again(hint, wanted, now) for hint, wanted in self._wanted.items()]
        if due:
            return max(0.0, self.breath(), min(otherwise, min(due) - now))
        return max(otherwise, self._quiet_seconds) if self.trusted and not news else otherwise

    def breath(self) -> float:
        """Seconds until a look for a hint may follow the last one: at once while they are few, one a second where they are many."""
        now = self._monotonic()
        looks = min(_BURST, self._looks + (now - self._looked_at) * _LOOKS_PER_SECOND)
        return max(_BREATH_SECONDS - (now - self._looked_at), (1 - looks) / _LOOKS_PER_SECOND, 0.0)

    def _again(self, hint: Hint, wanted: _Wanted, now: float) -> float:
        """When a hint is to be looked for (again)."""
        if hint in self._looking:
            wanted.looks += 1
            wanted.due = now + _AGAIN_SECONDS[min(wanted.looks, len(_AGAIN_SECONDS) - 1)]
        return wanted.due or now

    def _forget(self, now: float) -> None:
        for hint, wanted in list(self._wanted.items()):
            if now - wanted.told > (PATIENCE_SECONDS if hint.ref else _ANY_PATIENCE_SECONDS):
                del self._wanted[hint]
        if any(now - at > _LATE_SECONDS for at in self._unheard.values()):
            self._distrusted_until = now + DISTRUST_SECONDS
            self._unheard.clear()
