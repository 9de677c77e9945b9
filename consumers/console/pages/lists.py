"""The pages that consist of tables, and the same tables as CSV and JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from consumers.console.access.guard import visitor_of
from consumers.console.access.roles import Visitor
from consumers.console.ground import Ground
from consumers.console.pages.heads import BUDGET, PICTURE, Head
from consumers.console.rendering import Pages
from consumers.console.tables.catalogue import BY_NAME
from consumers.console.tables.rows import cells_of, rows_of
from consumers.console.tables.table import Cells, Table, Terms, arranged, as_csv, choices, terms_of

SHOWN_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """A page of some tables. `live`: it follows what happens."""

    path: str
    title: str
    lead: str
    tables: tuple[str, ...]
    live: bool = True
    head: Head | None = None
    """What stands above the tables."""
    also: tuple[tuple[str, str], ...] = ()
    """Pages beside it: path and words."""


LIST_PAGES = (
    ListPage(path="/errors", title="Errors and dead letters", lead="What went wrong, what it means, and what helps.",
             tables=("causes", "refused", "dead-letters")),
    ListPage(path="/conflicts", title="Conflicts and holds", lead="What waits for a decision of yours.", tables=("contested", "held")),
    ListPage(path="/backlog", title="Backlog and budget", lead="What has still to be done, and the calls that are left for it.",
             tables=("due", "owed", "calls"), head=BUDGET),
    ListPage(path="/coverage", title="Reconcile and coverage", lead="Was everything read, and do both sides really show the same?",
             tables=("holes", "cycles", "drift", "proofs"), head=PICTURE),
    ListPage(path="/streams", title="Streams", lead="Everything that happens, as messages for whoever wants to know.",
             tables=("topics", "deliveries", "sources"), also=(("/deliveries", "A new delivery"),)),
    ListPage(path="/rules", title="Mapping and rules", lead="What is kept in step, who wins, and since when.",
             tables=("versions", "rules"), live=False, also=(("/rules/hidden", "What is hidden from Tandem's users, and why"),)),
    ListPage(path="/rules/hidden", title="What is hidden", live=False, tables=("hidden",),
             lead="As both systems say just now. What is hidden is neither read nor written, nor cleared."),
    ListPage(path="/audit", title="Audit", lead="What people did.", tables=("audit-log",)),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A table as a page shows it. `more`: rows that were found and are not shown; `bound`: there may be more than were asked for."""

    table: Table
    terms: Terms
    rows: list[tuple[Any, Cells]]
    found: int
    all: int
    choices: Mapping[str, list[str]]
    export: str
    others: Mapping[str, str]
    """Terms of the page's other tables, which stay."""

    def sorted_by(self, key: str) -> str:
        """The address with this order, or the other way round."""
        order = f"-{key}" if self.terms.order == key else key
        return "?" + urlencode({**self.others, **self._own(), f"{self.table.name}.sort": order}) + f"#{self.table.name}"

    def _own(self) -> dict[str, str]:
        told = {**self.terms.chosen, "q": self.terms.words}
        return {f"{self.table.name}.{key}": value for key, value in told.items() if value}


class Lists:
    """The pages and exports of one console."""

    def __init__(self, ground: Ground, pages: Pages) -> None:
        self._ground, self._pages = ground, pages

    @property
    def routes(self) -> list[Route]:
        """Where they are."""
        pages = [Route(each.path, self._page(each), name=each.path) for each in LIST_PAGES]
        return [*pages, Route("/tables/{name}.{form}", self.export)]

    def _page(self, page: ListPage) -> Any:
        async def show(request: Request) -> Response:
            visitor = visitor_of(request)
            query = dict(request.query_params)
            tables = [BY_NAME[name] for name in page.tables if visitor.role.may(BY_NAME[name].role)]
            if not tables:
                return self._pages.page(request, "away.html", {"wrong": f"That takes the role {BY_NAME[page.tables[0]].role}."}, status=403)
            told = {"page": page, "live": page.live, "shown": [await self._shown(table, query, visitor) for table in tables]}
            told["head"] = page.head.template if page.head else ""
            told |= await page.head.ask(self._ground) if page.head else {}
            return self._pages.page(request, "lists.html", told)

        return show

    async def export(self, request: Request) -> Response:
        """A table as CSV or JSON, filtered and in order as its address says."""
        name, form, visitor = request.path_params["name"], request.path_params["form"], visitor_of(request)
        table = BY_NAME.get(name)
        if table is None or form not in ("csv", "json"):
            return PlainTextResponse("There is no such table.", 404)
        if not visitor.role.may(table.role):
            return PlainTextResponse(f"That takes the role {table.role}.", 403)
        cells = await cells_of(self._ground, table, dict(request.query_params), visitor)
        headers = {"content-disposition": f'attachment; filename="tandem-{name}.{form}"'}
        if form == "csv":
            return Response(as_csv(table, cells), media_type="text/csv; charset=utf-8", headers=headers)
        return Response(orjson.dumps(cells, default=str), media_type="application/json", headers=headers)

    async def _shown(self, table: Table, query: Mapping[str, str], visitor: Visitor) -> Shown:
        rows = await rows_of(self._ground, table, visitor)
        own = {key: value for key, value in query.items() if key.startswith(f"{table.name}.")}
        terms = terms_of(table, own)
        found = arranged(table, rows, terms)
        return Shown(
            table=table,
            terms=terms,
            rows=found[:SHOWN_MAX],
            found=len(found),
            all=len(rows),
            choices=choices(table, rows),
            export=urlencode(own),
            others={key: value for key, value in query.items() if key not in own},
        )
