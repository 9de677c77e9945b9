"""How far a replay has come, in a file beside what it makes: stopped at any moment, it goes on as if it had not been.

The order of effects: what was put out is on the disk (or acknowledged), then the cursor is. A crash between the two repeats: a file is cut
to where the cursor stands, a topic has some messages twice.
"""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from streams.wire.errors import Fatal


@dataclass(slots=True, kw_only=True)
class Cursor:
    """`asked`: what is replayed, so that another question doesn't go on where this one stopped. `next`: by partition, the offset
    that comes; `size`: of the file so far."""

    asked: str
    next: dict[int, int] = field(default_factory=dict)
    count: int = 0
    size: int = 0
    done: bool = False

    def save(self, path: Path) -> None:
        """Whole, or not at all."""
        beside = path.with_name(f"{path.name}.new")
        with beside.open("wb") as file:
            file.write(orjson.dumps(asdict(self), option=orjson.OPT_NON_STR_KEYS))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)


def cursor_in(path: Path, asked: str) -> Cursor:
    """The one in this file; a new one where there is none. Raises `Fatal` where it is another replay's."""
    try:
        told = orjson.loads(path.read_bytes())
        found = Cursor(**{**told, "next": {int(place): offset for place, offset in told["next"].items()}})
    except FileNotFoundError:
        return Cursor(asked=asked)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Fatal(f"{path} holds no cursor of a replay.", remedy="Name another file with --resume, or remove it.") from error
    if found.asked != asked:
        raise Fatal(f"{path} belongs to another replay than this one.", remedy="Ask for the same, or name another file with --resume.")
    return found
