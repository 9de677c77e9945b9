"""Which field of one system is which field of the other, and what rules it: plain values, built once from the configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b

from streams.marketo.api.custom_activity import CustomActivity
from streams.marketo.api.resource import Resource
from streams.salesforce.api.money import Money
from streams.wire.events import Value
from streams.wire.systems import LEAD, MARKETO, PERSON, SALESFORCE, Object, System


class FieldType(StrEnum):
    """How a value is compared and converted; one canonical form each (`consumers.merge.edits.values`)."""

    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    NUMBER = "number"
    CURRENCY = "currency"
    PERCENT = "percent"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    PICKLIST = "picklist"
    MULTIPICKLIST = "multipicklist"
    REFERENCE = "reference"
    OWNER = "owner"
    """A reference to a user: a queue that owns a record counts as nobody."""


NUMBERS = frozenset({FieldType.NUMBER, FieldType.CURRENCY, FieldType.PERCENT})
NAMING = frozenset({FieldType.REFERENCE, FieldType.OWNER})
"""Types that name another record."""
SHAPED = NUMBERS | NAMING | {FieldType.BOOLEAN, FieldType.DATE, FieldType.DATETIME}
"""Types whose neutral form is not simply the text."""
_COMPARED = SHAPED | {FieldType.EMAIL, FieldType.MULTIPICKLIST}
"""Types whose texts are compared by more than their characters."""


class Direction(StrEnum):
    """Where edits of a field flow."""

    BOTH = "both"
    TO_MARKETO = "to_marketo"
    TO_SALESFORCE = "to_salesforce"

    def reaches(self, system: System) -> bool:
        """Whether edits made on the other side are written to `system`."""
        return self is _BOTH or self is _ONLY_TO[system]


_BOTH = Direction.BOTH
_ONLY_TO = {SALESFORCE: Direction.TO_SALESFORCE, MARKETO: Direction.TO_MARKETO}


class RuleName(StrEnum):
    """How a conflict is decided when neither side had seen the other."""

    SALESFORCE = "salesforce"
    MARKETO = "marketo"
    NEWEST = "newest"
    NON_BLANK = "non_blank"
    MAX = "max"
    MIN = "min"
    SUM_DELTAS = "sum_deltas"
    UNION = "union"
    TRUE_WINS = "true_wins"
    NEVER_BACKWARDS = "never_backwards"
    REVIEW = "review"
    FUNCTION = "function"


class Overlong(StrEnum):
    """What happens to text that is too long for the other side."""

    REFUSE = "refuse"
    CUT = "cut"


class Unwanted(StrEnum):
    """What happens to an edit of a one-way field on its receiving side."""

    PUT_BACK = "put_back"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """What a conflict function is given: both values and when each was made (ms, each on its own system's clock)."""

    field: str
    object: Object
    salesforce: Value
    marketo: Value
    salesforce_at: int
    marketo_at: int


ConflictFunction = Callable[[Conflict], System | None]
"""Names the winning side, or None to hold the field for review. Pure: same input, same answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A conflict rule with what it needs."""

    name: RuleName
    default: System
    """The side that wins where the rule itself can't tell."""
    tolerance_ms: int = 5_000
    """`newest`: clocks closer than this can't tell."""
    order: tuple[str, ...] = ()
    """`never_backwards`: values from first to last."""
    function: ConflictFunction | None = None
    version: str = "1"
    """Recorded with each decision, so that a change of rules can be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMapping:
    """One field of one object. `key` names it in the ledger and is the Marketo REST name."""

    key: str
    salesforce: str
    """API name on the Salesforce object, or "" where the value is made by Tandem (link fields)."""
    marketo: str
    type: FieldType
    direction: Direction
    rule: Rule
    scale: int | None = None
    """Decimal places that both sides can hold (numbers)."""
    salesforce_length: int | None = None
    marketo_length: int | None = None
    marketo_bytes: bool = False
    """Whether Marketo counts bytes of UTF-8 rather than characters (text areas)."""
    overlong: Overlong = Overlong.REFUSE
    unwanted: Unwanted = Unwanted.PUT_BACK
    required_default: str | None = None
    """Salesforce: used at creation only, and only where blank (LastName, Company)."""
    blank: str = ""
    """What Marketo is told where there is no value, since it must have one."""
    is_key: bool = False
    """Part of what names the record in Marketo: where it changes, the record is made again."""
    parent: str = ""
    """Of a reference: the kind of record that it names, by its Salesforce id. It is written once that record is in Marketo."""
    parent_required: bool = False
    """Nothing is written of the record until its parent is there."""
    parent_may_lack: bool = False
    """Of a parent that is required: a record that names none is written all the same."""
    placeholder: bool = False
    """Of a reference: Marketo can't take it away, so a record that stands for none takes the parent's place."""
    parent_number: bool = False
    """Of a reference: Marketo wants the number that it gave the parent itself, not the key under which we keep it there."""
    fixed: bool = False
    """Part of a name in Marketo that is made of the parents' names: told when the record is made, and never changed."""
    plain: bool = field(init=False, repr=False, compare=False)
    """Whether an edit of a side that shows the agreement simply is the new agreement."""
    as_it_is: bool = field(init=False, repr=False, compare=False)
    """Whether the neutral form of a text is that text."""
    to_the_letter: bool = field(init=False, repr=False, compare=False)
    """Whether texts are compared by their characters alone."""

    def __post_init__(self) -> None:
        adds_up = self.rule.name in (RuleName.UNION, RuleName.SUM_DELTAS)
        object.__setattr__(self, "plain", self.direction is _BOTH and not adds_up)
        object.__setattr__(self, "as_it_is", self.type not in SHAPED)
        object.__setattr__(self, "to_the_letter", self.type not in _COMPARED)

    @property
    def follows_source(self) -> bool:
        """Whether it is a reference that flows one way, or a link of Tandem's own: who belongs to nobody there belongs to nobody here."""
        return (bool(self.parent) or not self.salesforce) and self.direction is not _BOTH

    def name_on(self, system: System) -> str:
        """The field's API name on `system`."""
        return self.salesforce if system is SALESFORCE else self.marketo


def is_amount(item: FieldMapping) -> bool:
    """Whether a field of Salesforce's holds money."""
    return item.type is FieldType.CURRENCY and bool(item.salesforce)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMapping:
    """All mapped fields of one Salesforce object against a Marketo record, findable by every name; and what its kind says of it."""

    object: Object
    fields: tuple[FieldMapping, ...]
    kind: str = "person"
    api_name: str = ""
    """The Salesforce object's own name."""
    marketo: Object = PERSON
    """What its records are called in Marketo."""
    section: str = ""
    """Where the configuration speaks of it: `lead`, `custom_objects.Subscription__c`; the object's name unless said."""
    prefix: str = ""
    """How ids of this Salesforce object begin, where the kind has several; else empty."""
    flow: Direction = Direction.BOTH
    resource: Resource | CustomActivity | None = None
    """Where Marketo keeps them; None: among the leads."""
    has_forms: bool = False
    """Whether the configuration chooses as what Marketo keeps them."""
    unless: tuple[str, ...] = ()
    """Fields, by their keys: a record of which one is true isn't made in Marketo."""
    author: str = ""
    """The field, by its key, with the user who made a record, where those of Tandem's own are not made in Marketo."""
    placeholder: Mapping[str, Value] = field(default_factory=dict)
    """What a Marketo record says that stands for none."""
    answer_is_witness: bool = False
    """Whether the answer to our own call proves what a record shows: Marketo has no feed for this kind."""
    streamed: bool = True
    """Whether Salesforce's stream can tell of them; else the poll is their feed."""
    delete_in_marketo: bool = False
    described: bool = False
    """Whether its fields are as Salesforce describes them, beside those that the configuration names."""
    delete_in_salesforce: bool = False
    linked: bool = False
    """Whether two records are one only since somebody has said so: none is made for another."""
    left_out: bool = False
    """Not kept in step (any more): what the ledger holds of such records stays as it is."""
    is_derived: bool = field(init=False, repr=False, compare=False)
    """Whether a record's name in Marketo is made of its parents' names, which also say whose it is."""
    references: tuple[FieldMapping, ...] = field(init=False, repr=False, compare=False)
    by_key: Mapping[str, FieldMapping] = field(init=False)
    by_salesforce: Mapping[str, FieldMapping] = field(init=False)
    by_marketo: Mapping[str, FieldMapping] = field(init=False)
    print: int = field(init=False, repr=False, compare=False)
    """A number of 32 bits that is another one when anything in this mapping or its rules is; the same in every process."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_key", {item.key: item for item in self.fields})
        object.__setattr__(self, "by_salesforce", {item.salesforce: item for item in self.fields if item.salesforce})
        object.__setattr__(self, "by_marketo", {item.marketo: item for item in self.fields if item.marketo})
        object.__setattr__(self, "api_name", self.api_name or self.object.capitalize())
        object.__setattr__(self, "section", self.section or str(self.object))
        object.__setattr__(self, "is_derived", self.derived is not None)
        object.__setattr__(self, "references", tuple(item for item in self.fields if item.parent))
        told = repr([_told(item) for item in self.fields])
        object.__setattr__(self, "print", int.from_bytes(blake2b(told.encode(), digest_size=4).digest()))

    @property
    def is_person(self) -> bool:
        """Whether these are people: matched by e-mail, linked by fields of Tandem's own, created in Salesforce when they qualify."""
        return self.resource is None and not self.left_out

    @property
    def written_once(self) -> bool:
        """Whether Marketo changes and deletes none of these records: each is made, once, and then stays as it is."""
        return isinstance(self.resource, CustomActivity)

    @property
    def derived(self) -> Resource | None:
        """The list of such records, if their names are made of their parents'."""
        return self.resource if isinstance(self.resource, Resource) and self.resource.derived else None

    @property
    def is_made_again(self) -> bool:
        """Whether one that is gone in Marketo is made again under its key, since only Salesforce says whether it is there."""
        return self.resource is not None and not self.delete_in_salesforce and not self.linked

    def by_name(self, system: System) -> Mapping[str, FieldMapping]:
        """Fields by their API name on `system`."""
        return self.by_salesforce if system is SALESFORCE else self.by_marketo

    def named_on(self, system: System) -> Object:
        """What a record of this kind is called on `system`."""
        return self.object if system is SALESFORCE else self.marketo


def _told(item: FieldMapping) -> tuple[object, ...]:
    """All that a mapping says, in words that don't change from one process to the next."""
    rule = item.rule
    function = f"{rule.function.__module__}.{getattr(rule.function, '__qualname__', '')}" if rule.function else ""
    rest = (item.salesforce_length, item.marketo_length, item.marketo_bytes, item.overlong, item.unwanted, item.required_default)
    ruled = (rule.name, rule.default, rule.tolerance_ms, rule.order, rule.version, function)
    return (item.key, item.salesforce, item.marketo, item.type, item.direction, item.scale, *rest, *ruled)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFields:
    """Marketo fields that Tandem keeps itself: which Salesforce record a person is. All custom string/boolean fields."""

    lead_id: str = "sfLeadId"
    contact_id: str = "sfContactId"
    type: str = "sfType"
    is_deleted: str = "sfIsDeleted"
    stamp: str | None = None
    """Carries the id of our last write, on instances whose activities don't name the API user."""
    salesforce_key: str = "Marketo_Person_Id__c"
    """Unique external id on Lead and Contact: the Marketo id of a person that Tandem created there."""

    @property
    def names(self) -> tuple[str, ...]:
        """Those that tell the record."""
        return (self.lead_id, self.contact_id, self.type, self.is_deleted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One comparison of a qualification rule on a Marketo field: `equals` one of the values, or merely `filled`."""

    field: str
    any_of: tuple[Value, ...] = ()
    filled: bool = False
    at_least: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualification:
    """When a Marketo person may be created in Salesforce: every clause of any group holds. No groups: never."""

    groups: tuple[tuple[Clause, ...], ...] = ()
    everyone: bool = False


class Sorts(dict[Object, ObjectMapping]):
    """By Salesforce object: all that are kept in step. Asked for one that is not, it says so, since the ledger may hold such records."""

    def __missing__(self, obj: Object) -> ObjectMapping:
        """Nothing of it is mapped."""
        return ObjectMapping(object=obj, fields=(), left_out=True, flow=Direction.TO_MARKETO)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRules:
    """Everything the merge needs to know, built once from the configuration."""

    objects: Mapping[Object, ObjectMapping]
    """By Salesforce object: all that are kept in step."""
    links: LinkFields = field(default_factory=LinkFields)
    qualification: Qualification = field(default_factory=Qualification)
    new_people: Object = LEAD
    """What a qualified Marketo person becomes in Salesforce."""
    email_key: str = "email"
    """The field by which people are matched."""
    delete_in_salesforce: bool = False
    """Whether a person deleted in Marketo is deleted in Salesforce too."""
    own_user: str = ""
    """Tandem's user in Salesforce, by id; empty: nobody has asked."""
    version: str = "1"
    money: Money | None = None
    """How amounts of records in several currencies become amounts in one; None: nobody has said."""
    _of_marketo: Mapping[Object, Object] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "objects", Sorts(self.objects))
        object.__setattr__(self, "_of_marketo", {mapping.marketo: obj for obj, mapping in self.objects.items()})

    def person_of(self, record: str, otherwise: Object) -> Object:
        """What a person of Salesforce is there: its id tells. `otherwise`: where it doesn't."""
        sorts = (mapping for mapping in self.people.values() if mapping.prefix and record.startswith(mapping.prefix))
        return next((mapping.object for mapping in sorts), otherwise)

    def sort_of(self, system: System, obj: Object) -> Object:
        """The Salesforce object that stands for what a record is called on `system`."""
        if system is SALESFORCE:
            return obj
        return self.new_people if obj == PERSON else self._of_marketo.get(obj, obj)

    @property
    def people(self) -> Mapping[Object, ObjectMapping]:
        """The sorts of people among them."""
        return {obj: mapping for obj, mapping in self.objects.items() if mapping.is_person}

    @property
    def places(self) -> list[tuple[System, Object]]:
        """Every sort of record of both systems, once."""
        return list(dict.fromkeys((system, mapping.named_on(system)) for system in System for mapping in self.objects.values()))
