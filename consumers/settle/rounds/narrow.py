"""Which of a row's fields a system refuses when it doesn't say: the row is written in parts, as long as that is cheap.

A row that is refused in one half is halved again; one that is refused in both for the same reason is refused as a whole (a duplicate,
a trigger that looks at the record), which two calls find out. All rows of a call are halved together, so a call costs two more for each
step, however many of its rows are refused.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from consumers.merge.writing.plan import Out, Update
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.wire.errors import Reject, Retry, Unknown

STEPS_MAX = 6
"""Enough for one field among sixty-four."""
Writing = Callable[[Sequence[Item]], Awaitable[list[Outcome]]]


@dataclass(slots=True, kw_only=True)
class _Row:
    """One refused row. `part`: the fields among which somebody is to be blamed; None once that is known."""

    item: Item
    whole: Outcome
    part: tuple[Out, ...] | None
    until: int = 0
    done: bool = False
    doubtful: str = ""
    refused: list[tuple[str, str]] = field(default_factory=list)
    left: set[str] = field(default_factory=set)

    def outcome(self) -> Outcome:
        """Of the row, as the parts came to it."""
        if self.doubtful:
            return Outcome(fate=Fate.UNKNOWN, reason=self.doubtful)
        told = "; ".join(sorted({reason for _, reason in self.refused}))
        if not self.done:
            named = frozenset(key for key, _ in self.refused)
            return Outcome(fate=Fate.REJECTED, reason=told, fields=named) if named else self.whole
        left = frozenset(self.left)
        return Outcome(fate=Fate.DONE, id=_order(self.item).id, reason=told, until=self.until, refused=tuple(self.refused), left=left)


async def narrowed(write: Writing, items: Sequence[Item], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes, in which rows that were refused without a name are told by field where the system takes a part of them.

    `write` makes a call for such items, as the writer does.
    """
    rows = {
        place: _Row(item=item, whole=outcome, part=item.order.fields)
        for place, (item, outcome) in enumerate(zip(items, outcomes, strict=True))
        if isinstance(item.order, Update) and outcome.fate is Fate.REJECTED and not outcome.fields and len(item.order.fields) > 1
    }
    for _ in range(STEPS_MAX):
        open_rows = [row for row in rows.values() if row.part is not None and len(row.part) > 1]
        if not open_rows:
            break
        await _halve(write, open_rows)
    for row in rows.values():
        _blame(row)
    return [rows[place].outcome() if place in rows else outcome for place, outcome in enumerate(outcomes)]


async def _halve(write: Writing, rows: Sequence[_Row]) -> None:
    """One step: each row's suspects in two calls, the first halves and the second ones."""
    halves = [(row.part[: len(row.part) // 2], row.part[len(row.part) // 2 :]) for row in rows if row.part is not None]
    first = await _written(write, rows, [half for half, _ in halves])
    second = await _written(write, rows, [half for _, half in halves])
    for row, parts, answers in zip(rows, halves, zip(first, second, strict=True), strict=True):
        _take(row, parts, answers)


async def _written(write: Writing, rows: Sequence[_Row], parts: Sequence[tuple[Out, ...]]) -> list[Outcome]:
    """What became of these parts; a call that could not be made leaves all of them to later."""
    items = [replace(row.item, order=replace(_order(row.item), fields=part)) for row, part in zip(rows, parts, strict=True)]
    try:
        return await write(items)
    except Unknown as error:
        return [Outcome(fate=Fate.UNKNOWN, reason=str(error))] * len(items)
    except Retry as error:
        return [Outcome(fate=Fate.BUSY, reason=str(error))] * len(items)
    except Reject as error:
        if len(items) == 1:
            return [Outcome(fate=Fate.REJECTED, reason=f"{error.code} {error}".strip())]
        return [(await _written(write, [row], [part]))[0] for row, part in zip(rows, parts, strict=True)]


def _take(row: _Row, parts: tuple[tuple[Out, ...], tuple[Out, ...]], answers: tuple[Outcome, Outcome]) -> None:
    """What two halves came to: what was written, who is still suspected, what is left."""
    row.part = None
    for part, answer in zip(parts, answers, strict=True):
        if answer.fate is Fate.DONE:
            row.done, row.until = True, max(row.until, answer.until)
        elif answer.fate is Fate.UNKNOWN:
            row.doubtful = answer.reason
        elif answer.fate is not Fate.REJECTED:
            row.left.update(out.key for out in part)
    refused = [(part, answer) for part, answer in zip(parts, answers, strict=True) if answer.fate is Fate.REJECTED]
    if len(refused) == 2 and len({(answer.fields, answer.reason) for answer in answers}) == 1 and not answers[0].fields:
        row.refused += [(out.key, answers[0].reason) for part in parts for out in part] if row.done else []
        return
    for part, answer in refused:
        _suspect(row, part, answer)


def _suspect(row: _Row, part: tuple[Out, ...], answer: Outcome) -> None:
    """A half that was refused: the fields it names, its only field, or one of them."""
    named = {out.key for out in part} if len(part) == 1 else {out.key for out in part} & answer.fields
    if named:
        row.refused += [(key, answer.reason) for key in sorted(named)]
        row.left.update(out.key for out in part if out.key not in named)
    elif row.part is None:
        row.part, row.whole = part, replace(answer, fields=frozenset())
    else:
        row.left.update(out.key for out in part)


def _blame(row: _Row) -> None:
    """Who is still suspected when it isn't cheap any more is refused together."""
    if row.part:
        row.refused += [(out.key, row.whole.reason) for out in row.part]


def _order(item: Item) -> Update:
    assert isinstance(item.order, Update)  # noqa: S101 - for the type checker; only updates are narrowed down
    return item.order
