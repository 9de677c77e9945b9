"""What the merge is told besides state and event: who we are, which fields, how long to wait. Pure values."""

from dataclasses import dataclass, field

from consumers.mapping.fields import FieldMapping, LinkFields, ObjectMapping
from consumers.merge.decision import Ruling
from consumers.merge.state import PairState
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import CONTACT, LEAD, SALESFORCE, Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How our own changes are told: our user on each side, and the stamp field where Marketo doesn't name users."""

    salesforce_user: str
    marketo_user: str
    stamp: str | None = None

    def owns(self, event: ChangeEvent) -> bool:
        """Whether the feed names our user as the author. Marketo's users are e-mail addresses, whatever their case."""
        if event.author is None:
            return False
        if event.system is SALESFORCE:
            return event.author == self.salesforce_user
        return event.author.casefold() == self.marketo_user.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What folding needs besides state and event."""

    mapping: ObjectMapping
    links: LinkFields
    identity: Identity
    lateness_ms: int
    """How long a missing link in Marketo's feed is waited for."""
    linking: tuple[FieldMapping, ...] = field(init=False, repr=False, compare=False)
    """The link fields that are mapped."""

    def __post_init__(self) -> None:
        keys = link_values(self.links, self.mapping.object, "", deleted=False)
        object.__setattr__(self, "linking", tuple(self.mapping.by_key[key] for key in keys if key in self.mapping.by_key))


Folded = tuple[PairState, tuple[Ruling, ...]]
"""The pair afterwards, and a ruling for each field that was told of."""


def link_values(links: LinkFields, obj: Object, record_id: str, *, deleted: bool) -> dict[str, Value]:
    """What Tandem's own fields of a Marketo person should say about its Salesforce record."""
    return {
        links.lead_id: record_id if obj == LEAD else None,
        links.contact_id: record_id if obj == CONTACT else None,
        links.type: obj.capitalize(),
        links.is_deleted: deleted,
    }
