"""Versions of the rules: one of them against the present one, and gone back to.

The configuration is a file of the operator's: going back writes that file with the rules of the version in place of its own, and keeps the
file as it was beside it. Workers read it when they start; then the version has a number of its own.
"""

import difflib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from consumers.answers.logs.trying import plan_of
from consumers.configuration.loading import Settings
from consumers.configuration.reading.places import ConfigurationError
from consumers.configuration.rules import put_back, rules_part, with_rules, without_defaults
from consumers.ledger.versions import Kept, changes, kept
from consumers.replay.planning import Planned
from consumers.reports.clock import moment
from consumers.reports.database import ledger_connection
from streams.wire.errors import Fatal, Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingBack:
    """A version against what is configured now. `present`: the newest version; `changes`: in words, from that one to this; `lines`: of the
    configuration, as a difference; none: it is configured so already. `rules`: its part of the configuration, as a file has it."""

    version: int
    since_ms: int
    present: int
    changes: tuple[str, ...]
    lines: tuple[str, ...]
    rules: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WentBack:
    """`file`: the configuration, written; `before`: as it was; `next`: what is to be done now."""

    version: int
    file: str
    before: str
    next: str


async def going_back(settings: Settings, number: int) -> GoingBack:
    """What going back to a version would change. Raises `Reject` where it isn't kept, and as `ledger_connection`."""
    version, newest = await _both(settings, number)
    told, now = _part(version), rules_part(settings)
    lines = difflib.unified_diff(_lines(now), _lines(told), "configured now", f"version {number}", lineterm="", n=2)
    return GoingBack(
        version=number, since_ms=version.since_ms, present=newest.number, changes=tuple(changes(newest.rules, version.rules)),
        lines=tuple(lines), rules=_yaml(told),
    )  # fmt: skip


async def went_back(settings: Settings, number: int, file: Path) -> WentBack:
    """Go back: the file is written, with what it was beside it. Raises `Reject` where the version isn't kept, or is configured already;
    `Fatal` where the file can't be written so."""
    version, _ = await _both(settings, number)
    part = _part(version)
    if rules_part(settings) == part:
        raise Reject(f"Version {number} is what is configured: nothing was written. What differs, if anything, is what the systems show.")
    before = _put_back(file, part, version)
    following = "Look at it, then start the workers and the console again: the rules are a version of their own from then on."
    return WentBack(version=number, file=str(file), before=str(before), next=following)


async def tried_back(settings: Settings, number: int, *, since_ms: int) -> Planned:
    """What the rules of a version would have decided otherwise since then. Raises as `going_back` and `plan_of`."""
    version, _ = await _both(settings, number)
    return await plan_of(settings, _with(settings, _part(version)), since_ms=since_ms, said=lambda _: None)


async def present_settings(new: Settings) -> tuple[int, Settings | None]:
    """The number of the version that the workers run under (0: the ledger doesn't have it), and the settings with its rules; None: they
    have just these. Raises as `ledger_connection`."""
    async with ledger_connection(new.postgres.dsn.reveal()) as connection:
        newest = await kept(connection)
    if newest is None or newest.file is None:
        return 0, None
    return newest.number, None if rules_part(new) == newest.file else _with(new, newest.file)


async def _both(settings: Settings, number: int) -> tuple[Kept, Kept]:
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        version, newest = await kept(connection, number) if number > 0 else None, await kept(connection)
    if version is None or newest is None:
        raise Reject(f"There is no version {number} of the rules; `tandem config versions` lists those that there are.")
    return version, newest


def _part(version: Kept) -> Mapping[str, Any]:
    if version.file is None:
        why = f"Version {version.number} was numbered by a former version of Tandem, which did not keep the configuration"
        raise Reject(f"{why}: `tandem config versions` says in words what it changed.")
    return version.file


def _with(settings: Settings, part: Mapping[str, Any]) -> Settings:
    try:
        return with_rules(settings, part)
    except ConfigurationError as error:
        raise Reject(f"The rules can't be read by this version of Tandem any more: {error.problems[0].message}") from error


def _lines(part: Mapping[str, Any]) -> list[str]:
    return _yaml(part).splitlines()


def _yaml(part: Mapping[str, Any]) -> str:
    return yaml.safe_dump(without_defaults(part), sort_keys=False, allow_unicode=True, width=120)


def _put_back(file: Path, part: Mapping[str, Any], version: Kept) -> Path:
    by_hand = "Put the rules into it by hand: `tandem config rollback` prints them."
    try:
        text = file.read_text(encoding="utf-8")
        new = put_back(text, part, f"The rules of version {version.number} (in use since {moment(version.since_ms)}), put back.")
        return _written(file, text, new, version.number)
    except ConfigurationError as error:
        raise Fatal(f"{file} {error.problems[0].message}.", remedy=by_hand) from error
    except OSError as error:
        raise Fatal(f"{file} can't be written ({error.strerror}).", remedy=by_hand) from error


def _written(file: Path, text: str, new: str, number: int) -> Path:
    """Where the file is kept as it was. It is whole at any moment: the old one or the new one."""
    before = file.with_name(f"{file.name}.before-version-{number}")
    before.write_text(text, encoding="utf-8")
    handle, made = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(new)
    Path(made).chmod(file.stat().st_mode)
    Path(made).replace(file)
    return before
