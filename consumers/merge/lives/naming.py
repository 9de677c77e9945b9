"""Records that are named in Marketo by their parents (a member by its program and person): the name out of them, and back. Pure."""

from collections.abc import Mapping

from consumers.mapping.fields import FieldMapping, ObjectMapping, SyncRules
from consumers.merge.edits.values import blank
from consumers.merge.pair.state import NEVER, Field, PairState, Record, Side, shallow
from consumers.merge.terms import Terms
from consumers.merge.writing.parents import Reference
from consumers.merge.writing.plan import Create
from consumers.merge.writing.witness import WAITS
from streams.wire.systems import MARKETO, Object, System

_MARK = ":"
"""In what stands for a Marketo record among those that are named by their Salesforce ids: `person:123`."""


def in_marketo(obj: Object, record: str) -> str:
    """What stands for a record of Marketo where parents are named by their Salesforce ids otherwise."""
    return f"{obj}{_MARK}{record}"


def told_of(parent: str) -> tuple[Object, str] | None:
    """The Marketo record that this stands for; None: it is a Salesforce id."""
    obj, mark, record = parent.partition(_MARK)
    return (Object(obj), record) if mark else None


def fixed(mapping: ObjectMapping) -> list[FieldMapping]:
    """The references that name such a record."""
    return [item for item in mapping.fields if item.fixed]


def named_parents(mapping: ObjectMapping, name: str, rules: SyncRules) -> dict[str, str]:
    """By the field that names it: each parent in the name of a Marketo record, as `in_marketo` has it. Empty for what is no such name."""
    if mapping.derived is None or not name:
        return {}
    try:
        parts = mapping.derived.parts(name)
    except ValueError:
        return {}
    kinds = {sort.kind: sort.marketo for sort in rules.objects.values()}
    return {item.key: in_marketo(kinds[item.parent], parts[item.key]) for item in fixed(mapping) if item.parent in kinds}


def name_of(mapping: ObjectMapping, planned: Create) -> str:
    """The name of a record that is about to be made in Marketo, its parents' names being put in."""
    assert mapping.derived is not None  # noqa: S101 - for the type checker: only such sorts are asked for
    return mapping.derived.joined({out.name: out.value for out in planned.fields if mapping.by_key[out.key].fixed})


def agreed(
    state: PairState, mapping: ObjectMapping, parents: Mapping[str, str], there: Mapping[str, str]
) -> tuple[PairState, tuple[Reference, ...], str]:  # fmt: skip
    """The pair of a Marketo record, its references agreed by what names it; what it names; and why it can't be made in Salesforce yet.

    `parents`: as `named_parents`; `there`: of these, the ids of those that are in Salesforce.
    """
    changed: dict[str, Field] = {}
    why = ""
    for item in fixed(mapping):
        parent = parents.get(item.key, "")
        if parent not in there:
            why = (
                why
                or f"{WAITS}{item.parent} {parent.partition(_MARK)[2]} of Marketo, which is not in Salesforce yet; it is made once it is"
            )
            continue
        field = state.fields.get(item.key) or Field()
        if field.value == there[parent]:
            continue
        version = field.version + 1
        changed[item.key] = Field(
            value=there[parent],
            version=version,
            agreed_at=state.marketo.at,
            salesforce=Side(shows=NEVER),
            marketo=Side(seen=there[parent], shows=version),
        )
    references = tuple(Reference(role=role, parent=parent, waiting=parent not in there) for role, parent in parents.items())
    return (state.with_fields(changed) if changed else state), references, why


def anew(state: PairState, system: System, terms: Terms) -> PairState:
    """The pair without its record on a side, which is gone: another one is to be made there, to which all that is agreed is owed."""
    changed: dict[str, Field] = {}
    for mapping in terms.mapping(state).fields:
        field = state.fields.get(mapping.key)
        if field is not None and mapping.name_on(system):
            shows = field.version if blank(mapping, field.value) else 0
            changed[mapping.key] = field.with_side(system, Side(shows=shows))
    state = shallow(state.with_record(system, Record()).with_fields(changed))
    state.waiting = tuple(entry for entry in state.waiting if entry.event.system is not system)
    return state


def named_anew(state: PairState, terms: Terms) -> PairState:
    """The pair, whose record in Marketo went with what named it there: another one is to be made, of another name."""
    state = anew(state, MARKETO, terms)
    state.name = ""
    return state


def returned(before: PairState, after: PairState, system: System, terms: Terms) -> PairState:
    """The pair, of which the record on `system` is back. Where the other side's was deleted for it, or with it, it is made again."""
    there, other = after.record(system), after.record(system.other)
    if not before.record(system).deleted or there.deleted or not other.deleted or not terms.mapping(after).delete_in_salesforce:
        return after
    return anew(after, system.other, terms)


def with_name(state: PairState, name: str) -> PairState:
    """The pair, whose name in Marketo is known."""
    if not name or state.name == name:
        return state
    new = shallow(state)
    new.name = name
    return new
