"""What each system allows all its callers together."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a system allows everybody together. None: no such limit.

    Marketo: 100 calls in 20 seconds, 10 in flight, 50,000 a day till midnight US Central (Marketo REST API, "Integration
    best practices" and "Error codes" 606, 607, 615). Salesforce: a rolling day, told in `Sforce-Limit-Info` (REST API, "Limits").
    """

    calls: int | None = None
    window_ms: int = 20_300
    """A little longer than the system's own, since calls take unequal times to get there."""
    places: int = 10
    day_calls: int | None = None
    day_zone: str | None = None
    """Where midnight ends the day; None: a rolling day, of which only the system knows how much is left."""
    reserve: float = 0.1
    """Share of window and places that is kept for the live lane at most."""
    repair_share: float = 0.1
    """Share of the window that the repair lane gets also while the live lane would take all of it."""
    day_reserve: float = 0.2
    """Share of a whole day's calls that is kept for the live lane, shrinking evenly towards the reset."""
    others_share: float = 0.0
    """Share of a whole day's calls that is left to other applications on the account; what they have used counts."""
    gather_ms_max: int = 60_000
    """How long edits may be gathered at the most, so that the day's calls last."""
    probe_ms: int = 60_000
    """When one call tries for the first time whether a long refusal still holds; then each time after twice as long."""
    probe_ms_max: int = 900_000
    """How rarely at the most."""
    lease_ms: int = 15_000
    """After so long without a word a worker is dead, and its places are free."""


MARKETO = Limits(calls=100, places=10, day_calls=50_000, day_zone="America/Chicago")
SALESFORCE = Limits(places=20, day_calls=100_000)
