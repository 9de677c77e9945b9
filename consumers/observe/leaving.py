"""Leaving a consumer group at once, so that the others take over without waiting for this member's session to end."""

import asyncio

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

LEAVE_SECONDS = 2.0
_log = structlog.get_logger(__name__)


async def leave(consumer: AIOKafkaConsumer) -> None:
    """Leave the group and disconnect, within seconds whatever happens.

    aiokafka's `stop` waits for a rebalance under way, so for the slowest of the other members, before it leaves; there is no public way
    to leave in the middle of one. What ends that way is noticed by the others as any leaving is.
    """
    try:
        await asyncio.wait_for(consumer.stop(), LEAVE_SECONDS)
        return
    except (KafkaError, OSError) as error:  # a time-out among them
        _log.info("leaving the group in the middle of a rebalance", reason=type(error).__name__)
    coordinator = consumer._coordinator  # noqa: SLF001
    try:
        if coordinator is not None:
            await asyncio.wait_for(coordinator._maybe_leave_group(), LEAVE_SECONDS / 2)  # noqa: SLF001
    except (KafkaError, OSError) as error:
        _log.info("left the group without its knowing", reason=type(error).__name__)
    finally:
        await asyncio.wait_for(consumer._client.close(), LEAVE_SECONDS / 2)  # noqa: SLF001
