"""What `tandem verify` asks: whether the decisions come to what is agreed, and whether anybody has changed them."""

from collections.abc import Callable
from contextlib import aclosing

from consumers.configuration.access import kafka_access
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import build
from consumers.ledger.findings import mapped
from consumers.reports.database import ledger_connection
from consumers.reports.proof.agreement import Verified, verify
from consumers.reports.proof.chain import Chained, verify_chain
from consumers.reports.records.people import find


def unheard(_: int) -> None:
    """Nobody wants to know how far it is."""


async def verified(settings: Settings, name: str | None = None, progress: Callable[[int], None] = unheard) -> Verified:
    """Every pair, or those that a name may mean. Raises `UnknownRecord`, and as `ledger_connection`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        rules = build(settings, known=await mapped(connection))
        only = [each.pair for each in await find(connection, name)] if name else None
        return await verify(connection, rules, only=only, progress=progress)


async def chained(settings: Settings, *, anchors: bool, progress: Callable[[int], None] = unheard) -> Chained:
    """The chain; `anchors`: held against what was told on their topic. Raises as `ledger_connection` and `messages`."""
    told = await _anchors(settings) if anchors else None
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await verify_chain(connection, told, progress)


async def _anchors(settings: Settings) -> dict[int, str]:
    from consumers.subscriptions.reading import messages  # noqa: PLC0415 - the Kafka client is slow to import
    from consumers.subscriptions.topics import ANCHORED  # noqa: PLC0415 - as above

    found = {}
    async with aclosing(messages(kafka_access(settings), ANCHORED, since_ms=None, follow=False)) as read:
        async for message in read:
            if message.data is not None:
                found[int(message.data["block"])] = str(message.data["hash"])
    return found
