"""What `visibility` and `fields` print for people."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.fitting.offers import Offer, Standing
from consumers.fitting.visibility import Seen, Sight
from streams.wire.systems import System

_NAMES = {System.SALESFORCE: "Salesforce", System.MARKETO: "Marketo"}
_COLOURS = {Sight.HIDDEN: "red", Sight.STOPPED: "yellow", Sight.SYNCED: "green", Sight.UNSYNCED: "dim"}
_STANDS = {Standing.VANISHED: "red", Standing.CHANGED: "yellow", Standing.OFFERED: "cyan", Standing.MAPPED: "green"}


def print_visibility(console: Console, lines: Sequence[Seen], *, everything: bool) -> None:
    """A table for each object and side: what is mapped, what is hidden; the rest counted, or named with `everything`."""
    for obj, system in dict.fromkeys((each.object, each.system) for each in lines):
        of = [each for each in lines if (each.object, each.system) == (obj, system)]
        console.print(f"[bold]{obj}[/] in {_NAMES[System(system)]} ({escape(of[0].record)})")
        table = Table("field", "", "why", "with", "", box=box.SIMPLE, pad_edge=False)
        for each in of:
            if everything or each.sight is not Sight.UNSYNCED or not each.field:
                sight = f"[{_COLOURS[each.sight]}]{each.sight}[/]"
                table.add_row(each.field or "(all of it)", sight, each.why, each.other, escape(each.told))
        if table.row_count:
            console.print(table)
        rest = Counter(str(each.why) for each in of if each.sight is Sight.UNSYNCED and each.field)
        if rest and not everything:
            counted = ", ".join(f"{count} {why}" for why, count in rest.items())
            console.print(f"  and {counted} (--all names them)\n")
    hidden = Counter(each.sight for each in lines)
    console.print(f"{hidden[Sight.SYNCED]} fields synced, {hidden[Sight.HIDDEN]} hidden, {hidden[Sight.STOPPED]} stopped.")


def print_offers(console: Console, lines: Sequence[Offer], *, everything: bool) -> None:
    """A table for each object: what stands otherwise than mapped, with its line; with `everything` what is mapped, too."""
    shown = [each for each in lines if everything or each.standing is not Standing.MAPPED or each.news]
    for obj in dict.fromkeys(each.object for each in shown):
        table = Table("", "side", "field", "type", "", "line of the configuration", box=box.SIMPLE, pad_edge=False, title=obj,
            title_justify="left", title_style="bold",
        )  # fmt: skip
        for each in shown:
            if each.object == obj:
                standing = f"[{_STANDS[each.standing]}]{each.standing}[/]"
                named = f"{each.field} ({each.label})" if each.label and each.label != each.field else each.field
                told = "; ".join(part for part in (_news(each), each.told or (f"with {each.other}" if each.other else "")) if part)
                table.add_row(standing, _NAMES[System(each.system)], escape(named), each.type, escape(told), escape(each.line))
        console.print(table)
    counts = Counter(each.standing for each in lines)
    console.print(", ".join(f"{counts[each]} {each}" for each in Standing) + ".")


def _news(offer: Offer) -> str:
    return f"{offer.news} ({datetime.fromtimestamp(offer.news_ms / 1000):%Y-%m-%d %H:%M})" if offer.news else ""  # noqa: DTZ006 - for people
