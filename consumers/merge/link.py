"""The link fields of a Marketo person, which Tandem keeps itself: kept in line with the Salesforce record. Pure."""

from consumers.mapping.fields import FieldMapping
from consumers.merge.setting import Setting, link_values
from consumers.merge.state import Field, PairState, shallow
from consumers.merge.values import equal
from streams.wire.events import Value
from streams.wire.systems import SALESFORCE


def agree_link(state: PairState, setting: Setting, at: int) -> PairState:
    """The link fields brought in line with the Salesforce record, as edits of the Salesforce side."""
    record = state.salesforce
    if not record.id or not setting.linking:
        return state
    changed: dict[str, Field] = {}
    values = link_values(setting.links, state.object, record.id, deleted=record.deleted)
    for mapping in setting.linking:
        key, value = mapping.key, values[mapping.key]
        rest = state.at_rest(key)
        if rest is not None and equal(mapping, rest.value, value):
            continue
        field = state.fields.get(key) or Field()
        if not equal(mapping, field.value, value) or field.salesforce.shows != field.version:
            changed[key] = _linked(mapping, field, value, at)
    return state.with_fields(changed) if changed else state


def _linked(mapping: FieldMapping, field: Field, value: Value, at: int) -> Field:
    new = field.with_side(SALESFORCE, shallow(field.salesforce))
    new.value, new.version, new.agreed_at = value, field.version + 1, at
    new.salesforce.seen, new.salesforce.shows, new.salesforce.known = value, new.version, True
    if field.marketo.known and not field.marketo.writes and equal(mapping, field.marketo.seen, value):
        new.marketo = shallow(field.marketo)
        new.marketo.shows = new.version
    return new
