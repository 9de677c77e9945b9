"""What a look-up before a creation came to: nobody, somebody who is about to be somebody else, or several who may be meant. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from consumers.judging.meeting.candidates import AMBIGUOUS, listed, named, person
from consumers.judging.meeting.introductions import clues
from consumers.ledger.port import Pair
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import owed
from streams.wire.events import ChangeEvent
from streams.wire.systems import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a pair without a record stands after its look-up.

    `reason`: why it is held, with the names of all who may be meant; empty when nobody is. `strangers`: of these, the records that
    the ledger doesn't know. `soon`: somebody is about to leave this e-mail, so the creation is put off a moment.
    """

    reason: str = ""
    strangers: list[ChangeEvent] = field(default_factory=list)
    soon: bool = False


def stands(state: PairState, found: Sequence[ChangeEvent], pair_of: Callable[[ChangeEvent], Pair | None], terms: Terms) -> Standing:
    """The pair's standing after the records found were judged, none of which has become its own.

    A reading from before a write of ours counts for nothing after it: who has got another e-mail since is not meant any more.
    """
    rivals: list[str] = []
    strangers: list[ChangeEvent] = []
    soon = False
    key = terms.match_key(state)
    for event in found:
        other = pair_of(event)
        if other is None:
            strangers.append(event)
            rivals.append(shown(event, terms))
        elif terms.match_key(other.state) == key:
            rivals.append(named([other]))
        elif clues(event, terms).stored == state.record(event.system.other).id:
            if _is_put_right(other.state, event.system, terms):
                soon = True
            else:
                rivals.append(named([other]))
        elif _stays(other.state, event.system, terms):
            rivals.append(f"{named([other])}, which keeps this e-mail there")
        else:
            soon = soon or _leaving(other.state, event.system, terms)
    if not rivals:
        return Standing(soon=soon)
    system = found[0].system
    return Standing(reason=f"{AMBIGUOUS}: {system} has others like this one, none of them free: {listed(rivals)}", strangers=strangers)


def shown(event: ChangeEvent, terms: Terms) -> str:
    """A record that nobody knows, by its id and name."""
    mapping = next(iter(terms.rules.people.values()))
    names = (mapping.by_key[key].name_on(event.system) for key in ("firstName", "lastName") if key in mapping.by_key)
    return f"{event.system} {event.id}" + person(event.fields.get(name) for name in names)


def _leaving(state: PairState, system: System, terms: Terms) -> bool:
    """Whether this pair's record still has to show its new e-mail."""
    field = state.fields.get(terms.rules.email_key)
    return field is not None and field.side(system).shows != field.version


def _is_put_right(state: PairState, system: System, terms: Terms) -> bool:
    """Whether this pair's record carries an id that it took over in a merge there, and is about to be given its own."""
    linked = ((item, state.fields.get(item.key)) for item in terms.linking(state))
    wrong = [(item, field) for item, field in linked if field is not None and field.side(system).shows != field.version]
    return not state.hold and any(field.side(system).writes or owed(field, system, item, exact=False) for item, field in wrong)


def _stays(state: PairState, system: System, terms: Terms) -> bool:
    """Whether this pair's record has another e-mail than agreed and is not going to be given it: refused, held, or not written to."""
    item = terms.rules.objects[state.object].by_key.get(terms.rules.email_key)
    field = state.fields.get(terms.rules.email_key)
    if item is None or field is None or field.side(system).shows == field.version:
        return False
    return bool(state.hold or field.hold) or not (field.side(system).writes or owed(field, system, item, exact=False))
