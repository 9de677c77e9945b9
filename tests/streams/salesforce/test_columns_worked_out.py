"""Columns that Salesforce works out of others: change events have only the others, and nobody writes them."""

from consumers.kinds.member import MEMBER
from streams.salesforce.sources.decode import decode_message

ENTITY = MEMBER.sorts[0].entity
LEAD, CONTACT = "00Q000000000001EAA", "003000000000001AAA"


def test_an_event_tells_the_contact_where_it_has_both() -> None:
    assert ENTITY.worked_out({"LeadId": LEAD, "Status": "Sent"}) == {"LeadOrContactId": LEAD, "Status": "Sent"}
    assert ENTITY.worked_out({"LeadId": LEAD, "ContactId": CONTACT}) == {"LeadOrContactId": CONTACT}
    assert ENTITY.worked_out({"Status": "Sent"}) == {"Status": "Sent"}


def test_a_row_is_written_by_what_takes_such_an_id() -> None:
    assert ENTITY.written({"LeadOrContactId": LEAD, "Status": "Sent"}) == {"LeadId": LEAD, "Status": "Sent"}
    assert ENTITY.written({"LeadOrContactId": CONTACT}) == {"ContactId": CONTACT}


def test_the_stream_asks_for_what_is_behind_a_column() -> None:
    header = {
        "entityName": "CampaignMember",
        "recordIds": ["00v000000000001AAA"],
        "changeType": "CREATE",
        "commitTimestamp": 1_700_000_000_000,
    }
    payload = {"ChangeEventHeader": header, "CampaignId": "701000000000001AAA", "LeadId": LEAD, "HasResponded": False}
    message = {"data": {"payload": payload, "event": {"replayId": 7}}}
    told = decode_message(message, {"CampaignMember": ENTITY}, {ENTITY.object: frozenset({"CampaignId", "LeadOrContactId", "Status"})})
    assert told.events[0].fields == {"CampaignId": "701000000000001AAA", "LeadOrContactId": LEAD}
