"""What becomes of a pair in the shadow where no edit is judged: its records come, are made, and end. Pure."""

from collections.abc import Mapping, Sequence

from consumers.mapping.fields import FieldMapping
from consumers.merge.pair.decision import Decision, Ruling, Verdict
from consumers.merge.pair.state import NEVER, Field, PairState, Side
from consumers.merge.terms import Terms
from consumers.shadow.guided import shown
from streams.wire.events import Happened
from streams.wire.systems import SALESFORCE, Object, System

ALL = "*"
"""The field of a ruling on the record as a whole."""


def settled(state: PairState, mapped: Mapping[str, FieldMapping]) -> dict[str, Field]:
    """The fields as they are once everything owed has landed."""
    return {
        key: shown(mapped[key], shown(mapped[key], field, SALESFORCE), SALESFORCE.other) if key in mapped else field
        for key, field in state.fields.items()
    }


def owes(field: Field, system: System, mapping: FieldMapping | None) -> bool:
    return (
        mapping is not None and mapping.direction.reaches(system) and bool(mapping.name_on(system))
        and field.side(system).shows != field.version and not field.hold
    )  # fmt: skip


def same_debt(before: Field | None, after: Field, system: System) -> bool:
    return before is not None and before.version == after.version and before.side(system).shows == after.side(system).shows


def unmet(state: PairState, side: System, terms: Terms) -> PairState:
    """Before a meeting: nobody has seen what the other side's record holds."""
    fields = {}
    for mapping in terms.mapping(state).fields:
        field = state.fields.get(mapping.key) or Field()
        new = Side(known=False, shows=NEVER)
        if mapping.fixed and side is not SALESFORCE:
            new = Side(seen=field.value, shows=field.version)
        fields[mapping.key] = field.with_side(side, new)
    return state.with_fields(fields)


def born(state: PairState, side: System) -> PairState:
    """A record of ours: what it was not made with is blank there."""
    changed: dict[str, Field] = {}
    for key, field in state.fields.items():
        if field.side(side).shows != field.version and (field.value is None or field.value is False) and not field.side(side).seen:
            changed[key] = field.with_side(side, Side(shows=field.version))
    return state.with_fields(changed) if changed else state


def is_ours(told: Sequence[Ruling]) -> bool:
    return any(ruling.verdict is Verdict.ECHO for ruling in told)


def is_beginning(decision: Decision) -> bool:
    """Whether this entry tells of a record from its beginning, or whole."""
    kind = decision.event.kind if decision.event else ""
    rulings = [ruling for ruling in decision.fields if ruling.field != ALL]
    return kind in (Happened.CREATED, Happened.READ) and all(ruling.version <= 1 for ruling in rulings)


def object_of(decision: Decision) -> Object | None:
    """What the record is called on its system, by the topic that told of it."""
    parts = decision.event.topic.split(".") if decision.event else []
    return Object(parts[2]) if len(parts) > 2 else None
