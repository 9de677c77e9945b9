"""A process that runs webhooks as a worker does: `python runner.py DSN BOOTSTRAP`; says so when it has begun."""

import asyncio
import sys
from functools import partial

import asyncpg

from consumers.deliveries.courier import Ground
from consumers.deliveries.running import Deliveries
from consumers.deliveries.sending import Result, open_sender
from consumers.kinds.registry import STANDARD
from consumers.subscriptions.topics import topic_named
from streams.ground.access import KafkaAccess
from streams.ground.clock import now_ms
from streams.relay.singleton import PostgresSingleton


class Quiet:
    """Nobody counts here."""

    def called(self, delivery: str, result: Result) -> None: ...

    def delivered(self, delivery: str, delay_seconds: float) -> None: ...

    def behind(self, delivery: str, messages: int) -> None: ...


async def main(dsn: str, bootstrap: str) -> None:
    """For ever."""
    async with (
        asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool,
        open_sender(["127.0.0.1"], timeout_seconds=30, agent="test") as sender,
    ):
        ground = Ground(
            pool=pool, kafka=KafkaAccess(bootstrap=bootstrap), sender=sender, watch=Quiet(), clock=now_ms, wait_most_seconds=2.0
        )  # fmt: skip
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        deliveries = Deliveries(ground, partial(topic_named, kinds=STANDARD), look_seconds=0.1)
        await deliveries.run(PostgresSingleton(dsn), asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
