"""What the loops ask of the ledger. Two implementations: PostgreSQL, and one in memory for the simulation."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from consumers.ledger.pair import Pair as Pair  # noqa: PLC0414 - part of the port
from consumers.merge.pair.decision import Decision, Told
from consumers.merge.pair.state import PairState
from consumers.merge.writing.parents import Reference
from streams.wire.events import DeadLetter
from streams.wire.systems import Object, System

Named = tuple[System, Object, str]
"""What names a record: its system, its object and its id there."""

NOTHING: Mapping[tuple[System, Object], Sequence[str]] = {}


class Duty(IntEnum):
    """What can be due for a pair; the place in `PairState.due`."""

    WRITE_SALESFORCE = 0
    WRITE_MARKETO = 1
    LOOK_SALESFORCE = 2
    LOOK_MARKETO = 3

    @staticmethod
    def write_on(system: System) -> "Duty":
        """To write to this system."""
        return Duty.WRITE_SALESFORCE if system is System.SALESFORCE else Duty.WRITE_MARKETO

    @staticmethod
    def look_on(system: System) -> "Duty":
        """To look there for what became of what was written."""
        return Duty.LOOK_SALESFORCE if system is System.SALESFORCE else Duty.LOOK_MARKETO

    @property
    def system(self) -> System:
        """The system concerned."""
        return System.SALESFORCE if self in (Duty.WRITE_SALESFORCE, Duty.LOOK_SALESFORCE) else System.MARKETO

    @property
    def writes(self) -> bool:
        """Whether it is a write rather than a look."""
        return self in (Duty.WRITE_SALESFORCE, Duty.WRITE_MARKETO)


def is_gone(state: PairState) -> bool:
    """Whether no record of the pair is alive: nobody meets it any more."""
    one, other = state.salesforce, state.marketo
    return (not one.id or one.deleted) and (not other.id or other.deleted) and bool(one.id or other.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """Some of the parents that are waited for, by their Salesforce ids. `there`: those that are in Marketo; `unknown`: those without a
    pair, with a role in which they are named; `unborn`: those of Marketo's that have a pair and aren't in Salesforce; `last`: where the
    next ones begin, empty: these were the last."""

    there: tuple[str, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    unborn: tuple[str, ...] = ()
    last: str = ""


class Fenced(Exception):  # noqa: N818 - not an error of this worker: another one owns the partition
    """Another worker has already taken these offsets."""


class Taken(Exception):  # noqa: N818 - a case, not a failure: somebody else was quicker
    """Another pair has this record already. The transaction can only be rolled back; done again, it finds that pair."""

    def __init__(self, system: System, record: str) -> None:
        super().__init__(f"{system} record {record} belongs to another pair")
        self.system = system
        self.record = record


class Transaction(Protocol):
    """One atomic step. Whatever it returns is locked until the end; a pair asked for twice is the same object.

    Each call locks pairs in the order of their ids, so whoever locks all that it needs in one call (`gather`) stands in nobody's way.
    Where two transactions of several calls do so all the same, one of them raises `Retry`, as everything here does while the database
    is away; nothing has happened then.
    `Fault`: something in what is read or stored is unusable; nothing has been stored by that call.
    """

    async def advance(self, topic: str, partition: int, start: int, end: int, last: int | None = None) -> None:
        """Move the partition's offset on from `start` to `end`; raise `Fenced` if it does not stand at `start`, or stands beyond `end`.

        `last`: the fingerprint of the message before `end`.
        """
        ...

    async def rewind(self, topic: str, partition: int, stood: int, begin: int) -> None:
        """The partition is another one than was read: its offset goes from `stood` back to `begin`. Raises `Fenced` as above."""
        ...

    async def by_record(self, system: System, obj: Object, ids: Sequence[str]) -> dict[str, Pair]:
        """The pairs of these records, by record id; unknown ones are absent. `obj`: what they are called on that system, where ids are
        unique only among records of one sort (Salesforce's are so in the whole org).
        """
        ...

    async def gather(
        self, *, ids: Sequence[int] = (), records: Mapping[tuple[System, Object], Sequence[str]] = NOTHING, keys: Sequence[str] = (),
        waiting: Sequence[str] = (), most: int,
    ) -> list[Pair]:  # fmt: skip
        """Pairs by their ids, by their records, by a match key that they share or by what they wait for, all locked in one step.

        Of one key, and of what is waited for, no more than `most`, the oldest; pairs of which no record is alive are not found by key.
        """
        ...

    async def others_with(self, keys: Sequence[str], known: Sequence[int]) -> list[str]:
        """The match keys that a pair has which isn't `known`, by now. To be asked last: it waits for others who ask, none of whom then
        waits for anything, and whoever asks after this transaction sees what it has saved.
        """
        ...

    async def left(self, what: Sequence[str]) -> None:
        """These match keys and records have been left by somebody: kept where a pair waits for them (`PairState.waits`)."""
        ...

    async def take_left(self, most: int) -> list[str]:
        """Take some of what was left off the list."""
        ...

    async def by_id(self, ids: Sequence[int]) -> dict[int, Pair]:
        """The pairs themselves."""
        ...

    async def claim(self, duty: Duty, now: int, limit: int, lane: int) -> list[Pair]:
        """Up to `limit` pairs for which this duty is due, in lanes up to `lane`, that no one else holds; first lanes first."""
        ...

    async def park(self, duty: Duty, kept: Mapping[int, int]) -> frozenset[int]:
        """Pairs that are due, each with the number of the pause that keeps it: those whose pause has not ended are claimed no more until
        it does. Returns them; to be called before anything is saved.
        """
        ...

    async def save(self, pairs: Sequence[Pair], now: int) -> None:
        """Write new pairs (giving them ids) and changed ones, with what is due for them. Raises `Taken`."""
        ...

    async def remove(self, ids: Sequence[int], *, for_good: bool = False) -> None:
        """Forget pairs that were found to be part of another, or, `for_good`, with all that was part of them."""
        ...

    async def former(self, wanted: Sequence[Named]) -> dict[Named, Pair]:
        """The pairs that these records are part of since they have none of their own; unknown ones are absent."""
        ...

    async def remember(self, ids: Mapping[Named, int], instead: Mapping[int, int]) -> None:
        """These records are part of these pairs since. What was part of a pair in `instead` is part of the other one from now on."""
        ...

    async def idle(self, ids: Sequence[int], before: int) -> list[Pair]:
        """Those of these pairs that no one else holds, of which no record is alive, that are not held, and that have not been changed
        since `before` (ms, ours). One whose state can't be read is left out.
        """
        ...

    async def shelve(self, pair: int, why: str, until: int) -> None:
        """Set a pair aside whose state can't be read or stored: it is shown as held, and what is due for it waits until `until`."""
        ...

    async def in_marketo(self, ids: Sequence[str], objects: Sequence[Object]) -> dict[str, str]:
        """Of these Salesforce records of some sorts, those that have one in Marketo: its id there, by theirs. Of one that is part of
        another now, that one's. Those of Marketo (`naming.in_marketo`) the other way round. Not locked."""
        ...

    async def relate(self, references: Mapping[int, Sequence[Reference]]) -> None:
        """Note what pairs name of their parents; where a parent isn't in Marketo yet, they wait for it (`take_released`).

        A pair that is saved without showing that it waits (`refusals`) waits no more.
        """
        ...

    async def take_released(self, parents: Sequence[str], most: int) -> dict[int, list[str]]:
        """Pairs that wait for these parents, with the roles in which they do; noted as waiting no more. Locked."""
        ...

    async def children_of(self, pairs: Sequence[int], after: int, most: int) -> dict[int, dict[str, str]]:
        """Pairs that name these, or what is part of them since: by role, the Salesforce id by which they do. The next `most` of them,
        by ascending id: those after `after`. Not locked."""
        ...

    async def record(self, decisions: Sequence[Decision | Told]) -> None:
        """Append decisions; they are published from here."""
        ...

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep dead letters; the same message twice is kept once."""
        ...


class Ledger(Protocol):
    """The ledger as a whole."""

    def transaction(self, *, durable: bool = True) -> AbstractAsyncContextManager[Transaction]:
        """A transaction; committed at the end of the block, rolled back on an exception.

        `durable=False`: a crash may take the commit back together with everything committed after it (offsets included), never
        in part; a later durable commit makes it durable too. Raises `Unknown` where a commit was not answered: it may have been kept.
        """
        ...

    async def write_id(self) -> int:
        """A new id for a write, never given twice; for each pair they grow, if taken after its `claim`."""
        ...

    async def awaited(self, after: str, most: int, objects: Sequence[Object]) -> Awaited:
        """The next parents, of some sorts of Salesforce records, that somebody waits for: `most` of them, by id, those after `after`."""
        ...

    async def states(self, system: System, obj: Object, ids: Sequence[str]) -> dict[str, PairState]:
        """The pairs of these records as they are now, unlocked; without those whose state can't be read."""
        ...

    async def waiting(self, duty: Duty, now: int) -> int | None:
        """The first lane in which this duty is due; None: nothing is."""
        ...

    async def looked_for(self, duty: Duty, now: int, after: int, limit: int) -> list[int]:
        """The next pairs for which this look is due some time after `now`, by ascending id: those after `after`."""
        ...

    async def refused(self, after: int, limit: int) -> list[int]:
        """The next pairs of which a system refuses anything, by ascending id: those after `after`."""
        ...

    async def gone(self, after: int, limit: int) -> dict[int, int]:
        """The next pairs of which no record is alive, by ascending id: those after `after`; when each was changed last (ms, ours)."""
        ...

    async def anything_left(self) -> bool:
        """Whether somebody has left what a pair waits for."""
        ...

    async def offset(self, topic: str, partition: int) -> int | None:
        """The next offset to be observed; None if the partition was never observed."""
        ...

    async def last_read(self, topic: str, partition: int) -> tuple[int, int] | None:
        """Offset and fingerprint of the last message observed; None if that is not known."""
        ...
