"""Joining: two pairs are one, since two records of one side are (a merge, a conversion into an existing contact). Pure.

Field by field the winner's value, else the loser's, since a value beats no value; what adds up is added. The side on which both records
still stand is owed a merge of them, which is planned like any write.
"""

from collections.abc import Sequence

from consumers.mapping.fields import Direction, FieldMapping, RuleName
from consumers.merge.edits.forgotten import forget
from consumers.merge.edits.values import Unfit, blank, bounded, choices, equal
from consumers.merge.edits.verdicts import same
from consumers.merge.lives.ended import ended_by
from consumers.merge.lives.identity import SECOND, WINNER, adds_up, rebind
from consumers.merge.lives.link import agree_link
from consumers.merge.lives.record import asked_again
from consumers.merge.pair.state import NEVER, Field, PairState, Record, Side, shallow
from consumers.merge.terms import Terms
from streams.wire.events import Value
from streams.wire.systems import SALESFORCE, System

IN_DOUBT = ""
"""Stands in `merges` for a record that a creation under way at the join may still make."""


def join(winner: PairState, loser: PairState, side: System, terms: Terms, at: int) -> PairState:
    """The pair that both are now. `side`: where the winner's record is the loser's, too, from `at` on (ms, that side's clock).

    On the other side the winner's record stays, if it has one that is there, and is owed a
    merge of the loser's; else the loser's is taken, with what its feed has told, and read again. One that has its name from the loser's
    (a company) is never taken: it goes. A winner's record that was never read still wins once it is.
    """
    other = side.other
    moves = _moves(winner.record(other), loser.record(other)) and terms.mapping(winner).is_person
    if moves and other is SALESFORCE and winner.object != loser.object:
        winner = shallow(winner)
        winner.object = loser.object  # it is that record from now on
    state = winner.with_record(other, _taken(loser.record(other))) if moves else winner
    first = state.record(side)
    unread = bool(first.id) and not first.complete and not first.deleted
    state = state.with_fields(_fields(winner, loser, other if moves else None, terms, unread=side if unread else None))
    state.waiting = tuple(
        entry for one in (winner, loser) for entry in one.waiting if entry.event.id == state.record(entry.event.system).id
    )
    state.retract = tuple(dict.fromkeys((*winner.retract, *loser.retract)))
    state.merges = _merges(state, winner, loser, other, by_key=not terms.mapping(winner).is_person)
    state.lane = min(winner.lane, loser.lane)
    state.wanted = winner.wanted or loser.wanted
    state.unmerged = tuple(entry for one in (winner, loser) for entry in one.unmerged)
    if unread:
        first = shallow(first)
        first.heir, first.reread = WINNER, True
        state = state.with_record(side, first)
    return agree_link(state, terms, at)


def merged(state: PairState, system: System, record_id: str) -> PairState:
    """This record is no more: it is owed no merge. The same state where none was."""
    if (system, record_id) not in state.merges:
        return state
    new = shallow(state)
    new.merges = tuple(entry for entry in state.merges if entry != (system, record_id))
    new.unmerged = tuple(entry for entry in state.unmerged if entry[0] != record_id)
    return new


def not_merged(state: PairState, losers: Sequence[str], why: str, mark: int) -> PairState:
    """Merging these records into the pair's was refused. `mark`: what that was planned from."""
    new = shallow(state)
    mark = mark if len(losers) == 1 else NEVER  # which of several stands in the way nobody says
    new.unmerged = (*(entry for entry in state.unmerged if entry[0] not in losers), *((each, why, mark) for each in losers))
    return new


def came_up(state: PairState, system: System, record_id: str) -> PairState:
    """A record of this person has come up beside the pair's own: it is owed a merge into that one, which is read again after it."""
    entry = (system, record_id)
    if entry in state.merges or state.record(system).id == record_id:
        return state
    new = shallow(state)
    doubt = next((place for place in state.merges if place == (system, IN_DOUBT)), None)
    new.merges = (*(place for place in state.merges if place is not doubt), entry)
    return new


def succeeded(state: PairState, system: System, terms: Terms, at: int) -> PairState:
    """The pair, whose record there may have ended while a second one of the same person was still to be merged into it: there is nothing to
    merge that into any more, so it is the pair's from now on (from `at`, ms, that side's clock), and read. The same state otherwise.
    """
    record = state.record(system)
    if not record.deleted or record.reread or not terms.mapping(state).is_person:
        return state
    second = next((each for owner, each in state.merges if owner is system and each), "")
    if not second:
        return state
    return rebind(state, (system, terms.rules.person_of(second, state.object), second), terms, at, came=SECOND)


def owed_again(state: PairState, system: System, record_id: str) -> PairState:
    """A record that was to be merged into the pair's, and had been deleted, is back: it is to be merged."""
    new = shallow(state)
    new.merges = tuple(dict.fromkeys((*state.merges, (system, record_id))))
    return new


def after_merge(state: PairState, system: System, losers: tuple[str, ...], at: int) -> PairState:
    """The merge has been made, by this moment (ms, that side's clock): what the system made of both is read."""
    return asked_again(merged_away(state, system, losers, at), system)


def merged_away(state: PairState, system: System, losers: Sequence[str], at: int) -> PairState:
    """These records are no more, since this moment at the latest (ms, that side's clock)."""
    for loser in losers:
        state = merged(state, system, loser)
    return ended_by(state, losers, at) if system is SALESFORCE else state


def _moves(winner: Record, loser: Record) -> bool:
    """Whether the loser's record becomes the pair's."""
    if not loser.id or loser.id == winner.id:
        return False
    return not winner.id or (winner.deleted and not loser.deleted)


def _taken(record: Record) -> Record:
    """The record in its new pair. Calls for it were the former pair's: what became of them, its feed and a reading tell."""
    new = shallow(record)
    new.calling = new.calling_until = new.caller = new.creating = 0
    new.refused, new.reread = "", not record.deleted
    return new


def _merges(state: PairState, winner: PairState, loser: PairState, other: System, *, by_key: bool) -> tuple[tuple[System, str], ...]:
    """`by_key`: their records have their names from those of the other side, also one that is only about to be made."""
    theirs = loser.record(other)
    owed = [*winner.merges, *loser.merges]
    if theirs.id and not theirs.deleted:
        owed.append((other, theirs.id))
    lost = winner.record(other) if state.record(other).id != winner.record(other).id else theirs
    if lost.creating and not lost.id:
        owed.append((other, loser.record(other.other).id if by_key else IN_DOUBT))
    return tuple(dict.fromkeys(entry for entry in owed if _is_another(state.record(entry[0]), entry[1])))


def _is_another(record: Record, second: str) -> bool:
    """Whether that record is a second one beside this. One that may yet be made is, if this is about to be made, too."""
    return second != record.id or (second == IN_DOUBT and record.creating != 0)


def _fields(winner: PairState, loser: PairState, moved: System | None, terms: Terms, *, unread: System | None) -> dict[str, Field]:
    """`moved`: the side on which the record is the loser's now. `unread`: the side on which nobody knows yet what the winner's holds."""
    changed: dict[str, Field] = {}
    linking = {mapping.key for mapping in terms.linking(winner)}
    for mapping in terms.mapping(winner).fields:
        mine, theirs = winner.fields.get(mapping.key), loser.fields.get(mapping.key)
        if mine is None and theirs is None and winner.object == loser.object:
            continue
        field = mine or Field()
        if unread is not None and _is_untold(field.side(unread)):
            field = field.with_side(unread, Side(known=False, shows=NEVER))
        if moved is not None:
            side = _brought(theirs.side(moved)) if theirs is not None else Side()
            if theirs is None and winner.object != loser.object:
                side = Side(known=False, shows=NEVER)  # that object has no such field: nobody has looked what stands there
            field = field.with_side(moved, side)
            side.shows = field.version if side.known and same(mapping, side, side.seen, field.value) else NEVER
        if mapping.key not in linking and (theirs is not None or (moved is not None and mapping.direction is not Direction.BOTH)):
            field = _valued(mapping, field, theirs or Field(), moved)
        if field is not mine:
            changed[mapping.key] = field
    return changed


def _is_untold(side: Side) -> bool:
    return not side.seen_at and not side.ahead_at and not side.writes


def _valued(mapping: FieldMapping, field: Field, theirs: Field, moved: System | None) -> Field:
    """The field with the value that both come to."""
    value = _value(mapping, field.value, theirs.value, moved)
    if equal(mapping, value, field.value):
        return field
    new = shallow(field)
    new.value, new.version = value, field.version + 1
    if equal(mapping, value, theirs.value):
        new.agreed_at, new.hold = theirs.agreed_at, theirs.hold
    for system in System:
        side = shallow(new.side(system))
        side.shows = new.version if side.known and same(mapping, side, side.seen, value) else NEVER
        new = new.with_side(system, side)
    return new


def _value(mapping: FieldMapping, mine: Value, theirs: Value, moved: System | None) -> Value:
    """A field that flows one way only is what its source says: the winner's record, or the loser's where that has moved."""
    if mapping.direction is not Direction.BOTH:
        return theirs if moved is not None and mapping.direction.reaches(moved.other) else mine
    if adds_up(mapping) and not blank(mapping, mine) and not blank(mapping, theirs):
        return _added(mapping, mine, theirs)
    return theirs if blank(mapping, mine) else mine


def _added(mapping: FieldMapping, mine: Value, theirs: Value) -> Value:
    if mapping.rule.name is RuleName.UNION:
        return ";".join(dict.fromkeys([*choices(str(mine)), *choices(str(theirs))]))
    if not isinstance(mine, (int, float)) or not isinstance(theirs, (int, float)):
        return mine
    try:
        return bounded(mine + theirs)
    except Unfit:
        return mine


def _brought(side: Side) -> Side:
    """The side as its record brings it along. Versions were the former pair's, so nothing of them may be taken for one of this one's."""
    new = shallow(side)
    forget(new)
    old = []
    for write in new.forgotten:
        entry = shallow(write)
        entry.version = NEVER
        old.append(entry)
    new.forgotten, new.shows, new.refused, new.reason = tuple(old), NEVER, NEVER, ""
    return new
