"""Which kinds there are, parents before their children; and the topics that carry their changes."""

from collections.abc import Mapping

from consumers.kinds.account import ACCOUNT
from consumers.kinds.opportunity import OPPORTUNITY
from consumers.kinds.person import PERSON
from consumers.kinds.role import ROLE
from consumers.kinds.user import USER
from consumers.mapping.kind import Kind, Sort, Witness
from streams.wire.systems import MARKETO, SALESFORCE, Object, System
from streams.wire.topics import change_topics

KINDS: tuple[Kind, ...] = (USER, ACCOUNT, PERSON, OPPORTUNITY, ROLE)
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}
KIND_OF: Mapping[Object, Kind] = {sort.entity.object: kind for kind in KINDS for sort in kind.sorts}
"""By Salesforce object."""
SORTS: Mapping[Object, Sort] = {sort.entity.object: sort for kind in KINDS for sort in kind.sorts}

OBJECTS: tuple[tuple[System, Object], ...] = (
    *((SALESFORCE, obj) for obj in SORTS),
    *((MARKETO, kind.marketo) for kind in KINDS if kind.witness is Witness.FEED),
)
"""What each side tells the changes of: each has a topic."""
CHANGE_TOPICS = change_topics(OBJECTS)
