"""A kind of record that is kept in step: one declaration of what it is called on both sides, and which way it flows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from consumers.mapping.fields import Direction, FieldType, Overlong
from streams.marketo.api.custom_activity import CustomActivity
from streams.marketo.api.resource import Resource
from streams.salesforce.api.entity import Entity
from streams.wire.events import Value
from streams.wire.systems import PERSON, Object, System


class Witness(StrEnum):
    """What proves that Marketo's record shows our value."""

    FEED = "feed"
    """The activity log."""
    ANSWER = "answer"
    """The answer to our own call, where Marketo tells of no change of such a record."""


class Form(StrEnum):
    """As what Marketo keeps a record that it knows no such thing for."""

    NONE = "none"
    """Not at all."""
    ACTIVITY = "activity"
    """A custom activity: written once into the person's history, and never changed."""
    CUSTOM_OBJECT = "custom_object"
    """A custom object linked to the person, changed and deleted as its record is."""


@dataclass(frozen=True, slots=True)
class Default:
    """One line of a default mapping."""

    salesforce: str
    marketo: str
    type: FieldType = FieldType.TEXT
    required_default: str | None = None
    """Salesforce: used at creation only, and only where blank."""
    blank: str = ""
    """What Marketo is told where there is no value, since it must have one."""
    overlong: Overlong = Overlong.REFUSE
    parent: str = ""
    """Of a reference: the kind of record that it names. Kept by the parent's Salesforce id; written once the parent is in Marketo."""
    required: bool = False
    """Of a reference: nothing is written of the record until the parent is there."""
    may_lack: bool = False
    """Of a parent that is required: a record that names none is written all the same."""
    placeholder: bool = False
    """Of a reference: Marketo can't take it away, so a record that stands for none takes the parent's place."""
    by_number: bool = False
    """Of a reference: Marketo wants the number that it gave the parent itself, not the key under which we keep it there."""
    direction: Direction | None = None
    """Which way it flows, where that is another one than its kind's (of a reference: to Marketo)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """One Salesforce object of a kind: how it is read, what is mapped of it unless configured otherwise, and who wins a conflict."""

    entity: Entity
    fields: tuple[Default, ...]
    winner: System = System.SALESFORCE
    prefix: str = ""
    """How its ids begin (Salesforce, object key prefixes), where the kind has several sorts: one that is named is told by it."""
    unless: tuple[str, ...] = ()
    """Checkboxes of Salesforce: while one of them is ticked, a record isn't made in Marketo."""
    author: str = ""
    """The field with the user who made a record, where those of Tandem's own are not made in Marketo: they came from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One thing that is kept in step. Several Salesforce objects may be one kind (a lead and a contact are both a person)."""

    name: str
    """As in the configuration and in reports: `account`."""
    doc: str
    """What is kept in step, in a few words: `Accounts, as companies`."""
    sorts: tuple[Sort, ...]
    resource: Resource | CustomActivity | None = None
    """Where Marketo keeps it; None: among the leads, the only ones with a feed and an interface of their own."""
    forms: Mapping[Form, Resource | CustomActivity] = field(default_factory=dict)
    """Instead of `resource`: where Marketo may keep it, of which the configuration chooses one. Left out until it does."""
    flow: Direction = Direction.TO_MARKETO
    witness: Witness = Witness.ANSWER
    placeholder: Mapping[str, Value] = field(default_factory=dict)
    """What a Marketo record says that stands for none, where one is needed (`Default.placeholder`)."""
    delete_in_marketo: bool = False
    """Whether a record deleted in Salesforce is deleted in Marketo; else it stays."""
    delete_in_salesforce: bool = False
    """The same the other way round; of people the configuration says so."""
    told: bool = False
    """Without a feed of their own in Marketo: whether readings bring what others change there, so that edits flow both ways."""
    linked: bool = False
    """Whether two records are one only since somebody has said so (`tandem link`): none is made for another, and others are let be."""
    titled: tuple[str, ...] = ("firstName", "lastName")
    """The fields, by their keys, that tell a reader which record it is."""
    section: str = ""
    """Where the configuration speaks of it; its name unless said."""
    described: bool = False
    """Whether whatever Salesforce describes of it, and Marketo has a field for, is mapped beside the default mapping."""
    plural: str = ""
    """Several of them, in a sentence; the name with an s unless said."""
    by_object: Mapping[Object, Sort] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_object", {sort.entity.object: sort for sort in self.sorts})
        object.__setattr__(self, "plural", self.plural or f"{self.name}s")
        if self.forms:
            object.__setattr__(self, "resource", next(iter(self.forms.values())))

    def counted(self, count: int) -> str:
        """`1 account`, `12 accounts`."""
        return f"{count:,} {self.name if count == 1 else self.plural}"

    @property
    def marketo(self) -> Object:
        """What Marketo's records of this kind are called on the topics."""
        return self.resource.object if self.resource else PERSON

    @property
    def is_person(self) -> bool:
        """Whether these are people: matched by e-mail, linked by fields of Tandem's own, created in Salesforce when they qualify."""
        return self.resource is None
