"""Acts on what flows: pause, resume, polls and the canary at once, deletes that are meant, holes that may stay."""

from typing import Annotated

import msgspec

from consumers.answers.desk.control import Chosen, UnknownKind, pause, pausing, resume, resuming
from consumers.answers.desk.journey import Journey, journey
from consumers.answers.desk.reconciling import Cycles, polls_of, reconciled
from consumers.answers.looking.covering import coverage_of
from consumers.answers.looking.ledger import Deletes, deletes_of
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.registered import registry_of
from consumers.console.access.problems import Refused
from consumers.console.api.acts.act import Act, Asked, Everything, Name, Wait
from consumers.console.api.refusals import senseless
from consumers.desk.control import Queued
from consumers.desk.doing import Would
from consumers.reconcile.acceptance import accept
from consumers.reconcile.confirmation import confirm_deletes
from consumers.reports.standing.coverage import Hole
from streams.wire.errors import Reject
from streams.wire.systems import System

Kind = Annotated[str, msgspec.Meta(description="Only these: person, account, lead ...", max_length=100)]
_HOURS = 24 * 400


class Flow(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written: to a system or both, of a kind or all, of some records or all."""

    to: Annotated[System | None, msgspec.Meta(description="Only what is written to this system.")] = None
    kind: Kind = ""
    records: Annotated[list[Name], msgspec.Meta(max_length=1_000)] = msgspec.field(default_factory=list)
    all: Everything = False


class Polls(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which polls run a cycle now."""

    kind: Kind = ""
    wait_seconds: Wait = 0


class Sent(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A test person, sent from end to end."""

    wait_seconds: Annotated[int, msgspec.Meta(description="So many seconds for each way.", ge=1, le=300)] = 60


class Meant(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Deletes that stopped a poll, and are meant. `until_ms`: as the answer without `apply` has it, so that no later ones are meant."""

    object: Annotated[str, msgspec.Meta(description="lead, contact, account ...", max_length=100)]
    until_ms: Annotated[int | None, msgspec.Meta(description="Needed with `apply`: as the answer without it told.")] = None


class MayStay(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hole that may stay."""

    hole: Annotated[int, msgspec.Meta(description="Its number, as `holes` tells.")]


async def _pause(settings: Settings, asked: Flow, who: str) -> list[Queued]:
    if sum((bool(asked.to or asked.kind or asked.records), asked.all)) != 1:
        raise Refused(senseless("What is to be paused?", "Give `to`, `kind` or `records`; or `all`, for everything."))
    act = pause if asked.apply else pausing
    return await act(settings, _chosen(asked), who=who, why=asked.reason.strip())


async def _resume(settings: Settings, asked: Flow, _who: str) -> list[Queued]:
    if sum((bool(asked.to or asked.kind or asked.records), asked.all)) != 1:
        raise Refused(senseless("What goes on?", "Give `to`, `kind` or `records`; or `all`, for everything that is paused."))
    return await (resume if asked.apply else resuming)(settings, _chosen(asked))


async def _reconcile(settings: Settings, asked: Polls, who: str) -> Would | Cycles:
    if not asked.apply:
        return Would(steps=tuple(f"{name} runs a cycle at once, if a worker carries it" for name in polls_of(settings, asked.kind)))
    found, late = await reconciled(settings, asked.kind, who=who, wait_seconds=asked.wait_seconds)
    return Cycles(cycles=found, not_done=late)


async def _canary(settings: Settings, asked: Sent, who: str) -> Would | Journey:
    if asked.apply:
        return await journey(settings, who=who, wait_seconds=asked.wait_seconds)
    made = "a test person, Tandem canary, is made in Salesforce and followed to Marketo and through its feed"
    return Would(steps=(made, "both records are deleted, however far it came"))


async def _confirm(settings: Settings, asked: Meant, _who: str) -> Deletes:
    known = registry_of(settings)
    obj = known.called(asked.object)
    if obj is None:
        raise UnknownKind(f"{asked.object}: one of {', '.join(known.sorts)}")
    waiting = await deletes_of(settings, obj)
    if waiting is None:
        raise Reject(f"No deletes of {obj} wait for a confirmation.")
    if asked.apply:
        if asked.until_ms != waiting.until_ms:
            told = f"{waiting.gone} deletes wait up to {waiting.until_ms}, not up to {asked.until_ms}."
            raise Refused(senseless(told, "Look at them first, without `apply`, and give `until_ms` as that answer has it."))
        await confirm_deletes(settings.postgres.dsn.reveal(), obj, waiting.until_ms)
    return waiting


async def _accept(settings: Settings, asked: MayStay, who: str) -> Hole:
    told = await coverage_of(settings, hours=_HOURS)
    hole = next((each for each in told.holes if each.id == asked.hole), None)
    if asked.apply:
        await accept(settings.postgres.dsn.reveal(), asked.hole, by=who, why=asked.reason)
        told = await coverage_of(settings, hours=_HOURS)
        hole = next((each for each in told.holes if each.id == asked.hole), hole)
    if hole is None:
        raise Reject(f"There is no hole {asked.hole}.")
    return hole


def _chosen(asked: Flow) -> Chosen:
    return Chosen(to=asked.to, kind=asked.kind, records=asked.records)


ACTS = (
    Act(name="pause", command=("pause",), path="/pause", takes=Flow, gives=(list[Queued],), do=_pause,
        words="Write nothing for a while: to a system, of a kind, of some records."),
    Act(name="resume", command=("resume",), path="/resume", takes=Flow, gives=(list[Queued],), do=_resume,
        words="Write again what was paused."),
    Act(name="reconcile now", command=("reconcile", "now"), path="/reconcile/now", takes=Polls, gives=(Would, Cycles), do=_reconcile,
        words="Run a cycle of the polls at once."),
    Act(name="canary", command=("canary",), path="/canary", takes=Sent, gives=(Would, Journey), do=_canary,
        words="Send a test person from end to end, time it, and remove it."),
    Act(name="confirm-deletes", command=("confirm-deletes",), path="/confirm-deletes", takes=Meant, gives=(Deletes,), do=_confirm,
        words="Many deletes stopped a poll: they are meant."),
    Act(name="accept-hole", command=("coverage", "accept"), path="/coverage/accept", takes=MayStay, gives=(Hole,), do=_accept,
        words="An open hole may stay as it is."),
)  # fmt: skip
