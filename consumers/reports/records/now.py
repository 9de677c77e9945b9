"""How a field stands now, in a sentence or two: the end of its story."""

from collections.abc import Iterator

from consumers.reports.records.derived import Then
from consumers.reports.records.plain import NAMES, quoted
from consumers.reports.records.record import FieldShown, Mark, RecordShown, SideShown
from streams.wire.systems import System

_SETTLED = (Mark.SAME, Mark.ABSENT)


def now(record: RecordShown, key: str) -> tuple[str, ...]:
    """The sentences about this field, at least one."""
    field = next(each for each in record.fields if each.field == key)
    told = (*_about_record(record), *_about_field(field))
    if told:
        return told
    sides = [side for side in (field.salesforce, field.marketo) if side.mark is Mark.SAME]
    return (f"Now: {quoted(field.agreed)} {'on both sides' if len(sides) > 1 else 'on the one side that has it'}.",)


def now_in_all(record: RecordShown) -> tuple[str, ...]:
    """The sentences about all of the record, at least one."""
    told = [*_about_record(record)]
    told += [f"{field.field}: {sentence}" for field in record.fields for sentence in _about_field(field)]
    return tuple(told) or (f"Now: all {len(record.fields)} fields are in step.",)


def as_it_was(then: Then, key: str | None) -> tuple[str, ...]:
    """The sentences about a field (None: the record) at a moment of the past, at least one."""
    if not then.decisions:
        return ("Then: nothing was known of it, or the decisions of that time have been let go.",)
    if key is None:
        told = [f"Then: {NAMES[system]} record {record}." for system, record in then.records.items() if system not in then.deleted]
        told += [f"Then: the record in {NAMES[system]} was deleted." for system in then.deleted]
        return (*told, *([f"Then: held: {then.hold}."] if then.hold else []))
    field = then.fields.get(key)
    if field is None or field.agreed is None:
        return ("Then: nothing had been told of it yet, as far as the decisions are kept.",)
    sides = [f"{NAMES[system]} showed {quoted(side.value)}" for system in System if (side := field.side(system)) is not None]
    held = f"; held: {field.hold}" if field.hold else ""
    shown = ", ".join(sides) or "no side was told"
    return (f"Then: {quoted(field.agreed.value)} was agreed, version {field.agreed.version}; {shown}{held}.",)


def _about_record(record: RecordShown) -> Iterator[str]:
    """What keeps the whole record from being sent."""
    if record.hold and record.salesforce_id and record.marketo_id:
        yield f"Now: the record is held: {record.hold}."
    for name, number, note in (
        ("Salesforce", record.salesforce_id, record.salesforce_note),
        ("Marketo", record.marketo_id, record.marketo_note),
    ):
        if not number:
            yield f"Not sent to {name}: {note.removeprefix('not in Salesforce: ').removeprefix('not created: ')}."
        elif note == "deleted":
            yield f"Now: the record in {name} is deleted."


def _about_field(field: FieldShown) -> Iterator[str]:
    sides = ((System.SALESFORCE, field.salesforce), (System.MARKETO, field.marketo))
    for system, side in sides:
        if side.mark not in _SETTLED:
            yield _about_side(NAMES[system], side, quoted(field.agreed))


def _about_side(name: str, side: SideShown, agreed: str) -> str:
    match side.mark:
        case Mark.WAITS:
            return f"Now: not written to {name} yet: it {side.why}."
        case Mark.REFUSED:
            return f"Now: refused by {name}: {side.why}."
        case Mark.UNDER_WAY:
            return f"Now: {agreed} was written to {name}, which has not shown it yet."
        case Mark.HELD:
            return f"Now: held, {name} has {quoted(side.value)}: {side.why}."
        case Mark.LEFT:
            return f"Now: {name} keeps {quoted(side.value)} for itself: {side.why}."
        case Mark.NEWS:
            return f"Now: {name} shows {quoted(side.value)}, which Tandem has not been told yet."
        case Mark.ALTERED:
            return f"Now: {agreed} is agreed; {side.why}."
        case _:
            return f"Now: {name} has {quoted(side.value)} and is owed {agreed}."
