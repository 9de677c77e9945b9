"""Why something waits for a person, in plain words, and what helps. Pure."""

import re
from dataclasses import dataclass

from consumers.judging.meeting.candidates import AMBIGUOUS
from consumers.merge.lives.aside import FAULT, OUT_OF_SIGHT
from consumers.merge.writing.witness import WAITS

REVIEW, CONTESTED = "review", "contested"
"""How the holds of single fields begin."""
_NUMBERS = re.compile(r"\d+")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|“[^”]*”")
_LEFT_OUT = "left out"
_NAMES = {"salesforce": "Salesforce", "marketo": "Marketo"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why things wait. `name`: short, by which a command picks them; `what`: in plain words; `remedy`: what to do."""

    name: str
    what: str
    remedy: str


def of_hold(hold: str) -> Cause:
    """Of a pair that is held as a whole."""
    if hold.startswith(AMBIGUOUS):
        return Cause(
            name="ambiguous",
            what="more than one record may be the same person",
            remedy="`tandem holds resolve RECORD --with CANDIDATE`; or merge the duplicates in their system, which ends it by itself",
        )
    if hold.startswith(OUT_OF_SIGHT):
        return Cause(
            name="out-of-sight",
            what="Tandem's user can't see the record any more, though nobody deleted it",
            remedy="give that user access to it again; then `tandem holds retry` (a change of the record ends it by itself, too)",
        )
    if hold.startswith(_LEFT_OUT):
        return Cause(
            name="left-out",
            what="records of this sort are not kept in step now",
            remedy="switch them on in the configuration or make them visible (`tandem check` says which), and start the worker again",
        )
    if hold.startswith(f"{FAULT}:"):
        return Cause(
            name="fault",
            what="a step of Tandem's failed on it",
            remedy="`tandem holds retry`; where it fails again, upgrade Tandem, or report what `tandem holds show` tells",
        )
    if hold.startswith(FAULT):
        return Cause(
            name="lost-event",
            what="something that a system told of it could not be used",
            remedy="`tandem holds retry` reads the record again, which tells the same; see `tandem dead-letters list`",
        )
    return Cause(name=_slug(hold), what=hold, remedy="`tandem holds show` tells more")


def of_refusal(system: str, reason: str) -> Cause:
    """Of a field, or a record, that a system does not take."""
    name = _NAMES.get(system, system)
    if reason.startswith(WAITS):
        return Cause(
            name="waits-for-parent",
            what=f"it waits for a record that it belongs to, which is not in {name} yet",
            remedy="nothing, if that record is on its way; else see what keeps it: `tandem record` of the parent",
        )
    shape = shaped(reason)
    return Cause(
        name=f"refused-{system}-{_slug(shape)}",
        what=f"{name} does not take it: {shape}",
        remedy=f"mend the value, which is tried again then, or what {name} demands of it; then `tandem holds retry`",
    )


def of_field(hold: str) -> Cause:
    """Of a single field that is held."""
    if hold.startswith(CONTESTED):
        return Cause(
            name="contested",
            what="something in one system keeps undoing what Tandem writes",
            remedy="end what does so (a flow, a trigger, a smart campaign); then `tandem conflicts resolve RECORD FIELD --take SIDE`",
        )
    return Cause(
        name="review",
        what="both sides changed it, and the rule leaves it to a person",
        remedy="`tandem conflicts resolve RECORD FIELD --take salesforce` (or marketo, or --value); with --as-rule for the next ones, too",
    )


def of_letter(stage: str, reason: str) -> Cause:
    """Of a dead letter."""
    shape = shaped(reason)
    name = f"{stage}-{_slug(shape)}"
    if " failed (" in reason:
        return Cause(
            name=name,
            what=f"a step of Tandem's failed on what was told ({shape})",
            remedy="the record is read again by itself; once Tandem is upgraded, `tandem dead-letters retry`; please report it",
        )
    if stage == "observe":
        return Cause(
            name=name,
            what=f"a message on a change topic can't be read ({shape})",
            remedy="find who wrote it: Tandem's own sources never write such; the record is read again by itself; then discard it",
        )
    return Cause(
        name=name,
        what=f"{stage} brought what can't be understood ({shape})",
        remedy="the record is found again by the next poll or the drift audit; `retry` reads it at once where the letter names it",
    )


def shaped(reason: str) -> str:
    """The reason without what differs from one record to the next."""
    return _NUMBERS.sub("…", _QUOTED.sub("…", reason)).strip()


def _slug(text: str) -> str:
    words = re.findall(r"[a-z]+", text.lower())
    return "-".join(words[:5]) or "other"
