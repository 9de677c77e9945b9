"""Every conflict that Tandem decides, as it happens: a consumer group of its own that begins where it stopped the last time.

    python follow.py [HOST:PORT]        # without: the broker that `make up` has started; ends with Ctrl-C

Each line: when, which record, which field, which value stands, which one lost and by which rule. Needs `aiokafka` alone. Messages come at
least once; `ce_id` names one, so that a program which must not count twice remembers the names it had.
"""

import asyncio
import json
import sys
from contextlib import suppress

from aiokafka import AIOKafkaConsumer
from broker import broker

TOPIC, GROUP = "crm.decisions.v1", "tandem-example-conflicts"


async def follow(bootstrap: str) -> None:
    """Until it is stopped."""
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, group_id=GROUP, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async for message in consumer:
            about = dict(message.headers)
            if about.get("ce_type") != b"crm.decision.judged":
                continue  # chosen by its header, without reading it
            decision = json.loads(message.value)
            for field in decision.get("fields", ()):
                if field["verdict"] in ("won", "lost"):
                    when, rule = about["ce_time"].decode(), field.get("rule", "")
                    stands, lost = field.get("agreed"), field.get("lost")
                    print(f"{when} {decision['record']} {field['field']}: {stands!r} stands, {lost!r} lost ({rule})", flush=True)
    finally:
        await consumer.stop()


def main() -> None:
    """Follow until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        asyncio.run(follow(broker(sys.argv[1:])))


if __name__ == "__main__":
    main()
