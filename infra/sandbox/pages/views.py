"""The pages themselves: overview, table, record, history, faults. Each takes values and returns HTML."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from infra.sandbox.kernel.clock import iso_ms
from infra.sandbox.kernel.journal import Entry
from infra.sandbox.pages import frame
from infra.sandbox.pages.console import FieldShown, Note, Page, RecordShown
from infra.sandbox.pages.frame import Place

PAGE_ROWS = 50
WATCH_SECONDS = 1
FRESH_MS = 15_000
_LONG = 120


def overview(place: Place, meters: Mapping[str, Any], entries: Sequence[tuple[int, Entry]]) -> str:
    tiles = "".join(
        f'<a class="tile{"" if one.count else " none"}" href="{place.url(one.name)}"><b>{one.count:,}</b>'
        f"<span>{escape(one.label)}</span></a>"
        for one in place.console.objects()
    )
    calls = meters.get("total", {}).get("calls", 0)
    body = f'<h1>Overview</h1><p class="sub">{calls:,} API calls since the start</p><div class="tiles">{tiles}</div>'
    return frame.document(place, "Overview", f"{body}<h2>Latest changes</h2>{_history_table(place, entries)}")


def listing(place: Place, label: str, page: Page, search: str, start: int) -> str:
    name = place.here
    rows = [
        [f'<a href="{place.url(name, row.id)}">{frame.brief(row.values[0])}</a>', *(frame.brief(value) for value in row.values[1:])]
        for row in page.rows
    ]
    back = f'<a class="button quiet" href="{place.url(name, q=search, start=max(0, start - PAGE_ROWS))}">Newer</a>' if start else ""
    on = f'<a class="button quiet" href="{place.url(name, q=search, start=start + PAGE_ROWS)}">Older</a>' if page.more else ""
    new = f'<a class="button" href="{place.url(name, "-new")}">New</a>' if place.console.blank(name) else ""
    bar = (
        f'<div class="bar"><form class="search" method="get" action="{place.url(name)}"><input name="q" value="{escape(search)}" '
        f'placeholder="Search" aria-label="Search"><button>Search</button></form><span class="right">{back} {on} {new}</span></div>'
    )
    count = next((one.count for one in place.console.objects() if one.name == name), 0)
    said = f"{count:,} record{'' if count == 1 else 's'}, the newest first" + (f" · search: {escape(search)}" if search else "")
    nothing = "Nothing matches." if search else "Nothing here yet."
    table = frame.table(page.columns, rows, nothing=nothing)
    return frame.document(place, label, f"<h1>{escape(label)}</h1><p class='sub'>{said}</p>{bar}{table}")


def record(
    place: Place, key: str, shown: RecordShown, entries: Sequence[tuple[int, Entry]], now_ms: int, *, mode: str, message: str, bad: bool
) -> str:
    """`mode` is `view`, `edit` or `watch`: the last one loads itself again and again and marks what has just changed."""
    name = place.here
    edits = [entry for _, entry in entries if now_ms - entry.at_ms < FRESH_MS and entry.before and entry.after]
    fresh = {one for entry in edits for one in entry.after or ()} - place.console.stamps
    edit = f'<a class="button" href="{place.url(name, key, mode="edit")}">Edit</a> ' if any(one.editable for one in shown.fields) else ""
    buttons = {
        "view": f'{edit}<a class="button quiet" href="{place.url(name, key, mode="watch")}">Watch live</a>',
        "watch": f'<span class="live">live</span> <a class="button quiet" href="{place.url(name, key)}">Stop</a>',
        "edit": f'<a class="button quiet" href="{place.url(name, key)}">Cancel</a> <button form="edit">Save</button>',
    }[mode]
    head = _head(shown.title, shown.subtitle, buttons)
    related = "".join(f'<div class="card"><h2>{escape(label)}</h2>{frame.notes(place, rows)}</div>' for label, rows in shown.related)
    history = f'<div class="card"><h2>Changes</h2>{frame.notes(place, [_note(place, one) for one in reversed(entries)])}</div>'
    fields = _form(place, key, shown.fields) if mode == "edit" else _fields(shown.fields, fresh)
    body = f'{head}{frame.told(message, bad=bad)}<div class="split"><div class="card">{fields}</div><div>{history}{related}</div></div>'
    return frame.document(place, shown.title, body, refresh_seconds=WATCH_SECONDS if mode == "watch" else None)


def blank(place: Place, label: str, fields: Sequence[FieldShown], message: str) -> str:
    """The form of a record that is still to be made."""
    buttons = f'<a class="button quiet" href="{place.url(place.here)}">Cancel</a> <button form="edit">Save</button>'
    head = _head(f"New in {label}", "what is left blank stays blank", buttons)
    body = f'{head}{frame.told(message, bad=True)}<div class="card">{_form(place, "-new", fields)}</div>'
    return frame.document(place, f"New in {label}", body)


def history(place: Place, entries: Sequence[tuple[int, Entry]], *, watch: bool) -> str:
    button = (
        f'<span class="live">live</span> <a class="button quiet" href="{place.url("-", "history")}">Stop</a>'
        if watch
        else f'<a class="button quiet" href="{place.url("-", "history", watch=1)}">Watch live</a>'
    )
    head = _head("History", "the latest changes, whoever made them", button)
    return frame.document(place, "History", head + _history_table(place, entries), refresh_seconds=WATCH_SECONDS if watch else None)


def faults(place: Place, standing: Iterable[Mapping[str, Any]], types: Sequence[str], message: str, *, bad: bool) -> str:
    address, switch_off = place.url("-", "faults"), '<button class="danger">Switch off</button></form>'
    rows = [
        [
            f'<span class="chip on">{escape(str(one["action"]["type"]))}</span>',
            _members(one["match"]) or '<span class="when">any call</span>',
            _members({name: value for name, value in one["action"].items() if name != "type"}),
            f"{one['hits']} of {'∞' if one['times'] is None else one['times']}",
            f'<form method="post" action="{address}"><input type="hidden" name="delete" value="{escape(str(one["id"]))}">{switch_off}',
        ]
        for one in standing
    ]
    options = "".join(f"<option>{escape(one)}</option>" for one in types)
    form = (
        f'<form class="card faultform" method="post" action="{address}">'
        f'<label>What happens<select name="type">{options}</select></label>'
        '<label>To which path<input name="path" placeholder="any, or such as /*/leads*"></label>'
        '<label>Method<input name="method" placeholder="any"></label><label>Whose calls<input name="actor" placeholder="anyone\'s"></label>'
        '<label>How many calls<input name="times" value="1" inputmode="numeric" placeholder="until switched off"></label>'
        '<label>More (JSON)<input name="more" placeholder=\'{"ms": 500}\'></label><button>Switch on</button></form>'
    )
    head = '<h1>Faults</h1><p class="sub">what is to go wrong, and how often; an empty number is until switched off</p>'
    body = (
        head
        + frame.told(message, bad=bad)
        + form
        + frame.table(("Fault", "Match", "Details", "Hits", ""), rows, nothing="All works as it should.")
    )
    return frame.document(place, "Faults", body)


def _members(values: Mapping[str, Any]) -> str:
    """An object's members, one a line."""
    return "<br>".join(f'<span class="name">{escape(name)}</span> {frame.cut(value)}' for name, value in values.items())


def gone(place: Place, key: str, entries: Sequence[tuple[int, Entry]]) -> str:
    """What is known of something that is no record, or none any more."""
    head = _head(f"{place.here} {key}", "there is no such record now; this is what happened to it", "")
    changes = frame.notes(place, [_note(place, one) for one in reversed(entries)])
    return frame.document(place, f"{place.here} {key}", f'{head}<div class="card"><h2>Changes</h2>{changes}</div>')


def missing(place: Place, what: str) -> str:
    return frame.document(place, "Not found", f'<h1>Not found</h1><p class="sub">{escape(what)}</p>')


def _head(title: str, subtitle: str, buttons: str) -> str:
    words = f'<h1>{escape(title)}</h1><div class="sub">{escape(subtitle)}</div>'
    return f'<div class="bar"><div>{words}</div><span class="right">{buttons}</span></div>'


def _fields(fields: Sequence[FieldShown], fresh: set[str]) -> str:
    """Fields with a value first, the blank ones folded away."""
    full = [one for one in fields if not frame.blank(one.value) or one.name in fresh]
    blank = [one for one in fields if one not in full]
    more = (
        f"<details><summary class='when'>{len(blank)} blank field{'' if len(blank) == 1 else 's'}</summary>{_grid(blank, fresh)}</details>"
        if blank
        else ""
    )
    return _grid(full, fresh) + more


def _grid(fields: Sequence[FieldShown], fresh: set[str]) -> str:
    cells = "".join(
        f'<div class="label" title="{escape(one.name)}">{escape(one.label)}</div>'
        f'<div class="value{" changed" if one.name in fresh else ""}" data-field="{escape(one.name)}">{frame.text(one.value)}</div>'
        for one in fields
    )
    return f'<div class="fields">{cells}</div>'


def _form(place: Place, key: str, fields: Sequence[FieldShown]) -> str:
    cells = "".join(
        f'<label class="label" for="f-{escape(one.name)}">{escape(one.label)}</label><div>{_input(one)}</div>'
        for one in fields
        if one.editable
    )
    return f'<form id="edit" method="post" action="{place.url(place.here, key)}"><div class="fields">{cells}</div></form>'


def _input(one: FieldShown) -> str:
    name = f'id="f-{escape(one.name)}" name="{escape(one.name)}"'
    if one.type == "boolean":
        options = (("", "—"), ("true", "yes"), ("false", "no"))
        now = "" if one.value is None else str(one.value).lower()
        return f"<select {name}>" + "".join(f'<option value="{v}"{" selected" * (v == now)}>{t}</option>' for v, t in options) + "</select>"
    value = escape("" if one.value is None else str(one.value))
    if one.type in {"text", "textarea"}:
        return f'<textarea {name} rows="{4 if len(value) > _LONG else 2}">{value}</textarea>'
    if not one.choices:
        return f'<input {name} value="{value}">'
    choices = "".join(f'<option value="{escape(each)}">' for each in one.choices)
    return f'<input {name} value="{value}" list="l-{escape(one.name)}"><datalist id="l-{escape(one.name)}">{choices}</datalist>'


def _note(place: Place, numbered: tuple[int, Entry]) -> Note:
    _, entry = numbered
    what = f"{entry.op} by {entry.actor}"
    return Note(at=iso_ms(entry.at_ms)[:19].replace("T", " "), what=what, detail=_changes(place, entry, 12))


def _changes(place: Place, entry: Entry, most: int) -> str:
    """The values that an entry changed, one a line, without the stamps that every change moves."""
    told = [(name, value) for name, value in (entry.after or {}).items() if name not in place.console.stamps]
    if entry.before is None:
        told = [(name, value) for name, value in told if not frame.blank(value) and value is not False]
    lines = [frame.change(name, (entry.before or {}).get(name), value) for name, value in told[:most]]
    more = [f'<span class="when">and {len(told) - most} more</span>'] if len(told) > most else []
    return "<br>".join([*lines, *more])


def _history_table(place: Place, entries: Sequence[tuple[int, Entry]]) -> str:
    rows = []
    for n, entry in reversed(entries):
        changed = _changes(place, entry, 4)
        record = f'<a href="{place.url(entry.object, entry.id)}">{escape(entry.object)}<br>{escape(entry.id[:18])}</a>'
        when = f'<span class="when">{iso_ms(entry.at_ms)[11:23]}</span>'
        what = f'<span class="chip">{escape(entry.op)}</span>'
        rows.append([f'<span class="when">{n}</span>', when, what, record, frame.brief(entry.actor), changed])
    return frame.table(("#", "When (UTC)", "What", "Record", "Who", "Values"), rows)
