"""What happens in a history of the simulation, what it is about, and what came of it."""

from dataclasses import dataclass, field

from consumers.mapping.fields import (
    Direction,
    FieldMapping,
    FieldType,
    LinkFields,
    ObjectMapping,
    Qualification,
    Rule,
    RuleName,
    SyncRules,
    Unwanted,
)
from streams.wire.events import Value
from streams.wire.systems import CONTACT, LEAD, System

TEXTS = {"firstName": "FirstName", "title": "Title"}
"""Texts that are never cleared: every value that is typed is unique, so the oracle knows who must win."""
SCORE, EMAIL = ("leadScore", "Score__c"), ("email", "Email")
CLEARED, BOX, SET, DOWN, UP, CHOOSY = (
    ("city", "City"),
    ("unsubscribed", "HasOptedOutOfEmail"),
    ("interests", "Interests__c"),
    ("website", "Website"),
    ("notes", "Notes__c"),
    ("phone", "Phone"),
)
"""Of a wide history: a text that is cleared at times, a box, several choices, a field that only Marketo receives, one that only
Salesforce receives, and one with values that Salesforce refuses."""
REFUSED = "!"
"""What Salesforce refuses to have in the choosy field."""
STAMP = "tandemStamp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What happens in one history."""

    seed: int
    edits: int = 7
    seconds: float = 20.0
    """For how long people type."""
    crashes: int = 0
    dies_at: str = ""
    """A point between two effects where a worker dies the first times that it gets there."""
    power_cuts: int = 0
    """The database loses what was not committed durably, and everybody dies with it."""
    stops: int = 0
    """The worker is asked to end, and started again."""
    lost: float = 0.0
    late: float = 0.0
    """How often a call hangs until its caller has given up, and takes effect all the same, up to minutes later."""
    unheard: float = 0.0
    """How often a change never gets into its system's feed, which says nothing of it."""
    gaps: float = 0.0
    """How often Salesforce tells a change, or one field of it, by a gap event that says only that something changed."""
    muted: bool = False
    """Salesforce's feed tells nothing: its poll alone finds what happens there."""
    unstreamed: bool = False
    """Tandem knows that Salesforce's stream tells nothing of these records, as of an object that has none."""
    puts_back: float = 0.0
    """How often a person puts back what a write of ours has replaced in a text."""
    freezes: int = 0
    """How often a worker stands still between two steps, for seconds or minutes, and goes on as if nothing had been."""
    poison: int = 0
    """How many messages nobody can use stand on the topics between the others."""
    disorder: float = 0.0
    read_first: bool = False
    polls: bool = False
    stamped: bool = False
    workers: int = 1
    wide: bool = False
    """All kinds of fields and rules, not only texts and a score."""
    deleted: System | None = None
    """Where a person deletes the record during the history."""
    follow: bool = False
    """Whether a deletion in Marketo is followed in Salesforce."""
    born: str = "both"
    """`both`: the pair exists; `salesforce`, `marketo`: created there during the history; `twice`: on both sides at once."""
    people: int = 1
    """More than one: some of them merge, in either system, and some leads are converted (`crowd`)."""
    shortcut: str | None = None


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of it: `faults` is empty when all is well; `trace` must be the same in each run of a seed."""

    faults: list[str] = field(default_factory=list)
    writes: int = 0
    conflicts: int = 0
    verdicts: set[str] = field(default_factory=set)
    died_at: set[str] = field(default_factory=set)
    """The points between two effects where a worker was killed."""
    trace: list[str] = field(default_factory=list)


START: dict[str, Value] = {"email": "ada@example.com", "firstName": "v0", "title": "v0", "leadScore": 0}
WIDE_START: dict[str, Value] = {"city": "v0", "unsubscribed": False, "interests": "v0;v1", "website": "v0", "notes": "v0", "phone": "v0"}


def start_of(plot: Plot) -> dict[str, Value]:
    """What the person is when the history begins, by ledger key."""
    return {**START, **WIDE_START} if plot.wide else dict(START)


def rules_of(plot: Plot, winner: System) -> SyncRules:
    """Two texts, a score and an e-mail; the rest in a wide history."""
    default = Rule(name=RuleName(winner.value), default=winner)
    items = [_mapping((key, name), FieldType.TEXT, default) for key, name in TEXTS.items()]
    items += [
        _mapping(EMAIL, FieldType.EMAIL, default),
        _mapping(SCORE, FieldType.NUMBER, Rule(name=RuleName.SUM_DELTAS, default=winner)),
    ]
    if plot.wide:
        items += [
            _mapping(CLEARED, FieldType.TEXT, default),
            _mapping(BOX, FieldType.BOOLEAN, default),
            _mapping(SET, FieldType.MULTIPICKLIST, Rule(name=RuleName.UNION, default=winner)),
            _mapping(DOWN, FieldType.URL, default, Direction.TO_MARKETO),
            _mapping(UP, FieldType.TEXT, default, Direction.TO_SALESFORCE, Unwanted.LEAVE),
            _mapping(CHOOSY, FieldType.PHONE, default),
        ]
    links = LinkFields(stamp=STAMP if plot.stamped else None)
    told = [(links.lead_id, FieldType.TEXT), (links.type, FieldType.TEXT), (links.is_deleted, FieldType.BOOLEAN)]
    for key, kind in [*told, *([(links.contact_id, FieldType.TEXT)] if plot.people > 1 else [])]:
        items.append(_mapping((key, ""), kind, default, Direction.TO_MARKETO))
    return SyncRules(
        objects={
            obj: ObjectMapping(object=obj, fields=tuple(items), streamed=not plot.unstreamed)
            for obj in ((LEAD, CONTACT) if plot.people > 1 else (LEAD,))
        },
        links=links,
        qualification=Qualification(everyone=True),
        delete_in_salesforce=plot.follow,
    )


def _mapping(
    names: tuple[str, str],
    kind: FieldType,
    rule: Rule,
    direction: Direction = Direction.BOTH,
    unwanted: Unwanted = Unwanted.PUT_BACK,
) -> FieldMapping:
    key, name = names
    return FieldMapping(key=key, salesforce=name, marketo=key, type=kind, direction=direction, rule=rule, unwanted=unwanted)
