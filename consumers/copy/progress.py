"""How far a first copy is: what its sources have brought, against what was said before it began. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from consumers.copy.quote import Part, Quote
from consumers.copy.store import Copy, State
from streams.wire.systems import System


class _Mark(msgspec.Struct, frozen=True):
    """What the positions of all sources of a copy tell alike."""

    done: bool = False
    rows: int = 0
    total: int = 0
    calls: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One sort of record. `expected`: as was said before, or as the system has told since."""

    system: str
    object: str
    rows: int
    expected: int
    calls: int
    bytes: int
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The whole. `rate`: rows a second while it was at work; `left_seconds`: at this rate, None while there is none yet."""

    number: int
    state: str
    began_ms: int
    ended_ms: int | None
    ran_seconds: float
    rows: int
    expected: int
    rate: float
    left_seconds: float | None
    owed: int
    """Records that are yet to be written because of it."""
    calls: Mapping[str, int]
    quoted_calls: Mapping[str, int]
    trouble: str
    steps: tuple[Step, ...]

    @property
    def share(self) -> float:
        """Of all rows, those that are read; 1 only when it is done."""
        if self.state == State.DONE:
            return 1.0
        return min(0.999, self.rows / self.expected) if self.expected else 0.0


def progress(copy: Copy, marks: Mapping[str, str], owed: int) -> Progress:
    """`marks`: positions by source (`copy.salesforce.lead`)."""
    told = {source: msgspec.json.decode(mark, type=_Mark) for source, mark in marks.items()}
    steps = tuple(_step(part, told.get(source_of(part), _Mark())) for part in copy.quote.parts)
    rows, expected = sum(each.rows for each in steps), sum(each.expected for each in steps)
    seconds = copy.ran_ms / 1000
    rate = rows / seconds if seconds > 0 else 0.0
    ended = copy.state in (State.DONE, State.CANCELLED)
    return Progress(
        number=copy.id, state=str(copy.state), began_ms=copy.began_ms, ended_ms=copy.ended_ms, ran_seconds=seconds, rows=rows,
        expected=expected, rate=rate, left_seconds=0.0 if ended else (expected - rows) / rate if rate else None, owed=owed,
        calls=_calls(steps), quoted_calls=_quoted(copy.quote), trouble=copy.trouble, steps=steps,
    )  # fmt: skip


def source_of(part: Part) -> str:
    """The source that brings a part."""
    return f"copy.{part.system}.{part.object}"


def _step(part: Part, mark: _Mark) -> Step:
    expected = mark.rows if mark.done else max(mark.total or part.rows, mark.rows)
    return Step(
        system=str(part.system), object=part.object, rows=mark.rows, expected=expected, calls=mark.calls, bytes=mark.bytes, done=mark.done
    )


def _calls(steps: Sequence[Step]) -> dict[str, int]:
    return {str(system): sum(each.calls for each in steps if each.system == system) for system in System}


def _quoted(quote: Quote) -> dict[str, int]:
    return {str(system): calls for system, calls in quote.read_calls.items()}
