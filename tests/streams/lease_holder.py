"""A process that holds a lease, says so, and says when it has lost it."""

import asyncio
import sys

from streams.relay.singleton import PostgresSingleton


async def main(dsn: str) -> None:
    """Hold the lease of the stream for as long as it lasts."""
    async with PostgresSingleton(dsn).hold("relay salesforce.cdc") as lost:
        sys.stdout.write("holds\n")
        sys.stdout.flush()
        await lost.wait()
        sys.stdout.write("lost\n")
        sys.stdout.flush()


asyncio.run(main(sys.argv[1]))
