"""Acts that concern all records, for administrators: links of campaigns, the first copy."""

from typing import Annotated

import msgspec

from consumers.answers.copying import moved, progress_of, quote, started
from consumers.answers.linking import Linked, linkable, linked, links_of, unlinked
from consumers.configuration.loading import Settings
from consumers.console.access.roles import Role
from consumers.console.api.acts.act import Act, Asked, Do
from consumers.copy.progress import Progress
from consumers.copy.quote import Quote
from consumers.copy.store import OPEN, State
from consumers.desk.doing import Would
from consumers.links.linking import Asked as Wanted
from consumers.links.linking import NotLinked
from consumers.links.links import Backwards, Link
from streams.wire.errors import Reject
from streams.wire.systems import System

Id = Annotated[str, msgspec.Meta(max_length=100)]


class Both(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A campaign and a program that are kept in step from now on."""

    campaign: Annotated[Id, msgspec.Meta(description="The campaign's id in Salesforce.")]
    program: Annotated[Id, msgspec.Meta(description="The program's id in Marketo.")]
    winner: Annotated[System, msgspec.Meta(description="Whose value stands where a member was changed on both sides.")] = System.SALESFORCE
    backwards: Annotated[Backwards, msgspec.Meta(description="A status that goes back in Salesforce: refuse, or again.")] = Backwards.REFUSE


class Either(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A campaign and a program that are kept in step no more."""

    campaign: Annotated[Id, msgspec.Meta(description="The id of either.")]


class FirstCopy(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first copy."""


async def _link(settings: Settings, asked: Both, _who: str) -> Would | Link:
    wanted = Wanted(campaign=asked.campaign, program=asked.program, winner=asked.winner, backwards=asked.backwards)
    if asked.apply:
        return await linked(settings, wanted)
    told = await linkable(settings, wanted)
    return Would(steps=(f"campaign {told.campaign} and program {told.program} are kept in step; their members are read",))


async def _unlink(settings: Settings, asked: Either, _who: str) -> Linked:
    if asked.apply:
        return await unlinked(settings, asked.campaign)
    found = next((each for each in await links_of(settings) if asked.campaign in (each.link.campaign, each.link.program)), None)
    if found is None:
        raise NotLinked(f"{asked.campaign} is linked with nothing; GET /api/v1/links lists what is.")
    return found


async def _start(settings: Settings, asked: FirstCopy, _who: str) -> Quote:
    said = await quote(settings)
    if asked.apply and await started(settings, said) is None:
        raise Reject("A first copy is open already: GET /api/v1/copy says how far it is.")
    return said


def _moving(wanted: State, before: tuple[State, ...], words: str) -> Do:
    async def do(settings: Settings, asked: FirstCopy, _who: str) -> Would | Progress:
        told = await progress_of(settings)
        if told is None or told.state not in before or (asked.apply and not await moved(settings, wanted, before)):
            raise Reject(f"No first copy is {' or '.join(before)}.")
        after = await progress_of(settings) if asked.apply else None
        return after or Would(steps=(words,))

    return do


def _copy(what: str, words: str, do: Do, *gives: type) -> Act:
    return Act(name=f"copy {what}", command=("copy", what), path=f"/copy/{what}", words=words, takes=FirstCopy, gives=gives, do=do,
               role=Role.ADMIN)  # fmt: skip


ACTS = (
    Act(name="link", command=("link",), path="/links/link", takes=Both, gives=(Would, Link), do=_link, role=Role.ADMIN,
        words="Keep a campaign and a program in step."),
    Act(name="unlink", command=("unlink",), path="/links/unlink", takes=Either, gives=(Linked,), do=_unlink, role=Role.ADMIN,
        words="Keep a campaign and its program in step no more."),
    _copy("start", "Copy once what was there before Tandem; without `apply` its quote.", _start, Quote),
    _copy("pause", "Stop the first copy where it is.", _moving(State.PAUSED, (State.RUNNING,), "it stops behind the page in hand"),
          Would, Progress),
    _copy("resume", "The first copy goes on.", _moving(State.RUNNING, (State.PAUSED,), "the first copy goes on where it was paused"),
          Would, Progress),
    _copy("cancel", "Give the first copy up.", _moving(State.CANCELLED, OPEN, "the first copy is given up; what was read stays"),
          Would, Progress),
)  # fmt: skip
