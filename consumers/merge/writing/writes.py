"""The life of a write: intended before the call is made, answered, refused, in doubt or withdrawn after it. Pure.

What a write has done is told by the feed, or by a look; the answer only says that the system has taken it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from consumers.merge.edits.forgotten import forget, made_until, may_be_of, put_in_place, remembered
from consumers.merge.pair.state import FAILED, NEVER, PENDING, Field, PairState, Record, Side, Write, shallow
from consumers.merge.writing.plan import MAPPING_MARK, Create, Update
from consumers.merge.writing.witness import WAITS
from streams.wire.systems import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long calls and feeds are waited for, ms. A lease outlives every time-out of the client: raises ValueError otherwise."""

    call_ms: int = 300_000
    """The lease: what was claimed and never told of is taken for lost then."""
    time_out_ms: int = 0
    """How long the client waits for one call at the most; a call begins so early that its lease outlives it."""
    silent_ms: int = 60_000
    """After a write: when to look, if the feed has not shown it."""
    lost_ms: int = 600_000
    """After a write: from when on the feed is taken to have lost it."""
    doubt_ms: int = 8_000
    """After a call without an answer: when to look for what became of it, if the feed has not told."""

    def __post_init__(self) -> None:
        """Refuse a lease that could end while its call is out."""
        if self.call_ms <= self.time_out_ms:
            raise ValueError(f"a lease of {self.call_ms} ms does not outlive a call, which may take {self.time_out_ms} ms")

    @property
    def begin_ms(self) -> int:
        """How long after the claim a call may begin. A quarter of what is left is for clocks that differ."""
        return (self.call_ms - self.time_out_ms) * 3 // 4


def intend(
    state: PairState, target: System, planned: Create | Update, *, write: int, now: int, patience: Patience, caller: int = 0
) -> PairState:
    """The state with the intent: to be committed before the call is made. `caller`: the process that will make it."""
    if isinstance(planned, Create) and state.record(target).deleted:
        state = _shows_nothing(state, target)
    changed: dict[str, Field] = {}
    for out in planned.fields:
        field = state.fields.get(out.key) or Field()
        side = shallow(field.side(target))
        entry = Write(id=write, version=out.version, value=out.value, sent=now, look_at=now + patience.silent_ms)
        side.writes = (*side.writes, entry)
        changed[out.key] = field.with_side(target, side)
    record = shallow(state.record(target))
    record.calling, record.calling_until, record.caller = write, now + patience.call_ms, caller
    record.refused = ""
    if isinstance(planned, Create):
        record.creating = write
    return refuse(state.with_fields(changed).with_record(target, record), target, planned.refused)


def refuse(state: PairState, target: System, refused: tuple[tuple[str, str], ...]) -> PairState:
    """The state with fields that the target won't take: not owed again until their value changes."""
    changed: dict[str, Field] = {}
    for key, reason in refused:
        field = state.fields.get(key) or Field()
        side = shallow(field.side(target))
        side.refused, side.reason = field.version, reason
        changed[key] = field.with_side(target, side)
    return state.with_fields(changed) if changed else state


def welcomed(state: PairState, target: System, keys: frozenset[str]) -> PairState:
    """The target takes these fields again: what it refused of them is owed. The same state where it had refused none."""
    changed: dict[str, Field] = {}
    for key, field in state.unsettled().items():
        side = field.side(target)
        if key in keys and side.refused != NEVER:
            side = shallow(side)
            side.refused, side.reason = NEVER, ""
            changed[key] = field.with_side(target, side)
    return state.with_fields(changed) if changed else state


def answered(state: PairState, target: System, write: int, at: int, done_by: int = 0) -> PairState:
    """The call was answered: the system has taken the write, at `done_by` by its own clock at the latest (0: it didn't tell)."""
    return _over(_each_write(state, target, write, lambda side: _answer(side, write, at, done_by)), target, write)


def failed(state: PairState, target: System, write: int, look_at: int) -> PairState:
    """No answer that says yes or no: the write is in doubt until the feed tells, or a look from `look_at` on (ms, ours).

    A look before the feed had its time proves little: what stands there may be an older value come back, and the call may still
    arrive. So a write that a look does not find is made again, but remembered as forgotten, not as never made: whatever comes back is
    known for ours. A creation is not made again that soon: a second one might be a second person.
    """
    early = 0 if state.record(target).creating == write else look_at
    return _over(_each_write(state, target, write, lambda side: _fail(side, write, early)), target, write)


def withdrawn(state: PairState, target: System, write: int) -> PairState:
    """The write was certainly not made: it is owed again."""
    state = _over(_each_write(state, target, write, lambda side: _drop(side, write)), target, write)
    record = state.record(target)
    if record.creating == write:
        record = shallow(record)
        record.creating = 0
        state = state.with_record(target, record)
    return state


def knows(state: PairState, target: System, write: int) -> bool:
    """Whether an answer to this write is still waited for."""
    record = state.record(target)
    if write in (record.calling, record.creating):
        return True
    return any(
        entry.id == write and entry.answered == PENDING for field in state.unsettled().values() for entry in field.side(target).writes
    )


def given_up(state: PairState, target: System, write: int) -> PairState:
    """The creation was looked for and is not there: it is owed again, but may still arrive."""
    return withdrawn(_each_write(state, target, write, lambda side: _forget(side, write)), target, write)


def rejected(state: PairState, target: System, write: int, reason: str, only: frozenset[str], *, mark: int) -> PairState:
    """The system refused the write in its own words; `only` names the fields it blames (none of those written: the row as a whole).
    `mark`: that of the plan.

    A row that is refused as a whole is tried again whole when anything in it, its mapping or the rules have changed (`reconsidered`).
    What was refused is the version that was sent: where the agreement has moved on meanwhile, the field is owed again at once.
    """
    fields = state.unsettled().items()
    sent = {key: entry.version for key, field in fields for entry in field.side(target).writes if entry.id == write}
    blamed = (only & sent.keys()) or frozenset(sent)
    creating = state.record(target).creating == write
    state = withdrawn(state, target, write)
    record = shallow(state.record(target))
    record.refused_mark = mark
    if creating or (sent and not only & sent.keys()):
        record.refused = reason
    state = state.with_record(target, record)
    if creating:
        return state
    return _blamed(state, target, {key: (sent[key], reason) for key in blamed})


def refused_in_part(
    state: PairState, target: System, write: int, refused: Mapping[str, str], left: frozenset[str], *, mark: int
) -> PairState:
    """Of what a write carried, the system refuses these fields, each for its reason, and was not sent those that are `left`."""
    sent = {key: entry.version for key, field in state.unsettled().items() for entry in field.side(target).writes if entry.id == write}
    changed = {
        key: (field := state.fields[key]).with_side(target, _drop(field.side(target), write))
        for key in sent
        if key in refused or key in left
    }
    record = shallow(state.record(target))
    record.refused_mark = mark
    state = state.with_fields(changed).with_record(target, record)
    return _blamed(state, target, {key: (sent[key], reason) for key, reason in refused.items() if key in sent})


def reconsidered(state: PairState, target: System, mark: int) -> PairState:
    """The state in which what was refused is tried again, if anything has changed since (`mark` is the row's now).

    A row that was refused as a whole: when anything in it has. A field that was refused by its name: when the mapping has. Not one that
    waits for its parent: that is what ends its wait.
    """
    record = state.record(target)
    if not record.id or record.refused_mark == mark:
        return state
    mapped_anew = (record.refused_mark ^ mark) & MAPPING_MARK != 0
    if not record.refused and not mapped_anew:
        return state
    changed: dict[str, Field] = {}
    for key, field in state.unsettled().items():
        side = field.side(target)
        if side.refused != NEVER and (mapped_anew or side.reason == record.refused) and not side.reason.startswith(WAITS):
            new = shallow(side)
            new.refused, new.reason = NEVER, ""
            changed[key] = field.with_side(target, new)
    if not changed and not record.refused:
        return state
    record = shallow(record)
    record.refused, record.refused_mark = "", mark
    return state.with_fields(changed).with_record(target, record)


def _blamed(state: PairState, target: System, refused: Mapping[str, tuple[int, str]]) -> PairState:
    changed: dict[str, Field] = {}
    for key, (version, reason) in refused.items():
        field = state.fields[key]
        side = shallow(field.side(target))
        side.refused, side.reason = version, reason
        changed[key] = field.with_side(target, side)
    return state.with_fields(changed)


def uncreatable(state: PairState, target: System, reason: str, mark: int) -> PairState:
    """The system won't even say whether it has such a record: no creation until anything changes."""
    record = shallow(state.record(target))
    record.refused, record.refused_mark = reason, mark
    return state.with_record(target, record)


def creatable(state: PairState, target: System) -> PairState:
    """The target may take the creation that it refused."""
    record = state.record(target)
    if record.id or not record.refused:
        return state
    record = shallow(record)
    record.refused = ""
    return state.with_record(target, record)


def creation(state: PairState, target: System) -> int:
    """The write that creates the target's record, or one that was given up and may have created it all the same; 0: there is none."""
    record = state.record(target)
    if record.id or record.creating:
        return record.creating
    return max((entry.id for field in state.unsettled().values() for entry in field.side(target).forgotten), default=0)


def several(state: PairState, target: System, write: int) -> bool:
    """Whether other creations than this one were given up, so that any of them may have made the record."""
    return any(entry.id != write for field in state.unsettled().values() for entry in field.side(target).forgotten)


def born(state: PairState, target: System, record_id: str, write: int, *, witnessed: bool, made_until: int = 0) -> PairState:
    """The target's record exists now, created by `write`: fields that were blank are shown blank.

    `witnessed`: the answer is the witness that its fields show what was written (nothing can stand before a creation in the
    record's order); otherwise they wait for the feed. `made_until`: by when it was made, by the system's clock (0: not known).
    """
    changed: dict[str, Field] = {}
    for key, field in state.unsettled().items():
        side = shallow(field.side(target))
        mine = next((entry for entry in (*side.writes, *side.forgotten) if entry.id == write), None)
        if mine and witnessed:
            side.known, side.seen, side.shows = True, mine.value, mine.version
            side.writes = tuple(entry for entry in side.writes if entry.version > mine.version)
            side.forgotten = tuple(entry for entry in side.forgotten if entry.id != write)
        elif mine and mine not in side.writes:
            side.writes = (*side.writes, mine)
            side.forgotten = tuple(entry for entry in side.forgotten if entry.id != write)
        elif not mine and (field.value is None or field.value is False) and side.shows != field.version and not side.seen:
            side.known, side.shows = True, field.version
        elif not mine and not side.known:
            side.known = True  # what it was not made with (a parent that wasn't there yet) is blank, and is still owed
        else:
            continue
        changed[key] = field.with_side(target, side)
    record = shallow(state.record(target))
    record.id, record.complete, record.creating, record.origin, record.refused = record_id, True, 0, "tandem", ""
    record.deleted = False
    record.made_until = made_until or record.made_until
    return state.with_fields(changed).with_record(target, record)


def made_by(state: PairState, target: System, write: int, at: int, *, placed: bool, told: Collection[str] = ()) -> PairState:
    """The feed has told of a write, or that it can't tell of it: all its fields were made by `at` (ms, the system's clock).

    `placed`: it has told of nothing later yet, so that what it brings from now on was made after the write; but for what it has `told`
    of these fields in the same breath.
    """
    changed: dict[str, Field] = {}
    for key, field in state.unsettled().items():
        side = field.side(target)
        if any(entry.id == write for entry in side.writes):
            changed[key] = field.with_side(target, _made(side, write, at, placed=placed and key not in told))
    return state.with_fields(changed) if changed else state


def lone_write(state: PairState, target: System, at: int) -> int:
    """The one write on a side that a change of ours told at this moment (ms, the system's clock) can be; 0: none, or more than one."""
    sides = [field.side(target) for field in state.unsettled().values()]
    ids = {entry.id for side in sides for entry in (*side.writes, *remembered(side, at)) if may_be_of(entry, at)}
    return ids.pop() if len(ids) == 1 else 0


def unclaimed(state: PairState, target: System, now: int) -> PairState:
    """After a call that nobody finished (a crash): its writes are in doubt and looked for at once, the record may be written to again."""
    record = state.record(target)
    if not record.calling or record.calling_until > now:
        return state
    return failed(state, target, record.calling, now)


def _shows_nothing(state: PairState, target: System) -> PairState:
    """The record is gone and is made again under its key: whatever it is not made with (since a parent isn't there, the value is refused or
    held) is owed to the new one, though the former one had shown it."""
    changed: dict[str, Field] = {}
    for key, field in state.fields.items():
        before = field.side(target)
        if before.shows == field.version and field.value is not None and field.value is not False:
            side = shallow(before)
            side.shows, side.seen = NEVER, None
            changed[key] = field.with_side(target, side)
    return state.with_fields(changed) if changed else state


def _each_write(state: PairState, target: System, write: int, change: Callable[[Side], Side]) -> PairState:
    changed: dict[str, Field] = {}
    for key, field in state.unsettled().items():
        side = field.side(target)
        if any(entry.id == write for entry in side.writes):
            changed[key] = field.with_side(target, change(side))
    return state.with_fields(changed) if changed else state


def _answer(side: Side, write: int, at: int, done_by: int = 0) -> Side:
    new = shallow(side)
    entries = []
    for entry in side.writes:
        mine = shallow(entry)
        if mine.id == write and mine.answered == PENDING:
            mine.answered, mine.done_by = at, done_by
            mine.look_at += max(0, at - mine.sent)
        entries.append(mine)
    new.writes = tuple(entries)
    return new


def _fail(side: Side, write: int, look_at: int) -> Side:
    new = shallow(side)
    entries = []
    for entry in side.writes:
        mine = shallow(entry)
        if mine.id == write and mine.answered == PENDING:
            mine.answered = FAILED
            mine.look_at = look_at or mine.look_at
        entries.append(mine)
    new.writes = tuple(entries)
    return new


def _forget(side: Side, write: int) -> Side:
    new = shallow(side)
    forget(new, lambda entry: entry.id == write)
    return new


def _made(side: Side, write: int, at: int, *, placed: bool) -> Side:
    new = shallow(side)
    made = (made_until(entry, at) if entry.id == write else entry for entry in side.writes)
    new.writes = tuple(put_in_place(entry) if placed and entry.id == write else entry for entry in made)
    return new


def _drop(side: Side, write: int) -> Side:
    new = shallow(side)
    new.writes = tuple(entry for entry in side.writes if entry.id != write)
    return new


def _over(state: PairState, target: System, write: int) -> PairState:
    record = state.record(target)
    if record.calling != write:
        return state
    record = _uncalled(record)
    return state.with_record(target, record)


def _uncalled(record: Record) -> Record:
    new = shallow(record)
    new.calling = new.calling_until = new.caller = 0
    return new
