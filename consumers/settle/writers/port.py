"""What settle asks of a system: look people up, read them, write to them in batches."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from consumers.merge.pair.state import PairState
from consumers.merge.writing.plan import Create, Delete, Merge, Update
from streams.budget.port import Lane
from streams.wire.errors import SyncError
from streams.wire.events import ChangeEvent
from streams.wire.systems import Object, System

Order = Create | Update | Delete | Merge


class Fate(StrEnum):
    """What became of one record of a call."""

    DONE = "done"
    EXISTS = "exists"
    """A creation found the record there already: look it up."""
    SEVERAL = "several"
    """A creation would have been one too many for the system: several like it are there."""
    GONE = "gone"
    """There is no such record any more."""
    REJECTED = "rejected"
    BUSY = "busy"
    """This record could not be written now (locked, the system too busy for it); the same write may pass later."""
    UNKNOWN = "unknown"
    """The system doesn't say whether this record was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One record's part of a call. `write` is the id of its intent."""

    write: int
    pair: int
    order: Order
    key: str = ""
    """Of a creation: the external key that keeps a repeat from making a second record."""
    begin_until: int = 0
    """The call with it must not begin any more from then on (ms, ours); 0: whenever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The system's answer for one item, in its own words."""

    fate: Fate
    id: str = ""
    reason: str = ""
    fields: frozenset[str] = frozenset()
    """Ledger keys of the fields that the system blames."""
    refused: tuple[tuple[str, str], ...] = ()
    """Of a record that was written in parts: the fields (ledger keys) that were refused, each with the reason."""
    left: frozenset[str] = frozenset()
    """The same: fields that were not sent in the end."""
    after_seconds: float = 0.0
    """Of what passes: how long to wait at least."""
    until: int = 0
    """The latest moment at which it may have been done (ms, the system's clock); 0 if not known."""
    gone: tuple[str, ...] = ()
    """Of a merge that was refused: those of its records that are there no more."""
    missing: tuple[str, ...] = ()
    """With `BUSY`: the keys of parents that it names and the system doesn't have (any more), though we had taken them for there."""
    rivals: tuple[ChangeEvent, ...] = ()
    """With `SEVERAL`: readings of those that are there, as far as they can be seen."""
    call: str = ""
    """The system's own name of the call that was answered, where it gives one (Marketo's request id)."""


def answered_by(call: str, outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The outcomes, each with the name of the call that brought it."""
    return [replace(each, call=call) for each in outcomes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What hangs on a record: `what` names it, and is empty when nothing does. `asked` says what was asked, `reading` shows the record."""

    reading: ChangeEvent
    what: tuple[str, ...]
    asked: str


def unasked(what: str, error: SyncError) -> str:
    """A use that can't be ruled out, since the system doesn't answer."""
    return f"{what} can't be asked for ({getattr(error, 'code', '') or error})"


Visible = Callable[[System, Object, Iterable[str]], list[str]]
"""Those of some fields of a record that can be read now."""


def all_of(system: System, obj: Object, names: Iterable[str]) -> list[str]:
    """Nothing is hidden."""
    del system, obj
    return list(names)


class Writer(Protocol):
    """One system as a place to write to.

    Raises the errors of `streams.wire.errors` for a call as a whole: `Unknown` when it may have been applied, `Retry` when it was
    not, `Reject` when all of it was refused, `Fatal` when a person has to act.
    """

    system: System
    batch_max: int
    """Records in one call."""
    merges_max: int
    """Merges in one call."""

    async def candidates(self, wanted: Mapping[int, PairState], lane: Lane) -> dict[int, list[ChangeEvent]]:
        """For each pair without a record here: readings of the records that may be its own (by stored id, else by e-mail)."""
        ...

    async def read(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, ChangeEvent | None]:
        """A reading of each record with every mapped field; None for one that is gone."""
        ...

    async def masters(self, obj: Object, ids: Sequence[str], lane: Lane) -> Mapping[str, str | None]:
        """Of records that can't be read any more: what each was merged into, None where it was just deleted.

        Absent: nobody can tell (any more), or the system's feed tells it.
        """
        ...

    async def surely_deleted(self, obj: Object, ids: Sequence[str], lane: Lane) -> frozenset[str]:
        """Of records that can't be read: those of which the system says, or leaves no doubt, that they are deleted. The others may just be
        out of our sight."""
        ...

    async def uses(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, Use | None]:
        """Of records that we created: what others have made of each since, in the system's own terms; None for one that is gone.

        What can't be found out counts as a use: whoever asks is about to delete the record.
        """
        ...

    def together(self, item: Item) -> str:
        """Of items of one kind and one object, those go in one call that have the same."""
        ...

    def alike(self, state: PairState) -> str:
        """As `together`, of what such a pair is owed, as far as its state tells: how full calls are, not what goes in them, rests on it."""
        ...

    async def write(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        """One call for items of one kind and one object; outcomes in order."""
        ...
