"""An allowance that is not of calls, such as Salesforce's events of any 24 hours: how fast it goes, and whether it lasts. Pure."""

import msgspec

_KEPT_MS = 7_200_000
_OBSERVED_SECONDS = 600.0
"""A rate is told by no less than this: a burst after a quiet night is no rate."""
_SAMPLES_MAX = 60
_DAY_SECONDS = 86_400.0
EVENTS = "DailyDeliveredPlatformEvents"
"""What Salesforce calls that of the events (REST API, "Limits")."""


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """As the system told it last. `samples`: (when, used) of the last two hours, oldest first."""

    most: int
    used: int
    at_ms: int
    samples: tuple[tuple[int, int], ...] = ()

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


def told(before: Allowance | None, most: int, used: int, at_ms: int) -> Allowance:
    """With what the system tells now."""
    kept = [each for each in (before.samples if before else ()) if at_ms - _KEPT_MS < each[0] < at_ms]
    return Allowance(most=most, used=used, at_ms=at_ms, samples=(*kept, (at_ms, used))[-_SAMPLES_MAX:])
