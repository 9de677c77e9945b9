"""Activity rows and re-read leads into change events. No I/O, no clock.

Activities show values as text, so a lead whose change is not our own is read again for typed values. A re-read may be younger
than the activity: it lends its typed value only where it shows the activity's New Value, else the text is decoded. A value that
can be had neither way is left out, and the reading itself is told beside the change.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import orjson

from streams.marketo.api.wire import FieldInfo, Lead
from streams.marketo.sources import display
from streams.marketo.sources.rows import Activity, FieldChange, Row, RowError, Shown, arrange, combine, parse
from streams.wire.events import ChangeEvent, DeadLetter, Happened, Value
from streams.wire.systems import PERSON, System

READ = "read"
"""`source` of an event that tells a reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """What is needed to understand rows. `types`: data type by REST name of every field of interest; others are ignored."""

    source: str
    types: Mapping[str, str]
    zone: ZoneInfo
    own_user: str | None = None
    """The API-only user as `Modifying User` names it: its changes need no re-read."""
    shown: Shown = field(default_factory=dict)
    """How activities name the fields of interest (`shown_names`)."""

    def owns(self, row: Row) -> bool:
        """Whether the row is an echo of our own call."""
        return bool(self.own_user) and row.author is not None and row.author.casefold() == str(self.own_user).casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Rows put in order and gathered into changes, and what could not be parsed."""

    changes: list[tuple[Row, ...]]
    dead: list[DeadLetter] = field(default_factory=list)


def shown_names(fields: Iterable[FieldInfo], wanted: Iterable[str]) -> Shown:
    """How activities name the wanted fields: by number where `describe` tells it (labels can be changed), and by label."""
    names = set(wanted)
    shown: dict[int | str, str] = {}
    for each in fields:
        if each.name in names:
            shown[each.label] = each.name
            if each.number is not None:
                shown[each.number] = each.name
    return shown


def gather(raw: Iterable[object], decoding: Decoding) -> Gathered:
    """The changes in a stretch of feed, in order; rows of other types are passed over."""
    rows: list[Row] = []
    dead: list[DeadLetter] = []
    for each in raw:
        try:
            row = parse(each, decoding.shown)
        except RowError as error:
            dead.append(_dead_letter(each, str(error), decoding.source))
            continue
        if row is not None and (mapped := _mapped(row, decoding)) is not None:
            rows.append(mapped)
    return Gathered(changes=combine(arrange(rows)), dead=dead)


def to_read(changes: Sequence[tuple[Row, ...]], decoding: Decoding) -> list[str]:
    """Ids of the leads whose typed values are needed: changed or created by others, or by us with a text that can't be decoded."""
    return list(dict.fromkeys(rows[0].lead for rows in changes if _wants_reading(rows, decoding)))


def events(changes: Sequence[tuple[Row, ...]], leads: Mapping[str, Lead], decoding: Decoding) -> list[ChangeEvent]:
    """The change events, in order; readings follow the change that asked for them, once a lead."""
    out: list[ChangeEvent] = []
    told: set[str] = set()
    for rows in changes:
        first = rows[0]
        lead = leads.get(first.lead)
        reading = False
        match first.type:
            case Activity.NEW_LEAD:
                out.append(_feed_event(rows, Happened.CREATED, decoding))
                reading = not decoding.owns(first)
            case Activity.VALUE_CHANGED:
                event, complete = _updated(rows, lead, decoding)
                out.append(event)
                reading = not complete
                if reading and lead is None:
                    out.append(_feed_event(rows, Happened.GAP, decoding))
            case Activity.MERGED:
                out += [_loser(first, loser, decoding) for loser in first.losers]
                reading = True
            case Activity.DELETED:
                out.append(_feed_event(rows, Happened.DELETED, decoding))
        if reading and lead is not None and lead.id not in told:
            told.add(lead.id)
            out.append(read_event(lead))
    return out


def hints(changes: Sequence[tuple[Row, ...]], decoding: Decoding) -> list[ChangeEvent]:
    """One event a change, of a merge one a loser, by `ref`, from the feed alone: enough to ask whether it is known already."""
    out: list[ChangeEvent] = []
    for rows in changes:
        match rows[0].type:
            case Activity.NEW_LEAD:
                out.append(_feed_event(rows, Happened.CREATED, decoding))
            case Activity.VALUE_CHANGED:
                out.append(_updated(rows, None, decoding)[0])
            case Activity.MERGED:
                out += [_loser(rows[0], loser, decoding) for loser in rows[0].losers]
            case Activity.DELETED:
                out.append(_feed_event(rows, Happened.DELETED, decoding))
    return out


def read_event(lead: Lead) -> ChangeEvent:
    """A reading of one lead, with all fields that were asked for."""
    fields = {name: value for name, value in lead.fields.items() if name != "id"}
    return ChangeEvent(
        system=System.MARKETO, object=PERSON, id=lead.id, kind=Happened.READ, source=READ, at=lead.at, until=lead.until, fields=fields
    )


def reference(rows: Sequence[Row]) -> str:
    """The name of a change: the GUIDs of its rows."""
    return ",".join(row.guid for row in rows)


def _updated(rows: Sequence[Row], lead: Lead | None, decoding: Decoding) -> tuple[ChangeEvent, bool]:
    """The change, and whether every field of it could be told."""
    fields: dict[str, Value] = {}
    before: dict[str, Value] = {}
    complete = True
    for change in (change for row in rows for change in row.changes):
        try:
            fields[change.name] = _typed(change, lead, decoding)
        except ValueError:
            complete = False
            continue
        try:
            before[change.name] = display.decode(change.old, decoding.types[change.name], decoding.zone)
        except ValueError:
            continue  # the field without its old value: the order within a second is then that of the feed
    return _feed_event(rows, Happened.UPDATED, decoding, fields=fields, before=before), complete


def _wants_reading(rows: Sequence[Row], decoding: Decoding) -> bool:
    match rows[0].type:
        case Activity.NEW_LEAD:
            return not decoding.owns(rows[0])
        case Activity.VALUE_CHANGED:
            return not decoding.owns(rows[0]) or any(_undecodable(change, decoding) for row in rows for change in row.changes)
        case Activity.MERGED:
            return True
        case Activity.DELETED:
            return False


def _typed(change: FieldChange, lead: Lead | None, decoding: Decoding) -> Value:
    data_type = decoding.types[change.name]
    if lead is not None and change.name in lead.fields:
        typed = lead.fields[change.name]
        if display.shows(typed, change.new, data_type, decoding.zone):
            return None if typed == "" else typed
    return display.decode(change.new, data_type, decoding.zone)


def _undecodable(change: FieldChange, decoding: Decoding) -> bool:
    try:
        display.decode(change.new, decoding.types[change.name], decoding.zone)
    except ValueError:
        return True
    return False


def _feed_event(
    rows: Sequence[Row],
    kind: Happened,
    decoding: Decoding,
    *,
    fields: dict[str, Value] | None = None,
    before: dict[str, Value] | None = None,
) -> ChangeEvent:
    first = rows[0]
    return ChangeEvent(
        system=System.MARKETO,
        object=PERSON,
        id=first.lead,
        kind=kind,
        source=decoding.source,
        at=first.at,
        ref=reference(rows),
        author=first.author,
        call=first.call,
        origin=first.origin,
        fields=fields or {},
        before=before,
    )


def _loser(row: Row, loser: str, decoding: Decoding) -> ChangeEvent:
    """A lead that was merged away: deleted, with the winner in `into` and, for people, in `origin` (`merged into 123`)."""
    return ChangeEvent(
        system=System.MARKETO,
        object=PERSON,
        id=loser,
        kind=Happened.DELETED,
        source=decoding.source,
        at=row.at,
        ref=row.guid,
        author=row.author,
        call=row.call,
        origin=f"merged into {row.lead}",
        into=row.lead,
    )


def _mapped(row: Row, decoding: Decoding) -> Row | None:
    """The row with only the fields of interest; None for a change of others."""
    if row.type is not Activity.VALUE_CHANGED:
        return row
    kept = tuple(change for change in row.changes if change.name in decoding.types)
    if len(kept) == len(row.changes):
        return row
    if not kept:
        return None
    return Row(guid=row.guid, lead=row.lead, at=row.at, type=row.type, changes=kept, author=row.author, call=row.call, origin=row.origin)


def _dead_letter(raw: object, reason: str, source: str) -> DeadLetter:
    key = str(raw.get("leadId", "")) if isinstance(raw, dict) else ""
    return DeadLetter(stage=f"marketo.{source}", reason=reason, original=orjson.dumps(raw), key=key)
