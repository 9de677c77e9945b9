"""Tokens in a webhook's address, payload and headers, and what is taken from its answer (webhooks guide)."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import ParseError, fromstring

from infra.sandbox.marketo.assets.folder_endpoints import my_tokens
from infra.sandbox.marketo.push.campaigns import Run
from infra.sandbox.marketo.state.fields import Value
from infra.sandbox.marketo.state.store import Store, full_name

_TOKEN = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


def rendered(text: str, values: Mapping[str, Value], encoding: str) -> str:
    """The text with its tokens filled in. With `json` strings stand in double quotes, as Marketo puts them; with `form` all is
    URL-encoded. An unknown token stays as it is."""

    def fill(match: re.Match[str]) -> str:
        name = match[1].casefold()
        return _encoded(values[name], encoding) if name in values else match[0]

    return _TOKEN.sub(fill, text)


def token_values(store: Store, run: Run, now_ms: int) -> dict[str, Value]:
    """Every token in scope by its name in lower case: lead, company, system, campaign, program, trigger, my."""
    person = store.person(run.lead_id) or {}
    company = store.company(person) or person
    values: dict[str, Value] = {"lead.id": run.lead_id, "lead.full name": full_name(person)}
    for field in store.fields.values():
        source = company if field.company else person
        place = "company" if field.company else "lead"
        if field.name != "id":
            values[f"{place}.{field.display}".casefold()] = source.get(field.name)
    at = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(store.zone)
    values |= {"system.datetime": at.strftime("%Y-%m-%d %H:%M:%S"), "system.date": at.date().isoformat()}
    values |= {"campaign.id": run.campaign_id, "campaign.name": run.campaign["name"], "trigger.name": run.trigger}
    if program_id := run.campaign.get("program"):
        program = store.table("Program").get(str(program_id)) or {}
        values |= {"program.id": program_id, "program.name": program.get("name")}
        values |= {f"my.{name}".casefold(): value for name, value in my_tokens(store, program_id).items()}
    values |= {name.strip("{} ").casefold(): value for name, value in run.tokens.items()}
    return values


def mapped(text: str, kind: str, mappings: Mapping[str, str]) -> dict[str, Any]:
    """Fields from an answer: path (`a.b[0].c`) -> field name. A path that leads nowhere gives nothing. ValueError for a text that is not
    of that kind."""
    root: Any
    if kind == "xml":
        try:
            element = fromstring(text)  # noqa: S314 - as above
        except ParseError as error:
            raise ValueError(str(error)) from error
        root = {element.tag: _of_element(element)}
    else:
        root = json.loads(text)
    found = {field: _at(root, path) for path, field in mappings.items()}
    return {field: value for field, value in found.items() if value is not None and not isinstance(value, dict | list)}


def _encoded(value: Value, encoding: str) -> str:
    if encoding == "json":
        return json.dumps("" if value is None else value, ensure_ascii=False)
    text = "" if value is None else str(value)
    return quote(text, safe="") if encoding == "form" else text


def _of_element(element: Any) -> Any:
    children = list(element)
    return {child.tag: _of_element(child) for child in children} if children else element.text


def _at(root: Any, path: str) -> Any:
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(root, list) and part.isdecimal() and int(part) < len(root):
            root = root[int(part)]
        elif isinstance(root, dict) and part in root:
            root = root[part]
        else:
            return None
    return root
