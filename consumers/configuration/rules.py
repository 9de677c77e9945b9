"""The part of the configuration that makes the rules: as plain data, put into other settings, and put back into a file.

It has no secrets, no addresses and no paces: those are the surroundings' own, and stay as they are when rules are gone back to.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from consumers.configuration.reading.places import ConfigurationError, Invalid, Place, Problem, Reading
from consumers.configuration.reading.sections import Broken, Section, settings
from consumers.configuration.reference import shown
from consumers.configuration.settings import Settings

NOT_RULES = frozenset(
    {
        "salesforce", "marketo", "kafka", "postgres", "first_copy", "intervals", "settle", "audit", "retention", "web", "console",
        "activities_to_tasks", "flow_steps", "pushes", "log",
    }
)  # fmt: skip
"""Top-level keys that are none of the rules' business."""
Part = Mapping[str, Any]


def rules_part(told: Settings) -> dict[str, Any]:
    """It, with its defaults, in the form of the file."""
    return {key: value for key, value in shown(told).items() if key not in NOT_RULES}


def with_rules(told: Settings, part: Part) -> Settings:
    """The settings with the rules of that part, which is as `rules_part` gave it. Raises `ConfigurationError` where it can't be read (any
    more)."""
    node = yaml.compose(yaml.safe_dump(dict(part), sort_keys=False), Loader=yaml.SafeLoader)
    assert node is not None  # noqa: S101 - a dump is a document
    reading, known = Reading(directory=Path(), environ={}), settings(Settings)
    read: dict[str, Any] = {}
    for key, place, value in reading.unique_items(Place(key="", node=node)):
        if key in NOT_RULES or key not in known:
            reading.complain(place, "no part of the rules")
            continue
        try:
            read[known[key].attribute] = known[key].kind.read(value, reading)
        except Invalid as error:
            reading.complain(error.place, str(error))
        except Broken as broken:
            read[known[key].attribute] = broken.rest  # its problems have been noted
    if reading.problems:
        raise ConfigurationError("the rules of that version", reading.problems)
    for key, setting in known.items():
        if key not in NOT_RULES:
            read.setdefault(setting.attribute, setting.default)
    kinds = {name.partition(".")[2]: value for name, value in read.items() if name.startswith("kinds.")}
    return replace(told, kinds={**told.kinds, **kinds}, **{name: value for name, value in read.items() if "." not in name})


def without_defaults(part: Part) -> dict[str, Any]:
    """The part with nothing in it that is so anyway."""
    known, found = settings(Settings), {}
    for key, value in part.items():
        usual = shown(known[key].default)
        if isinstance(known[key].kind, Section) and isinstance(value, Mapping):
            told: Any = {name: each for name, each in value.items() if name not in usual or usual[name] != each}
        else:
            told = value
        if told not in (usual, {}):
            found[key] = told
    return found


def put_back(text: str, part: Part, words: str) -> str:
    """A configuration file with these rules in place of its own; the rest stays as it stands, line by line. `words`: what is said above
    them. Raises `ConfigurationError` where the file isn't written in a way that can be changed so."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        problem = Problem(line=1, column=1, key="", message="is not a block of keys, one below the other")
        raise ConfigurationError("the configuration", [problem])
    lines = text.splitlines(keepends=True)
    starts = [_beginning(lines, key.start_mark.line) for key, _ in root.value]
    ends = [*starts[1:], len(lines)]
    kept = lines[: starts[0]] if starts else lines
    for (key, _), start, end in zip(root.value, starts, ends, strict=True):
        if key.value in NOT_RULES:
            kept += lines[start:end]
        else:
            kept += lines[_own_end(lines, start, end) : end]
    rest = "".join(kept).rstrip("\n") + "\n"
    told = without_defaults(part)
    rules = yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=120) if told else "# nothing beyond what is so anyway\n"
    return f"{rest}\n# {words}\n{rules}"


def _beginning(lines: list[str], start: int) -> int:
    """Where what belongs to the key at `start` begins: its comments stand above it."""
    while start > 0 and lines[start - 1].startswith("#"):
        start -= 1
    return start


def _own_end(lines: list[str], start: int, end: int) -> int:
    """Where the block that begins at `start` ends: blank lines after it stay."""
    while end > start and not lines[end - 1].strip():
        end -= 1
    return end
