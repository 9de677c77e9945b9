"""The frame around every page, and the pieces that pages are made of. Everything that comes from a record is escaped here."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from urllib.parse import quote, urlencode

import orjson

from infra.sandbox.pages.console import Console, Note, ObjectLink

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|[+-]00:?00)")
_BRIEF, _CUT, _TOLD = 200, 160, 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page is: under which path the pages are reached, and which entry is lit."""

    console: Console
    base: str
    here: str = ""

    def url(self, *parts: str, **query: object) -> str:
        path = "/".join([self.base, *(quote(part, safe="-") for part in parts)])
        return f"{path}?{urlencode(query)}" if query else path


def document(place: Place, title: str, body: str, *, refresh_seconds: int | None = None) -> str:
    console = place.console
    refresh = f'<meta http-equiv="refresh" content="{refresh_seconds}">' if refresh_seconds else ""
    tabs = "".join(
        f'<a href="{place.url(*path)}"{_lit(place.here, name)}>{label}</a>'
        for name, label, path in (
            ("-home", "Overview", ()),
            ("-history", "History", ("-", "history")),
            ("-faults", "Faults", ("-", "faults")),
        )
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"{refresh}<title>{escape(title)} · {escape(console.title)}</title>"
        f'<style>{style()}:root{{--accent:{console.accent}}}</style><link rel="icon" href="data:,"></head><body>'
        f'<header><a class="name" href="{place.url()}">{escape(console.title)}</a><span class="tag">sandbox · nothing here is real</span>'
        f'<nav>{tabs}</nav></header><div class="body"><aside>{_side(place)}</aside><main>{body}</main></div></body></html>'
    )


def first_page(systems: Iterable[str]) -> str:
    """The first page: which systems there are."""
    tiles = "".join(f'<a class="tile" href="/ui/{quote(name)}"><b>{escape(name.capitalize())}</b><span>records, history, faults</span></a>'
                    for name in systems)  # fmt: skip
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>Sandbox</title><style>{style()}</style><link rel="icon" href="data:,"></head><body><header>'
        f'<span class="name">Sandbox</span><span class="tag">nothing here is real</span></header><main><h1>Systems</h1>'
        f'<p class="sub">open both, side by side, to see a change travel</p><div class="tiles">{tiles}</div></main></body></html>'
    )


@cache
def style() -> str:
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def text(value: object) -> str:
    """A value as a person reads it: times to the second, lists as JSON."""
    if blank(value):
        return '<span class="when">—</span>'
    return escape(plain(value))


def brief(value: object) -> str:
    """The same in one line that ends where there is no more room; the whole shows when one points at it."""
    shown = plain(value)
    return f'<span class="brief" title="{escape(shown)}">{escape(shown[:_BRIEF])}</span>' if shown else text(value)


def plain(value: object) -> str:
    if blank(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    shown = str(value)
    moment = _MOMENT.fullmatch(shown)
    return f"{moment.group(1)} {moment.group(2)}" if moment else shown


def blank(value: object) -> bool:
    return value is None or value == ""


def cut(value: object) -> str:
    """A value beside others: no longer than a few lines, the whole shows when one points at it."""
    shown = plain(value)
    if len(shown) <= _CUT:
        return text(value)
    return f'<span title="{escape(shown[:_TOLD])}">{escape(shown[:_CUT].rstrip())}…</span>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, nothing: str = "Nothing here yet.") -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    if not body:
        return f'<div class="card empty">{escape(nothing)}</div>'
    return f'<div class="card flush scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def notes(place: Place, rows: Iterable[Note]) -> str:
    items = []
    for row in rows:
        what = f'<a href="{place.url(*row.link)}">{escape(row.what)}</a>' if row.link else escape(row.what)
        detail = f"<div>{row.detail}</div>" if row.detail else ""
        items.append(f'<li><span class="when">{escape(row.at)}</span> {what}{detail}</li>')
    return f'<ul class="notes">{"".join(items)}</ul>' if items else '<div class="when">nothing</div>'


def change(label: str, before: object, after: object) -> str:
    """One changed value, old and new."""
    old = "" if blank(before) else f'<span class="old">{cut(before)}</span> '
    return f'<span class="name">{escape(label)}</span> {old}<span class="new">{cut(after)}</span>'


def told(message: str, *, bad: bool) -> str:
    return f'<div class="told {"bad" if bad else "good"}" role="status">{escape(message)}</div>' if message else ""


def _side(place: Place) -> str:
    return "".join(_side_link(place, one) for one in place.console.objects())


def _side_link(place: Place, one: ObjectLink) -> str:
    return f'<a href="{place.url(one.name)}"{_lit(place.here, one.name)}>{escape(one.label)} <span class="n">{one.count:,}</span></a>'


def _lit(here: str, name: str) -> str:
    return ' class="here"' if here == name else ""
