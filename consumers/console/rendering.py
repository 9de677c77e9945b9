"""Templates and what they say of values: times, lengths, marks. Everything is escaped; a page holds no script and no style of its own."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from consumers.console.access.guard import visitor_of
from consumers.console.access.roles import Role
from consumers.reports.records.plain import spelled
from consumers.reports.records.record import FieldShown
from consumers.reports.records.timeline import Line
from consumers.reports.standing.health import bounded, length

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
SYSTEMS = {"salesforce": "Salesforce", "marketo": "Marketo"}
NAVIGATION = (
    ("/", "Overview", "o"),
    ("/record", "Record", "r"),
    ("/changes", "Changes", "h"),
    ("/errors", "Errors", "e"),
    ("/conflicts", "Conflicts and holds", "c"),
    ("/backlog", "Backlog and budget", "b"),
    ("/coverage", "Reconcile and coverage", "v"),
    ("/streams", "Streams", "s"),
    ("/rules", "Mapping and rules", "m"),
    ("/audit", "Audit", "a"),
)
"""Path, title, and the key that follows `g`."""


class Pages:
    """Makes pages of templates. `paths`: those that there are, for the navigation."""

    def __init__(self, paths: frozenset[str]) -> None:
        self._navigation = tuple(each for each in NAVIGATION if each[0] in paths)
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._environment.filters |= _FILTERS
        self._environment.globals |= {"asset": asset, "roles": {str(role): role for role in Role}}

    def bare(self, template: str, told: Mapping[str, Any], *, status: int = 200) -> Response:
        """A page for whoever it may be."""
        return HTMLResponse(self._environment.get_template(template).render(told), status)

    def page(self, request: Request, template: str, told: Mapping[str, Any], *, status: int = 200) -> Response:
        """A page for the visitor of a request, with the navigation around it."""
        path = request.url.path
        here = path + (f"?{request.url.query}" if request.url.query else "")
        around = {"visitor": visitor_of(request), "navigation": self._navigation, "path": path, "here": here, "query": request.query_params}
        return HTMLResponse(self._environment.get_template(template).render({**around, **told}), status)


def when(ms: int) -> Markup:
    """A moment in UTC, which the page may show in the reader's own time; nothing for 0."""
    if not ms:
        return Markup("")
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(at.isoformat(timespec="milliseconds"), f"{at:%Y-%m-%d %H:%M:%S}")


def after(ms: int) -> str:
    """How much later, to the millisecond where that says something."""
    return f"{ms} ms" if ms < 10_000 else length(ms)


def shown_value(value: Any) -> Markup:
    """A value of a field, as people read it."""
    if value is None or value == "":
        return Markup('<span class="blank">blank</span>')
    if isinstance(value, bool):
        return Markup("yes") if value else Markup("no")
    if isinstance(value, float) and value.is_integer():
        return escape(f"{value:.0f}")
    return escape("; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


def system_name(system: str) -> str:
    """As its maker spells it."""
    return SYSTEMS.get(system, system)


def plural(count: int, one: str, many: str) -> str:
    """`3 records`."""
    return f"{bounded(count)} {one if count == 1 else many}"


def of_interest(fields: Sequence[FieldShown]) -> list[FieldShown]:
    """Those with a value somewhere, or something to say of them; what differs first."""
    told = [each for each in fields if each.of_interest or not all(value in (None, "") for value in _values(each))]
    return sorted(told, key=lambda each: not each.differs)


def _values(field: FieldShown) -> tuple[Any, Any, Any]:
    return field.salesforce.value, field.agreed, field.marketo.value


def said(lines: Sequence[Line]) -> list[Line]:
    """Those that are told in the words of marketing."""
    return [each for each in lines if each.plain]


def query(request: Request, **changed: str) -> str:
    """The page's address with some of its terms changed; those that are empty go."""
    terms = {**dict(request.query_params), **changed}
    left = {name: value for name, value in terms.items() if value}
    return f"{request.url.path}?{urlencode(left)}" if left else request.url.path


def asset(name: str) -> str:
    """The address of a file of ours, another one whenever it changes."""
    if name not in _MARKS:
        _MARKS[name] = sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?{_MARKS[name]}"


_MARKS: dict[str, str] = {}

_FILTERS: Mapping[str, Any] = {
    "when": when,
    "lasting": length,
    "after": after,
    "count": bounded,
    "plainly": "{:,}".format,
    "value": shown_value,
    "system": system_name,
    "spelled": spelled,
    "plural": plural,
    "of_interest": of_interest,
    "said": said,
    "count_of": len,
}
