"""Topics and their messages as people read them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.reports.clock import moment
from consumers.subscriptions.message import Message
from consumers.subscriptions.topics import Content, Topic

_CUT = 80


def print_topics(console: Console, topics: Sequence[Topic]) -> None:
    """A line each."""
    table = Table("topic", "for short", "what is on it", box=box.SIMPLE, pad_edge=False)
    for topic in topics:
        table.add_row(topic.name, topic.short, escape(topic.words))
    console.print(table)


def line_of(message: Message) -> str:
    """A message in a line, with rich's markup."""
    head = f"[dim]{moment(message.at)}[/]"
    if message.data is None and message.content is Content.STATES:
        return f"{head}  [bold]pair:{escape(message.key)}[/] is gone"
    if message.data is None:
        return f"{head}  {escape(message.key)}: bytes that are no JSON object"
    if message.content is Content.CHANGES:
        told = tuple(_change(message.data))
    elif message.content is Content.DECISIONS:
        told = tuple(_decision(message.data))
    elif message.content is Content.CONFLICTS:
        told = tuple(_conflict(message.data))
    elif message.content is Content.STATES:
        told = tuple(_state(message.data))
    elif message.content is Content.ANCHORS:
        told = (f"[bold]sealed[/] up to block {message.data.get('block', '')}", escape(str(message.data.get("hash", ""))))
    else:
        told = (f"[bold]{escape(message.kind)}[/] {escape(message.key)}", escape(str(message.data.get("reason", ""))))
    return "  ".join((head, *(each for each in told if each)))


def _change(data: Mapping[str, Any]) -> Iterator[str]:
    yield f"[bold]{escape(str(data.get('object', '')))} {escape(str(data.get('id', '')))}[/] {escape(str(data.get('kind', '')))}"
    if data.get("author"):
        yield f"by {escape(str(data['author']))}"
    if data.get("into"):
        yield f"into {escape(str(data['into']))}"
    before = data.get("before") or {}
    for name, value in (data.get("fields") or {}).items():
        was = f"{_value(before[name])} → " if name in before else ""
        yield f"{escape(name)}: {was}{_value(value)}"


def _state(data: Mapping[str, Any]) -> Iterator[str]:
    ids = " ".join(f"{system} {data[system]}" for system in ("salesforce", "marketo") if data.get(system))
    yield f"[bold]{escape(str(data.get('kind', '')))} pair:{data.get('pair')}[/] {escape(ids)}"
    for name, value in (data.get("fields") or {}).items():
        yield f"{escape(name)}: {_value(value)}"
    if data.get("held"):
        yield f"held: {escape(str(data['held']))}"


def _decision(data: Mapping[str, Any]) -> Iterator[str]:
    record = escape(f"pair:{data.get('pair')} {data.get('system', '')} {data.get('record', '')}")
    yield f"[bold]{escape(str(data.get('kind', '')))}[/] {record}"
    if data.get("outcome"):
        yield escape(str(data["outcome"]))
    for each in data.get("fields") or ():
        judged = f"[bold]{escape(str(each.get('verdict', '')))}[/]" + (f" by {escape(str(each['rule']))}" if each.get("rule") else "")
        yield f"{escape(str(each.get('field', '')))} {judged} {_value(each.get('value'))}"
    if data.get("detail"):
        yield escape(str(data["detail"]))


def _conflict(data: Mapping[str, Any]) -> Iterator[str]:
    standing = str(data.get("standing", ""))
    yield f"[bold]{escape(standing)}[/] pair:{escape(str(data.get('pair', '')))} {escape(str(data.get('field', '')))}"
    if standing == "gone":
        return
    yield f"Salesforce {_value(data.get('salesforce'))}, Marketo {_value(data.get('marketo'))}"
    yield f"before both {_value(data.get('base'))}" if data.get("base_known") else "what was before both isn't known"
    rule = f" by {escape(str(data['rule']))}" if data.get("rule") else ""
    if data.get("winner"):
        yield f"{_value(data.get('agreed'))} stands ({escape(str(data['winner']))}{rule})"
    else:
        yield f"waits for a person{rule}"
    if data.get("by"):
        yield f"decided by {escape(str(data['by']))}"


def _value(value: Any) -> str:
    if value is None:
        return "(nothing)"
    text = str(value)
    return escape(text if len(text) <= _CUT else f"{text[:_CUT]}…")
