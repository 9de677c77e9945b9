"""What is agreed of every person, as a table: read a state topic from its beginning, keep the last message of each record.

    python people.py [HOST:PORT]        # without: the broker that `make up` has started

Prints a CSV line for each person. Needs `aiokafka` alone. Run `follow.py` for a stream that never ends.
"""

import asyncio
import csv
import json
import sys

from aiokafka import AIOKafkaConsumer
from broker import broker

TOPIC = "crm.state.person.v1"
COLUMNS = ("salesforce", "marketo", "email", "firstName", "lastName", "title")


async def table(bootstrap: str) -> dict[bytes, dict[str, str]]:
    """By key: the record. A message without a value is a tombstone: the record is gone."""
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        people: dict[bytes, dict[str, str]] = {}
        ends = await consumer.end_offsets(consumer.assignment())
        unread = {place for place, end in ends.items() if await consumer.position(place) < end}
        while unread:
            for messages in (await consumer.getmany(*unread, timeout_ms=500)).values():
                for message in messages:
                    if message.value is None:
                        people.pop(message.key, None)
                    else:
                        state = json.loads(message.value)
                        people[message.key] = {**state["fields"], **{name: state.get(name, "") for name in ("salesforce", "marketo")}}
            unread = {place for place in unread if await consumer.position(place) < ends[place]}
        return people
    finally:
        await consumer.stop()


def main() -> None:
    """Print the table."""
    out = csv.DictWriter(sys.stdout, COLUMNS, restval="", extrasaction="ignore")
    out.writeheader()
    out.writerows(asyncio.run(table(broker(sys.argv[1:]))).values())


if __name__ == "__main__":
    main()
