"""`tandem person` without --apply: what would be done, from what the ledger knows."""

import msgspec
import pytest

from consumers.errands.asking import steps_of
from consumers.errands.errand import AddToCampaign, ChangeOwner, Convert, CreateTask, Push, Request
from consumers.mapping.fields import Qualification
from consumers.merge.pair.state import Field, PairState, Side
from consumers.reports.records.people import Found
from tests.consumers.merge.person_pair import MK, SF, SF_ID, agreed, paired, rules
from tests.consumers.pairs_in_memory import lone

RULES = rules(qualification=Qualification())
NAMELESS = lone(1, MK, lastName=Field())
GONE = paired().with_record(SF, msgspec.structs.replace(paired().salesforce, deleted=True))
REFUSED = paired(title=agreed("b", 2, salesforce=Side(seen="a", shows=1, refused=2, reason="too long")))
SAID: dict[str, tuple[Request, PairState | None, tuple[str, ...]]] = {
    "there": (Push(), paired(), (f"is lead {SF_ID} in Salesforce", "is in step; nothing is to be done")),
    "a member": (
        AddToCampaign("Fair", "Sent"),
        paired(),
        (f"is lead {SF_ID} in Salesforce", "becomes a member of campaign 'Fair' with the status 'Sent', unless it is one"),
    ),
    "an owner": (ChangeOwner("otto"), paired(), (f"is lead {SF_ID} in Salesforce", "is given to 'otto'")),
    "made first": (
        CreateTask("Call", "2026-12-24"),
        lone(1, MK),
        ("becomes a lead in Salesforce, with 4 fields", "a task 'Call' is made for it, due 2026-12-24"),
    ),
    "with a default": (
        Push(),
        NAMELESS,
        ("becomes a lead in Salesforce, with 4 fields (by default LastName = '[not provided]')", "nothing else is done"),
    ),
    "again": (
        Convert(account="001"),
        GONE,
        ("becomes, again, a lead in Salesforce, with 4 fields", "its lead is converted into a new contact in 001"),
    ),
    "not known": (
        Push(),
        None,
        (
            "the ledger doesn't know this person yet: the Marketo record is read",
            "it becomes a record in Salesforce",
            "nothing else is done",
        ),
    ),
    "held": (Push(), msgspec.structs.replace(lone(1, MK), hold="ambiguous match: x"), ("would fail (HELD): held: ambiguous match: x",)),
    "not whole": (Push(), REFUSED, (f"would fail (FIELDS_REFUSED): lead {SF_ID} is there, but not whole; title: too long",)),
}


@pytest.mark.parametrize("name", SAID)
def test_what_would_be_done(name: str) -> None:
    request, state, said = SAID[name]
    assert steps_of(request, Found(pair=1, state=state) if state is not None else None, RULES) == said
