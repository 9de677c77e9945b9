"""How everything stands, in a word with a definition, and in one sentence; and what needs a person. Pure, from the status.

A word says the worst that is so. Where nobody has said anything for half a minute it is `unknown`, whatever was said before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from consumers.ledger.tallies import COUNTED_MAX
from consumers.reports.standing.status import SourceState, State, Status

HEARD_MS = 30_000
"""Older words say nothing of now."""
_BEHIND_MS = 30_000
"""A change that waits longer than that is late."""
_SALESFORCE_KEEPS_MS, _MARKETO_KEEPS_MS = 72 * 3_600_000, 168 * 3_600_000
"""How long the stream can be resumed (72 hours of events), and activities are read from where one had stopped."""
_NAMES = {"salesforce": "Salesforce", "marketo": "Marketo"}


class Word(StrEnum):
    """How things stand."""

    IN_STEP = "in step"
    CATCHING_UP = "catching up"
    FALLING_BEHIND = "falling behind"
    RETRYING = "retrying"
    DEGRADED = "degraded"
    AT_RISK = "at risk"
    BLOCKED = "blocked"
    PAUSED = "paused"
    NEVER_RAN = "never ran"
    UNKNOWN = "unknown"


MEANS: Mapping[Word, str] = {
    Word.IN_STEP: "Every change that is known has been taken to the other side, or is on its way for less than 30 seconds.",
    Word.CATCHING_UP: "Changes wait for longer than 30 seconds, and become fewer.",
    Word.FALLING_BEHIND: "Changes wait for longer than 30 seconds, and become more.",
    Word.RETRYING: "Something failed and is tried again by itself; nothing is lost by it.",
    Word.DEGRADED: "Something doesn't flow that should. It needs a look; nothing is lost yet.",
    Word.AT_RISK: "A source has been silent for more than half of the time for which its system keeps what it has to tell.",
    Word.BLOCKED: "A system takes no calls until a known time: it said so, or its calls of the day are used up.",
    Word.PAUSED: "Somebody has stopped something on purpose; changes wait until it is resumed.",
    Word.NEVER_RAN: "No worker has run on this database yet.",
    Word.UNKNOWN: "No worker has said anything for 30 seconds: how things stand can't be known.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Whether what waits grows: changes a second that are worked off (negative: come in on top)."""

    drained_a_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """What somebody has stopped: `what` in words, who, and why."""

    what: str
    who: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What waits for a person. `queue`: where it is listed, as `tandem list` and the pages call it."""

    queue: str
    count: int
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The word, what it means, why it was chosen (empty: nothing to add), and the sentence that says all in all."""

    word: Word
    means: str
    why: str
    sentence: str
    needs: tuple[Need, ...]


def health(status: Status, *, trend: Trend | None = None, paused: Sequence[Pause] = ()) -> Health:
    """How things stand. `trend`: None where nobody has watched for long enough."""
    word, why = _word(status, trend, paused)
    needs = needs_of(status)
    return Health(word=word, means=MEANS[word], why=why, sentence=_sentence(status, word, why, needs), needs=needs)


def needs_of(status: Status) -> tuple[Need, ...]:
    """What waits for a person, the most serious first."""
    waits = status.waiting
    told = (
        ("held", waits.held, ("record is held", "records are held")),
        ("contested", waits.contested, ("conflict waits", "conflicts wait")),
        ("refused", waits.refused, ("field is refused by a system", "fields are refused by a system")),
        ("dead-letters", status.dead_letters, ("change could not be used", "changes could not be used")),
    )
    return tuple(Need(queue=queue, count=count, told=f"{bounded(count)} {forms[count != 1]}") for queue, count, forms in told if count)


def bounded(count: int) -> str:
    """A count that goes no further than ours do."""
    return f"{count:,}" if count < COUNTED_MAX else f"{COUNTED_MAX:,} or more"


def waiting_writes(status: Status) -> tuple[int, int]:
    """How many writes are due now, and for how long the oldest has been (ms)."""
    rows = [row for row in status.due if row.what == "write" and row.due]
    return sum(row.due for row in rows), max((row.oldest_ms for row in rows), default=0)


def behind(status: Status) -> int:
    """Events on the topics that are not judged yet; 0 where Kafka wasn't asked."""
    return sum(each.behind or 0 for each in status.partitions)


def length(ms: float) -> str:
    """A length of time in a unit that suits it."""
    seconds = ms / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def _word(status: Status, trend: Trend | None, paused: Sequence[Pause]) -> tuple[Word, str]:
    heard = status.heard_ago_ms
    if heard is None and not any(source.begun for source in status.sources):
        return Word.NEVER_RAN, "start a worker: tandem run"
    if heard is None or heard > HEARD_MS:
        return Word.UNKNOWN, f"the last word of a worker is {length(heard)} old" if heard is not None else "no worker runs"
    if paused:
        return Word.PAUSED, "; ".join(f"{each.what}, by {each.who}{f': {each.why}' if each.why else ''}" for each in paused)
    if blocked := [row for row in status.spent if row.blocked_ms > HEARD_MS]:
        return Word.BLOCKED, "; ".join(f"{_NAMES[row.system]} takes no calls for {length(row.blocked_ms)}" for row in blocked)
    if risks := [told for told in map(_at_risk, status.sources) if told]:
        return Word.AT_RISK, "; ".join(risks)
    if status.state is State.DEGRADED:
        worst = status.troubles[0]
        again = [each for each in status.troubles if each.again_ms > status.at_ms]
        return (
            (Word.RETRYING, f"{worst.what}; next try in {length(worst.again_ms - status.at_ms)}")
            if worst in again
            else (
                Word.DEGRADED,
                worst.what,
            )
        )
    return _by_backlog(status, trend)


def _by_backlog(status: Status, trend: Trend | None) -> tuple[Word, str]:
    count, oldest = waiting_writes(status)
    if oldest <= _BEHIND_MS:
        return Word.IN_STEP, ""
    todo = count + behind(status)
    if trend is None or trend.drained_a_second == 0:
        return Word.CATCHING_UP, f"{bounded(todo)} changes wait"
    if trend.drained_a_second > 0:
        return Word.CATCHING_UP, f"{bounded(todo)} changes wait, done in about {length(todo / trend.drained_a_second * 1000)}"
    return Word.FALLING_BEHIND, f"{bounded(todo)} changes wait; {limiter(status)}"


def limiter(status: Status) -> str:
    """What keeps it from going faster, as far as it can be told."""
    for row in status.spent:
        if row.limit and row.used >= row.limit * 0.95:
            return f"{_NAMES[row.system]}'s calls of the day are nearly used up"
    writes = {row.system: row.due for row in status.due if row.what == "write"}
    if behind(status) > sum(writes.values()):
        return "the workers judge more slowly than changes come in: start another one (tandem run --role observe)"
    most = max(writes, key=lambda system: writes[system], default="marketo")
    return f"the pace at which {_NAMES[most]} takes calls sets the limit"


def _at_risk(source: SourceState) -> str:
    keeps = _MARKETO_KEEPS_MS if source.source.startswith("marketo") else _SALESFORCE_KEEPS_MS
    if ".poll" in source.source or source.saved_ago_ms is None or source.saved_ago_ms < keeps / 2:
        return ""
    left = keeps - source.saved_ago_ms
    return f"{source.source} has been silent for {length(source.saved_ago_ms)}; " + (
        f"what it has to tell expires in {length(left)}" if left > 0 else "what it had to tell has expired: the polls read it back"
    )


def _sentence(status: Status, word: Word, why: str, needs: Sequence[Need]) -> str:
    pairs = sum(each.linked for each in (status.pairs, *status.others))
    about = "about " if status.pairs.about else ""
    count, oldest = waiting_writes(status)
    waits = f"oldest unapplied change {length(oldest)}" if count else "no change waits"
    first = f"{word.capitalize()}{f': {why}' if why else ''}."
    if word in (Word.UNKNOWN, Word.NEVER_RAN):
        return first
    asks = f", {sum(each.count for each in needs):,} {'thing needs' if sum(each.count for each in needs) == 1 else 'things need'} you"
    return f"{first} {about.capitalize()}{pairs:,} pairs, {waits}{asks if needs else ', nothing needs you'}."
