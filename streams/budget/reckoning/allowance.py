"""An allowance that is not of calls, such as Salesforce's events of any 24 hours: how fast it goes, and whether it lasts. Pure."""

import msgspec

_KEPT_MS = 7_200_000
_OBSERVED_SECONDS = 600.0
"""A rate is told by no less than this: a burst after a quiet night is no rate."""
_SAMPLES_MAX = 60
_DAY_SECONDS = 86_400.0
_SHORT, _PLENTY = 0.2, 0.5
"""What is left of it, as a share, when it runs short; when it doesn't any more."""
EVENTS = "DailyDeliveredPlatformEvents"
"""What Salesforce calls that of the events (REST API, "Limits")."""


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """As the system told it last. `samples`: (when, used) of the last two hours, oldest first."""

    most: int
    used: int
    at_ms: int
    samples: tuple[tuple[int, int], ...] = ()
    saving: bool = False
    """It runs short, and there is a way to use less of it, which is taken."""

    @property
    def left(self) -> int:
        """What is left of it."""
        return max(0, self.most - self.used)

    @property
    def rate(self) -> float:
        """So much more is used each second, net of what comes free again."""
        if len(self.samples) < 2:
            return 0.0
        (began, before), (ended, after) = self.samples[0], self.samples[-1]
        return (after - before) / max(_OBSERVED_SECONDS, (ended - began) / 1000)

    @property
    def used_up_ms(self) -> int | None:
        """When it is used up at this rate; None: it lasts for a day at least."""
        if not self.left:
            return self.at_ms
        seconds = self.left / self.rate if self.rate > 0 else _DAY_SECONDS
        return None if seconds >= _DAY_SECONDS else self.at_ms + round(seconds * 1000)


def told(before: Allowance | None, most: int, used: int, at_ms: int, *, can_save: bool = False) -> Allowance:
    """With what the system tells now. `can_save`: whether there is a way to use less; it is taken when the allowance runs short, until
    there is plenty again."""
    kept = [each for each in (before.samples if before else ()) if at_ms - _KEPT_MS < each[0] < at_ms]
    known = Allowance(most=most, used=used, at_ms=at_ms, samples=(*kept, (at_ms, used))[-_SAMPLES_MAX:])
    return msgspec.structs.replace(known, saving=can_save and _short(known, saving=before is not None and before.saving))


def _short(known: Allowance, *, saving: bool) -> bool:
    if saving or known.used_up_ms is not None:
        return known.left < _PLENTY * known.most
    return known.left <= _SHORT * known.most
