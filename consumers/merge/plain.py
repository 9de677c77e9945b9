"""The plainest event, which most are: somebody changes fields in Salesforce of a record that shows the agreement. Pure.

What `fold` says of it, in a third of the time and from what is stored of the fields concerned alone; nothing where there is any doubt.
"""

from consumers.merge.decision import Folded, Ruling
from consumers.merge.judge import accepted_at_once, accepted_from_rest
from consumers.merge.late import KEPT
from consumers.merge.link import agree_link, link_values
from consumers.merge.state import NEVER, Field, Fields, PairState, Record, Rest, shallow
from consumers.merge.terms import Terms
from consumers.merge.values import Unfit, neutral
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import SALESFORCE

_UPDATED = Happened.UPDATED


def plainly(state: PairState, event: ChangeEvent, terms: Terms) -> Folded | None:
    """The pair after an event that is the next of its record and brings nothing but plain edits; None: ask `fold`."""
    record, fields = state.salesforce, state.fields
    if type(fields) is not Fields or not _is_next(record, event) or state.hold or terms.identity.owns(event):
        return None
    for known in fields.unsettled.values():
        if known.salesforce.refused != NEVER:
            return None
    names, linking = terms.mapping(state).by_salesforce, terms.linking(state)
    told = [(mapping, wire) for name, wire in event.fields.items() if (mapping := names.get(name)) is not None]
    stored = fields.resting.some((*[mapping.key for mapping, _ in told], *[mapping.key for mapping in linking]))
    changed: dict[str, Field] = {}
    rulings: list[Ruling] = []
    for place, (mapping, wire) in enumerate(told):
        if not mapping.plain:
            return None
        try:
            value = neutral(mapping.type, wire)
        except Unfit:
            return None
        field, rest = fields.unsettled.get(mapping.key), stored[place]
        if field is not None:
            judged = accepted_at_once(mapping, field, SALESFORCE, value, event.at)
        else:
            judged = None if rest is None else accepted_from_rest(mapping, rest, SALESFORCE, value, event.at)
        if judged is None:
            return None
        changed[mapping.key] = judged[0]
        rulings.append(judged[1])
    if not rulings:
        return None
    new = shallow(state)
    new.salesforce = _noted(record, event)
    new.fields = fields.replaced(changed)
    if linking and not _is_linked(new, terms, stored[len(told) :]):
        new = agree_link(new, terms, event.at)
    return new, tuple(rulings)


def _is_next(record: Record, event: ChangeEvent) -> bool:
    """Whether this is a change behind all that were told, of a record of which there is nothing else to say."""
    return (
        event.kind is _UPDATED
        and event.system is SALESFORCE
        and event.seq > record.seq
        and event.epoch == record.epoch
        and event.before is None
        and not event.ref
        and record.complete
        and bool(record.id)
        and not (record.deleted or record.heir or record.refused)
    )


def _noted(record: Record, event: ChangeEvent) -> Record:
    """The record, with this event among those judged; somebody else has worked on it."""
    new = shallow(record)
    lately = record.lately or (record.seq,)
    new.lately = (*lately[1:], event.seq) if len(lately) >= KEPT else (*lately, event.seq)
    new.seq = event.seq
    if event.at > record.at:
        new.at = event.at
    new.origin = ""
    return new


def _is_linked(state: PairState, terms: Terms, stored: tuple[Rest | None, ...]) -> bool:
    """Whether the link fields are at rest and say, to the letter, what they should."""
    values = link_values(terms.rules.links, state.object, state.salesforce.id, deleted=False)
    unsettled = state.unsettled()
    for mapping, rest in zip(terms.linking(state), stored, strict=True):
        value = values[mapping.key]
        if rest is None or mapping.key in unsettled or rest.value != value or type(rest.value) is not type(value):
            return False
    return True
