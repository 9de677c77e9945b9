"""`python -m infra.kafka start|stop|status --home DIR`: one broker by itself, for trying things out."""

import argparse
import sys
from pathlib import Path

from infra.kafka.broker import Broker
from infra.process import StartError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.kafka", description="A Kafka broker on loopback.")
    parser.add_argument("action", choices=["start", "stop", "status"])
    parser.add_argument("--home", type=Path, required=True, help="where its data, log and pid file live")
    arguments = parser.parse_args()
    broker = Broker(arguments.home)
    try:
        if arguments.action == "start":
            broker.start()
            print(broker.bootstrap)
        elif arguments.action == "stop":
            broker.stop()
        else:
            print(broker.bootstrap if broker.ready() else "not running")
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
