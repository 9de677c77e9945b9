"""Whom people of both systems are expected to meet, and what would be written to them: some of Marketo's, judged as they would be, in a
ledger that is thrown away. Salesforce is asked for whoever may be meant by them, as it is before any creation."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from consumers.copy.quote import Matches
from consumers.judging import apart
from consumers.judging.meeting.candidates import AMBIGUOUS
from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Duty
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import Update, plan
from streams.wire.events import ChangeEvent
from streams.wire.systems import MARKETO

BATCH = 300
Candidates = Callable[[Mapping[int, PairState]], Awaitable[Mapping[int, Sequence[ChangeEvent]]]]
"""Of pairs that have a record in Marketo only: who may be meant by them in Salesforce."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """`people`: readings of some of Marketo's people. `count`: how many there are; `salesforce`: how many in Salesforce. `in_step`: those
    whom the ledger has on both sides already; nothing becomes of them."""

    people: Sequence[ChangeEvent]
    count: int
    salesforce: int
    in_step: Collection[str] = ()


async def rehearsed(sampled: Sampled, terms: Terms, candidates: Candidates, now: int) -> Matches:
    """What the whole is expected to come to."""
    ledger = MemoryLedger()
    by_id: set[str] = set()
    strangers = [event for event in sampled.people if event.id not in sampled.in_step]
    for start in range(0, len(strangers), BATCH):
        people = strangers[start : start + BATCH]
        known = set(ledger.pairs)
        await apart.judged(ledger, terms, people, now, stage="copy")
        found = await candidates({number: state for number, state in ledger.pairs.items() if number not in known})
        await apart.judged(ledger, terms, _each(found), now, stage="copy")
        names = (terms.rules.links.lead_id, terms.rules.links.contact_id)
        by_id |= {event.id for event in people if any(event.fields.get(name) for name in names)}
    return _counted(sampled, list(ledger.pairs.values()), by_id, terms)


def _each(found: Mapping[int, Sequence[ChangeEvent]]) -> list[ChangeEvent]:
    return list({event.id: event for events in found.values() for event in events}.values())


def _counted(sampled: Sampled, states: Sequence[PairState], by_id: set[str], terms: Terms) -> Matches:
    here = [state for state in states if state.marketo.id]
    both = [state for state in here if state.salesforce.id]
    scale = sampled.count / len(sampled.people) if sampled.people else 0.0
    ambiguous = round(sum(state.hold.startswith(AMBIGUOUS) for state in states) * scale)
    known = sum(event.id in sampled.in_step for event in sampled.people)
    stored = round((known + sum(state.marketo.id in by_id for state in both)) * scale)
    met = min(round((known + len(both)) * scale), sampled.salesforce)
    return Matches(
        people=sampled.salesforce,
        marketo_people=sampled.count,
        sampled=len(sampled.people),
        stored=min(stored, met),
        email=met - min(stored, met),
        ambiguous=ambiguous,
        alone=max(0, sampled.salesforce - met - ambiguous),
        to_marketo=round(_owed(both, Duty.WRITE_MARKETO) * scale),
        to_salesforce=round(_owed(both, Duty.WRITE_SALESFORCE) * scale),
        made_in_salesforce=round(_owed([state for state in here if not state.salesforce.id], Duty.WRITE_SALESFORCE) * scale),
        marketo_fields=round(sum(_fields(state, terms) for state in both) * scale),
    )


def _fields(state: PairState, terms: Terms) -> int:
    """As many as an update in Marketo would write."""
    order = plan(state, MARKETO, terms.rules, exact=terms.exact_on(MARKETO))
    return len(order.fields) if isinstance(order, Update) else 0


def _owed(states: Sequence[PairState], duty: Duty) -> int:
    return sum(bool(state.due[duty]) and not state.hold for state in states)
