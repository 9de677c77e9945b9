"""Which kinds there are, parents before their children; and the topics that carry their changes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from consumers.kinds.account import ACCOUNT
from consumers.kinds.campaign import CAMPAIGN
from consumers.kinds.event import EVENT
from consumers.kinds.member import MEMBER
from consumers.kinds.opportunity import OPPORTUNITY
from consumers.kinds.person import PERSON
from consumers.kinds.role import ROLE
from consumers.kinds.task import TASK
from consumers.kinds.user import USER
from consumers.mapping.kind import Kind, Sort, Witness
from streams.wire.systems import MARKETO, SALESFORCE, Object, System
from streams.wire.topics import change_topics

KINDS: tuple[Kind, ...] = (USER, ACCOUNT, PERSON, CAMPAIGN, MEMBER, OPPORTUNITY, ROLE, TASK, EVENT)
"""Those that everybody has. The configuration may declare more (`consumers.kinds.custom`)."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Kinds, findable by every name."""

    kinds: tuple[Kind, ...]
    by_name: Mapping[str, Kind] = field(init=False, repr=False, compare=False)
    kind_of: Mapping[Object, Kind] = field(init=False, repr=False, compare=False)
    """By Salesforce object."""
    sorts: Mapping[Object, Sort] = field(init=False, repr=False, compare=False)
    objects: tuple[tuple[System, Object], ...] = field(init=False, repr=False, compare=False)
    """What each side tells the changes of: each has a topic."""
    change_topics: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        kinds = self.kinds
        sorts = {sort.entity.object: sort for kind in kinds for sort in kind.sorts}
        told = ((MARKETO, kind.marketo) for kind in kinds if kind.witness is Witness.FEED or kind.told)
        object.__setattr__(self, "by_name", {kind.name: kind for kind in kinds})
        object.__setattr__(self, "kind_of", {sort.entity.object: kind for kind in kinds for sort in kind.sorts})
        object.__setattr__(self, "sorts", sorts)
        object.__setattr__(self, "objects", (*((SALESFORCE, obj) for obj in sorts), *told))
        object.__setattr__(self, "change_topics", change_topics(self.objects))

    def with_kinds(self, more: Iterable[Kind]) -> "Registry":
        """These and more."""
        return Registry((*self.kinds, *more))

    def called(self, name: str) -> Object | None:
        """The Salesforce object that a person means: `lead`, `Account`, `Subscription__c`."""
        folded = name.casefold()
        return next((obj for obj, sort in self.sorts.items() if folded in (obj, sort.entity.name.casefold())), None)


STANDARD = Registry(KINDS)
BY_NAME, KIND_OF, SORTS = STANDARD.by_name, STANDARD.kind_of, STANDARD.sorts
OBJECTS, CHANGE_TOPICS = STANDARD.objects, STANDARD.change_topics
