"""Acts on records: changes taken back, differences mended, people brought to Salesforce."""

from typing import Annotated

import msgspec

from consumers.answers.desk.forcing import forced, named, reread
from consumers.answers.desk.repairing import repaired
from consumers.answers.desk.undo import Chosen, selected, undone
from consumers.audit.repair import Repair
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.registered import registry_of
from consumers.console.access.problems import Refused
from consumers.console.api.acts.act import Act, Asked, Most, Name, Wait
from consumers.console.api.refusals import senseless
from consumers.desk.doing import Outcome, Would
from consumers.desk.forcing import Forcing
from consumers.desk.undo import Undone
from consumers.errands.asking import Answer, ask
from consumers.errands.catalogue import STEPS, Step
from consumers.errands.errand import What
from streams.wire.systems import System

Text = Annotated[str, msgspec.Meta(max_length=500)]


class Changes(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which changes are taken back."""

    cause: Annotated[Text, msgspec.Meta(description="What brought them: a call of a system, a source, a message, an undo.")] = ""
    actor: Annotated[Text, msgspec.Meta(description="Who made them, as the system calls them.")] = ""
    between: Annotated[Text, msgspec.Meta(description="When they were made: 2h..1h, 2026-11-29T08:00.. and so on.")] = ""
    config_version: Annotated[int, msgspec.Meta(description="Decided by this version of the rules.", ge=0)] = 0
    fields: Annotated[list[str], msgspec.Meta(description="Only these.", max_length=500)] = msgspec.field(default_factory=list)


class Drifted(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which true drift is mended."""

    object: Annotated[str, msgspec.Meta(description="Only these: lead, contact, account ...", max_length=100)] = ""
    most: Most = 1_000


class Errand(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something done for a person in Salesforce."""

    person: Name
    inputs: Annotated[dict[str, str], msgspec.Meta(description="By the names that the act's words give.")] = msgspec.field(
        default_factory=dict
    )
    wait_seconds: Wait = 60


class Forced(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One record that one side decides."""

    record: Name
    source: Annotated[System, msgspec.Meta(description="The side whose values stand.")]
    fields: Annotated[list[str], msgspec.Meta(description="Only these; else all that differ.", max_length=500)] = msgspec.field(
        default_factory=list
    )


class Some(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Some records."""

    records: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=1_000)]


async def _force(settings: Settings, asked: Forced, who: str) -> Forcing:
    return await forced(settings, asked.record, asked.source, asked.fields, who=who, apply=asked.apply, reason=asked.reason.strip())


async def _reread(settings: Settings, asked: Some, who: str) -> Would | list[Outcome]:
    if asked.apply:
        return await reread(settings, asked.records, who=who)
    found = await named(settings, asked.records)
    return Would(steps=tuple(f"pair {each} is read again on both sides, and judged like any other reading" for each in found))


async def _undo(settings: Settings, asked: Changes, who: str) -> Undone:
    wanted = selected(Chosen(cause=asked.cause, actor=asked.actor, between=asked.between, fields=asked.fields, config=asked.config_version))
    if wanted.empty:
        raise Refused(senseless("Which changes?", "Give `cause`, `actor`, `between` or `config_version`."))
    return await undone(settings, wanted, who=who, apply=asked.apply, reason=asked.reason.strip())


async def _repair(settings: Settings, asked: Drifted, _who: str) -> list[Repair]:
    known = registry_of(settings)
    obj = known.called(asked.object) if asked.object else None
    if asked.object and obj is None:
        raise Refused(senseless(f"{asked.object}: one of {', '.join(known.sorts)}"))
    return await repaired(settings, obj, most=asked.most, apply=asked.apply)


def _errand(step: Step) -> Act:
    what: What = step.what

    async def do(settings: Settings, asked: Errand, who: str) -> Answer:
        told = {**asked.inputs, "note": f"{who}: {asked.reason.strip()}"} if what is What.PUSH and asked.apply else asked.inputs
        return await ask(settings, what, asked.person, told, apply=asked.apply, wait=asked.wait_seconds, key="")

    inputs = "; ".join(f"{each.name}{' (needed)' if each.required else ''}: {each.doc}" for each in step.inputs if what is not What.PUSH)
    words = f"{step.doc} {f'Inputs: {inputs}.' if inputs else ''}".strip()
    return Act(name=f"person {what}", command=("person", str(what)), path=f"/person/{what}", words=words, takes=Errand, gives=(Answer,),
               do=do, private=frozenset({"inputs"}))  # fmt: skip


ACTS = (
    Act(name="undo", command=("undo",), path="/undo", takes=Changes, gives=(Undone,), do=_undo,
        words="Take changes back, unless they were changed again since."),
    Act(name="repair", command=("drift", "repair"), path="/drift/repair", takes=Drifted, gives=(list[Repair],), do=_repair,
        words="Read every record in true drift once more, and mend it by the rules."),
    Act(name="force", command=("force",), path="/force", takes=Forced, gives=(Forcing,), do=_force,
        words="Make one side's values of a record stand on both, whatever the rules say."),
    Act(name="reread", command=("reread",), path="/reread", takes=Some, gives=(Would, list[Outcome]), do=_reread,
        words="Have records read again, on both sides."),
    *(_errand(each) for each in STEPS.values()),
)  # fmt: skip
