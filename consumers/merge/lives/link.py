"""The link fields of a Marketo person, which Tandem keeps itself: kept in line with the Salesforce record. Pure."""

from consumers.mapping.fields import FieldMapping, LinkFields
from consumers.merge.edits.values import equal
from consumers.merge.edits.verdicts import same
from consumers.merge.pair.state import Field, PairState, shallow
from consumers.merge.terms import Terms
from streams.wire.events import Value
from streams.wire.systems import CONTACT, LEAD, SALESFORCE, Object


def agree_link(state: PairState, terms: Terms, at: int) -> PairState:
    """The link fields brought in line with the Salesforce record, as edits of the Salesforce side."""
    record = state.salesforce
    if not record.id or not terms.linking(state):
        return state
    changed: dict[str, Field] = {}
    values = link_values(terms.rules.links, state.object, record.id, deleted=record.deleted)
    for mapping in terms.linking(state):
        key, value = mapping.key, values[mapping.key]
        rest = state.at_rest(key)
        if rest is not None and equal(mapping, rest.value, value):
            continue
        field = state.fields.get(key) or Field()
        if not equal(mapping, field.value, value) or field.salesforce.shows != field.version or _was_left(mapping, field):
            changed[key] = _linked(mapping, field, value, at)
    return state.with_fields(changed) if changed else state


def _was_left(mapping: FieldMapping, field: Field) -> bool:
    """Whether Marketo has another value (a merge there brought it), which was left while there was no record in Salesforce to speak for."""
    side = field.marketo
    return side.known and not side.writes and side.shows == field.version and not same(mapping, side, side.seen, field.value)


def link_values(links: LinkFields, obj: Object, record_id: str, *, deleted: bool) -> dict[str, Value]:
    """What Tandem's own fields of a Marketo person should say about its Salesforce record."""
    return {
        links.lead_id: record_id if obj == LEAD else None,
        links.contact_id: record_id if obj == CONTACT else None,
        links.type: obj.capitalize(),
        links.is_deleted: deleted,
    }


def links_sent(state: PairState, links: LinkFields) -> list[tuple[str, str]]:
    """The link fields, and what they say, of people that creations in doubt or given up may have made: the pair may be another record in
    Salesforce since (a lead that was converted)."""
    found: list[tuple[str, str]] = []
    for name in (links.contact_id, links.lead_id):
        side = (state.fields.get(name) or Field()).marketo
        sent = (entry.value for entry in (*side.writes, *side.forgotten))
        found += [(name, value) for value in sent if isinstance(value, str) and value not in ("", state.salesforce.id)]
    return found


def _linked(mapping: FieldMapping, field: Field, value: Value, at: int) -> Field:
    new = field.with_side(SALESFORCE, shallow(field.salesforce))
    new.value, new.version, new.agreed_at = value, field.version + 1, at
    new.salesforce.seen, new.salesforce.shows, new.salesforce.known = value, new.version, True
    if field.marketo.known and not field.marketo.writes and equal(mapping, field.marketo.seen, value):
        new.marketo = shallow(field.marketo)
        new.marketo.shows = new.version
    return new
