"""Deliveries, for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from consumers.answers.logs.delivering import Shown
from consumers.reports.clock import moment


def print_deliveries(console: Console, told: Sequence[Shown]) -> None:
    """A line each."""
    if not told:
        console.print("There are no deliveries; `tandem deliveries create` begins one.", markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("Name", "Topic", "Way", "State", "Behind", "Delivered", "Last", "Next attempt"):
        table.add_column(title, justify="right" if title in ("Behind", "Delivered") else "left", overflow="fold")
    for each in told:
        behind = "" if each.behind is None else f"{each.behind:,}"
        state = "failing" if each.failing_since else each.state
        table.add_row(
            each.name, each.topic, each.way, state, behind, f"{each.delivered:,}", _when(each.delivered_at), _next(each),
        )  # fmt: skip
    console.print(table)


def print_delivery(console: Console, told: Shown) -> None:
    """All of one."""
    lines = [
        f"{told.name}: {told.topic} to {told.url or f'/api/v1/deliveries/{told.name}/events'}, {told.state}{_why(told)}",
        f"  since {moment(told.created_at)}, by {told.created_by}; values are {'as they are' if told.revealed else 'masked'}",
        f"  wants {_wanted(told)}",
        f"  next in each partition: {', '.join(f'{each}:{offset}' for each, offset in sorted(told.places.items()))}",
    ]
    if told.behind is not None:
        lines.append(f"  {told.behind:,} messages of its topic behind")
    if told.delivered_at:
        lines.append(f"  {told.delivered:,} delivered, the last {moment(told.delivered_at)}")
    if told.missed:
        lines.append(f"  {told.missed:,} messages were let go by Kafka before they were delivered")
    if told.failing_since:
        lines.append(
            f"  failing since {moment(told.failing_since)}, {told.attempts} attempts ({told.trouble}); next {moment(told.next_at)}"
        )
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def print_secret(console: Console, secret: str) -> None:
    """Once."""
    console.print(f"Its secret, shown this once (give it to the receiver): {secret}", markup=False, soft_wrap=True)


def _why(told: Shown) -> str:
    return f" ({told.why})" if told.why else ""


def _wanted(told: Shown) -> str:
    terms = [f"{term}: {', '.join(names)}" for term, names in told.wanted.items()]
    return "; ".join(terms) or "all messages"


def _when(at: int) -> str:
    return moment(at) if at else ""


def _next(told: Shown) -> str:
    return f"{moment(told.next_at)} ({told.attempts} failed: {told.trouble})" if told.failing_since else ""
