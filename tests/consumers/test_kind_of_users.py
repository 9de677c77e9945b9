"""Users: sales persons in Marketo, who own the rest; a queue owns as nobody does."""

from consumers.kinds.registry import KINDS, SORTS
from consumers.kinds.user import USER
from consumers.mapping.fields import Direction
from consumers.mapping.kind import Witness
from streams.wire.systems import CONTACT, LEAD, Object


def test_users_come_before_whom_they_own() -> None:
    places = [kind.name for kind in KINDS]
    for obj in (LEAD, CONTACT, Object("account")):
        owner = next(line for line in SORTS[obj].fields if line.salesforce == "OwnerId")
        assert owner.parent == USER.name
    assert places.index("user") < min(places.index("account"), places.index("person"))


def test_users_flow_one_way_and_are_never_deleted() -> None:
    assert (USER.flow, USER.witness, USER.delete_in_marketo) == (Direction.TO_MARKETO, Witness.ANSWER, False)
    assert not USER.sorts[0].entity.bin, "Salesforce has no deleted users to ask for"
