"""Parents before children: what is planned, without the references whose parents aren't in Marketo yet. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from consumers.mapping.fields import ObjectMapping
from consumers.merge.pair.state import NEVER, PairState, shallow
from consumers.merge.writing.plan import Create, Nothing, Out, Plan, Update
from consumers.merge.writing.witness import WAITS
from streams.wire.systems import MARKETO, SALESFORCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One reference of a pair, as it is about to be written.

    `parent`: the Salesforce id that it names, empty: nobody (any more); `waiting`: it is not there yet.
    """

    role: str
    parent: str
    waiting: bool


def named_by(planned: Plan) -> dict[str, str]:
    """The parents that are named by what is planned: Salesforce id -> kind."""
    if not isinstance(planned, (Create, Update)):
        return {}
    return {out.names: out.parent for out in planned.fields if out.names}


def references(planned: Plan, there: Mapping[str, str]) -> tuple[Reference, ...]:
    """Those of a plan. `there`: of the parents that are in Marketo, their ids there by their Salesforce ids."""
    if not isinstance(planned, (Create, Update)):
        return ()
    named = (out for out in planned.fields if out.parent)
    return tuple(Reference(role=out.key, parent=out.names, waiting=bool(out.names) and out.names not in there) for out in named)


def taken_over(state: PairState, mapping: ObjectMapping) -> tuple[Reference, ...]:
    """Those of a pair that two have become: Marketo's own merge may have given its record the loser's, so that no write ever notes them.
    Not those that wait."""
    named = ((item.key, field) for item in mapping.references if (field := state.fields.get(item.key)) is not None and field.value)
    return tuple(
        Reference(role=key, parent=str(field.value), waiting=False) for key, field in named if not field.marketo.reason.startswith(WAITS)
    )


def with_parents(planned: Plan, there: Mapping[str, str]) -> tuple[Plan, str]:
    """The plan with references as Marketo's ids, and without those that have to wait: they are refused for that reason.

    With one that is required nothing is written; of a creation the second value then says why.
    """
    if not isinstance(planned, (Create, Update)) or not any(out.names for out in planned.fields):
        return planned, ""
    waiting = [out for out in planned.fields if out.names and out.names not in there]
    fields = tuple(_translated(out, there) for out in planned.fields if out not in waiting)
    refused = (*planned.refused, *((out.key, _why(out)) for out in waiting))
    required = next((out for out in waiting if out.parent_required), None)
    if required is not None:
        return Nothing(refused=refused), _why(required) if isinstance(planned, Create) else ""
    if not fields:
        return Nothing(refused=refused), ""
    return replace(planned, fields=fields, refused=refused), ""


def belongs_to_nobody(state: PairState, role: str, at: int) -> PairState:
    """The pair, whose reference names nobody any more, as an edit of the Salesforce side. The same state where it names nobody already."""
    field = state.fields.get(role)
    if field is None or field.value is None:
        return state
    new = field.with_side(SALESFORCE, shallow(field.salesforce))
    new.value, new.version, new.agreed_at = None, field.version + 1, at
    new.salesforce.seen, new.salesforce.shows, new.salesforce.known = None, new.version, True
    return state.with_fields({role: new})


def belongs_anew(state: PairState, role: str) -> PairState:
    """The pair, whose reference is written once more: it names the same one, who goes by another id in Marketo since."""
    field = state.fields.get(role)
    if field is None or field.value is None or field.marketo.writes:
        return state
    new = field.with_side(MARKETO, shallow(field.marketo))
    new.marketo.shows = NEVER
    return state.with_fields({role: new})


def _translated(out: Out, there: Mapping[str, str]) -> Out:
    if not out.names:
        return out
    name = there[out.names]
    return replace(out, value=int(name) if name.isdecimal() else name)  # people are numbers in Marketo


def _why(out: Out) -> str:
    return f"{WAITS}{out.parent} {out.value}, which is not in Marketo yet; it is written once it is"
