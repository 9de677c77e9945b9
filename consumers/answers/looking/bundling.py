"""All that is known of one record, in one file, for whoever is asked for help: what it is, why, what was decided, and under which rules."""

import io
import platform
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import orjson

from consumers.answers.looking.ledger import Story, records_of, stories_of
from consumers.answers.looking.timelines import timeline_of
from consumers.configuration.loading import Settings
from consumers.configuration.reference import shown
from consumers.ledger.versions import Version, versions
from consumers.merge.pair.decision import encode
from consumers.reports.database import ledger_connection
from consumers.reports.records.people import UnknownRecord
from consumers.reports.records.record import RecordShown
from consumers.reports.records.story import decisions_about
from consumers.reports.records.timeline import Cause
from streams.ground.clock import now_ms

DECISIONS_MAX = 1_000
_VERSIONS_MAX = 20
_READ_ME = """\
What Tandem knows of one record, made for somebody who helps.

record.json         both sides beside the agreement, field by field
explanation.json    what happened to it, in order, and how it stands
timeline.json       the same by cause, with what each led to
decisions.json      the newest decisions about it, as they are kept
exchanges.json      the calls of both systems that these came from or led to, by their own ids
configuration.json  the configuration in effect (no secret is in it), and the versions of the rules, by which decisions name them
versions.json       of the programs, and when this was made
{masked}
"""
_MASKED = "Personal data is masked."
_REVEALED = "PERSONAL DATA IS NOT MASKED: hand it on with care."


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A call by which something came, or was written. `call`: the id that its system gave it; `way`: `from` or `to` that system."""

    at: int
    system: str
    way: str
    call: str
    decision: int
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """All of one record. `decisions`: as they are kept, newest first."""

    made_ms: int
    record: RecordShown
    story: Story
    timeline: Sequence[Cause]
    decisions: Sequence[Mapping[str, Any]]
    exchanges: Sequence[Exchange]
    configuration: Mapping[str, Any]
    rules: Sequence[Version]
    programs: Mapping[str, str]


async def bundle_of(settings: Settings, name: str) -> Bundle:
    """Of the one record of that name; neither system is asked. Raises `UnknownRecord`, also where several have that name."""
    found, _ = await records_of(settings, name, live=False)
    if len(found) != 1:
        raise UnknownRecord(f"{len(found)} records have that name: name one by an id, or by pair:NUMBER (`tandem record` tells them).")
    pair = found[0].pair
    (story,), _ = await stories_of(settings, f"pair:{pair}", None, most=DECISIONS_MAX, live=False)
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        decided = await decisions_about(connection, pair, None, most=DECISIONS_MAX)
        rules = await versions(connection, _VERSIONS_MAX)
        server = await connection.fetchval("show server_version")
    exchanges: list[Exchange] = []
    for number, each in decided:
        if each.event is not None and each.event.call:
            exchanges.append(
                Exchange(at=each.event.at, system=each.system, way="from", call=each.event.call, decision=number, outcome=each.event.source)
            )
        if each.call:
            exchanges.append(Exchange(at=each.at, system=each.system, way="to", call=each.call, decision=number, outcome=each.outcome))
    return Bundle(
        made_ms=now_ms(),
        record=found[0],
        story=story,
        timeline=await timeline_of(settings, pair),
        decisions=[{"decision": number, **orjson.loads(encode(each))} for number, each in decided],
        exchanges=exchanges,
        configuration=shown(settings),
        rules=rules,
        programs={"tandem": version("tandem"), "python": platform.python_version(), "postgresql": str(server)},
    )


def as_zip(told: Bundle, *, revealed: bool) -> bytes:
    """The bundle as one file. Pure, but for the clock of the archive."""
    files: dict[str, Any] = {
        "record.json": told.record,
        "explanation.json": told.story,
        "timeline.json": told.timeline,
        "decisions.json": told.decisions,
        "exchanges.json": told.exchanges,
        "configuration.json": {"configuration": told.configuration, "rules": told.rules},
        "versions.json": {"made_ms": told.made_ms, **told.programs},
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _READ_ME.format(masked=_REVEALED if revealed else _MASKED))
        for name, content in files.items():
            archive.writestr(name, orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str))
    return packed.getvalue()
