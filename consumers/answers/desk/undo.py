"""Changes undone, by what people call them."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.configuration.loading import Settings
from consumers.desk.undo import Undone, undo
from consumers.desk.undoing import Selection
from consumers.subscriptions.since import moment_of
from consumers.worker.assembly.desk import open_desk
from streams.ground.clock import now_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which changes, as `Selection` has them. `between`: two moments as people write them, `2h..1h` or `2026-11-29T08:00..`."""

    cause: str = ""
    actor: str = ""
    between: str = ""
    fields: Sequence[str] = ()
    config: int = 0

    def selection(self, now: int) -> Selection:
        """By the ledger's own words. Raises `NoMoment`."""
        since, _, until = self.between.partition("..")
        return Selection(
            cause=self.cause,
            actor=self.actor,
            since=moment_of(since, now) if since.strip() else 0,
            until=moment_of(until, now) if until.strip() else 0,
            fields=frozenset(self.fields),
            config=self.config,
        )


async def undone(settings: Settings, chosen: Selection, *, who: str, apply: bool, reason: str) -> Undone:
    """Take these changes back; without `apply` it is only said what would be."""
    async with open_desk(settings, who) as desk:
        return await undo(desk.doing, chosen, apply=apply, reason=reason)


def selected(chosen: Chosen) -> Selection:
    """By the ledger's own words, now. Raises `NoMoment`."""
    return chosen.selection(now_ms())
