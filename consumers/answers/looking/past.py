"""What a record was at a moment of the past, and what has changed of it between two, by its decisions."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.configuration.loading import Settings
from consumers.reports.database import ledger_connection
from consumers.reports.records.called import name_of
from consumers.reports.records.derived import Difference, Then, differences
from consumers.reports.records.people import find
from consumers.reports.records.story import then_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A pair at a moment. `person`: what it is called now."""

    pair: int
    object: str
    person: str
    at_ms: int
    then: Then


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What of a pair was otherwise at the end than at the beginning."""

    pair: int
    object: str
    person: str
    since_ms: int
    until_ms: int
    changes: Sequence[Difference]


async def stood(settings: Settings, name: str, at_ms: int) -> list[Past]:
    """How each pair that a name may mean stood then. Raises `UnknownRecord`, and as `ledger_connection`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return [
            Past(
                pair=each.pair,
                object=str(each.state.object),
                person=name_of(each.state),
                at_ms=at_ms,
                then=await then_of(connection, each.pair, at_ms),
            )
            for each in await find(connection, name)
        ]


async def changes_of(settings: Settings, name: str, since_ms: int, until_ms: int) -> list[Changes]:
    """What has changed of each pair that a name may mean. Raises as `stood`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return [
            Changes(
                pair=each.pair,
                object=str(each.state.object),
                person=name_of(each.state),
                since_ms=since_ms,
                until_ms=until_ms,
                changes=differences(await then_of(connection, each.pair, since_ms), await then_of(connection, each.pair, until_ms)),
            )
            for each in await find(connection, name)
        ]
