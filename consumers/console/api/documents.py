"""The documents of the API, and what each is asked with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from consumers.answers.copying import progress_of
from consumers.answers.desk.control import pauses_of
from consumers.answers.linking import Linked, links_of
from consumers.answers.looking.ledger import Story, records_of, stories_of
from consumers.answers.looking.timelines import timeline_of
from consumers.answers.rules import GoingBack, going_back
from consumers.console.access.roles import Role
from consumers.console.ground import Ground
from consumers.copy.progress import Progress
from consumers.desk.control import Queued
from consumers.reports.records.record import RecordShown
from consumers.reports.records.timeline import Cause
from consumers.reports.standing.health import Health, health
from consumers.reports.standing.status import Status

_CHAPTERS_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What a document is asked with. `place`: path or query."""

    name: str
    place: str
    words: str
    type: str = "string"
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One of them. `gives`: the type of its answer, from which its schema is made; `personal`: it is masked without `reveal`."""

    path: str
    name: str
    words: str
    gives: Any
    ask: Callable[[Ground, Mapping[str, str]], Awaitable[Any]]
    parameters: tuple[Parameter, ...] = ()
    personal: bool = False
    role: Role = Role.VIEWER


PAIR = Parameter(name="pair", place="path", words="The number of the pair.", type="integer", required=True)
VERSION = Parameter(name="version", place="path", words="The number of the version.", type="integer", required=True)
REVEAL = Parameter(name="reveal", place="query", words="1: personal data unmasked; takes the role operator, and is written down.")


async def _status(ground: Ground, _asked: Mapping[str, str]) -> Status:
    return await ground.status()


async def _health(ground: Ground, _asked: Mapping[str, str]) -> Health:
    return health(await ground.status(), trend=ground.trend(), paused=await ground.paused())


async def _records(ground: Ground, asked: Mapping[str, str]) -> list[RecordShown]:
    name = asked.get("name", "") or f"pair:{asked.get('pair', '')}"
    return (await records_of(ground.settings, name, live=asked.get("live") == "1"))[0]


async def _stories(ground: Ground, asked: Mapping[str, str]) -> list[Story]:
    return (await stories_of(ground.settings, f"pair:{asked['pair']}", asked["field"], most=_CHAPTERS_MAX, live=False))[0]


async def _timeline(ground: Ground, asked: Mapping[str, str]) -> tuple[Cause, ...]:
    return await timeline_of(ground.settings, int(asked["pair"]))


async def _paused(ground: Ground, _asked: Mapping[str, str]) -> list[Queued]:
    return await pauses_of(ground.settings)


async def _links(ground: Ground, _asked: Mapping[str, str]) -> tuple[Linked, ...]:
    return await links_of(ground.settings)


async def _copy(ground: Ground, _asked: Mapping[str, str]) -> Progress | None:
    return await progress_of(ground.settings)


async def _version(ground: Ground, asked: Mapping[str, str]) -> GoingBack:
    number = asked["version"]
    return await going_back(ground.settings, int(number) if number.isdecimal() else 0)


_LIVE = Parameter(name="live", place="query", words="1: both systems are asked for the record as it is now.")
DOCUMENTS: tuple[Document, ...] = (
    Document(path="/health", name="health", words="How everything stands, in a word and a sentence.", gives=Health, ask=_health),
    Document(
        path="/status",
        name="status",
        words="How everything stands, in full, as `tandem status --json`.",
        gives=Status,
        ask=_status,
        personal=True,
    ),
    Document(path="/paused", name="paused", words="What is paused, by whom, why, and how much waits for its end.", gives=list[Queued],
             ask=_paused),
    Document(path="/links", name="links", words="Which campaign is kept in step with which program.", gives=tuple[Linked, ...], ask=_links),
    Document(path="/copy", name="copy", words="How far the latest first copy is; null: there never was one.", gives=Progress | None,
             ask=_copy),
    Document(path="/rules/{version}", name="rules-version", gives=GoingBack, ask=_version, parameters=(VERSION,),
             words="A version of the rules against what is configured now, with its part of the configuration, to go back to."),
    Document(
        path="/records",
        name="records",
        words="The records that a name may mean, both sides beside the agreement, as `tandem record --json`.",
        gives=list[RecordShown],
        ask=_records,
        personal=True,
        parameters=(
            Parameter(name="name", place="query", words="A Salesforce id, a Marketo id, an e-mail, or pair:NUMBER.", required=True),
            _LIVE,
        ),
    ),
    Document(
        path="/records/{pair}",
        name="record",
        words="One record.",
        gives=list[RecordShown],
        ask=_records,
        personal=True,
        parameters=(PAIR, _LIVE),
    ),
    Document(
        path="/records/{pair}/timeline",
        name="timeline",
        words="What happened to a record, grouped by its causes.",
        gives=tuple[Cause, ...],
        ask=_timeline,
        personal=True,
        parameters=(PAIR,),
    ),
    Document(
        path="/records/{pair}/fields/{field}",
        name="story",
        words="Why a field has its value, as `tandem explain --json`.",
        gives=list[Story],
        ask=_stories,
        personal=True,
        parameters=(PAIR, Parameter(name="field", place="path", words="By its Marketo or its Salesforce name.", required=True)),
    ),
)  # fmt: skip
