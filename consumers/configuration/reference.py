"""What is published about the configuration: its JSON Schema for editors, and the tables of its reference."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

import orjson

from consumers.configuration.groups.custom import CustomObjectSettings
from consumers.configuration.groups.rules import FieldEntry
from consumers.configuration.reading.sections import Section, Setting, section_schema, settings
from consumers.configuration.reading.times import Duration, duration_text
from consumers.configuration.settings import Settings
from consumers.mapping.fields import Qualification

_HEAD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Tandem configuration",
    "description": "One YAML file; secrets only as {env: NAME} or {file: PATH}.",
}
_REFERENCE = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "properties": {
        "env": {"type": "string", "description": "Name of an environment variable, or of one with _FILE behind it that names a file"},
        "file": {"type": "string", "description": "Path of a file, from the directory of the configuration"},
    },
}


def schema() -> dict[str, Any]:
    """The JSON Schema of the configuration file."""
    return {**_HEAD, **section_schema(Settings), "$defs": {"reference": _REFERENCE}}


def schema_text() -> bytes:
    """The schema as it is published."""
    return orjson.dumps(schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def reference_tables() -> str:
    """Markdown: one table for each section, with every key, what may stand there, its default and what it is for."""
    top = [setting for setting in settings(Settings).values() if not isinstance(setting.kind, Section)]
    sections = list(_section_tables(Settings, ""))
    field = _table("One field (`lead.fields.NAME`, `contact.fields.NAME`)", "", settings(FieldEntry).values())
    custom = _table("One custom object (`custom_objects.NAME`)", "", settings(CustomObjectSettings).values())
    return "\n".join([_table("Top level", "", top), *sections, custom, field])


def _section_tables(of: type[Any], before: str) -> Iterator[str]:
    """The sections of a section, each followed by its own."""
    for setting in settings(of).values():
        if isinstance(setting.kind, Section):
            name = f"{before}{setting.key}"
            yield _table(f"`{name}`", setting.kind.doc, settings(setting.kind.of).values())
            yield from _section_tables(setting.kind.of, f"{name}.")


def shown(value: Any) -> Any:
    """Settings as plain data, in the form of the file, which it could be: secrets as the references that they came by."""
    if isinstance(value, (str, int, float, type(None))):
        return str(value) if isinstance(value, StrEnum) else value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): False if each is None else shown(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [shown(each) for each in value]
    if isinstance(value, Qualification):
        return "everyone" if value.everyone else shown_groups(value) or "never"
    if hasattr(value, "origin"):
        source, _, name = value.origin.partition(": ")
        return {source: name}
    if hasattr(value, "function_name"):
        return _shown_rule(value)
    return dict(_shown_section(value))


def shown_groups(rule: Qualification) -> list[dict[str, Any]]:
    """The groups of a qualification, in the form of the file."""
    return [
        {
            clause.field: {"filled": True}
            if clause.filled
            else {"at_least": clause.at_least}
            if clause.at_least is not None
            else {"any_of": list(clause.any_of)}
            for clause in group
        }
        for group in rule.groups
    ]


def _shown_rule(rule: Any) -> Any:
    if rule.function_name:
        return {"function": rule.function_name}
    if rule.order:
        return {"never_backwards": list(rule.order)}
    if rule.name == "newest":
        return {"newest": {"tolerance": duration_text(rule.tolerance_ms / 1000)}}
    return str(rule.name)


def _shown_section(section: Any) -> Iterator[tuple[str, Any]]:
    for key, setting in settings(type(section)).items():
        value = setting.of(section)
        if value is not None:
            yield key, duration_text(value) if isinstance(setting.kind, Duration) else shown(value)


def _table(title: str, doc: str, rows: Any) -> str:
    lines = [f"### {title}", ""]
    if doc:
        lines += [f"{doc}.", ""]
    lines += ["| key | value | default | what for |", "|---|---|---|---|"]
    lines += [f"| `{row.key}` | {_cell(row.kind.words())} | {_default(row)} | {_cell(row.kind.doc)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _default(setting: Setting) -> str:
    if setting.required:
        return "required"
    value = setting.default
    if value is None or value == {} or isinstance(setting.kind, Section):
        return ""
    text = duration_text(value) if isinstance(setting.kind, Duration) else shown(value)
    return f"`{str(text).lower() if isinstance(value, bool) else text}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
