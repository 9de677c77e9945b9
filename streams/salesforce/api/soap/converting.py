"""Converting leads: what only the SOAP API can (SOAP API guide, convertLead). No I/O."""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

import msgspec

from streams.salesforce.api.soap.soap import API, put
from streams.wire.systems import salesforce_id

CONVERSIONS_MAX = 100


class Converting(msgspec.Struct, frozen=True, kw_only=True):
    """One lead, and what it becomes: an existing contact or account where one is named, else new ones."""

    lead: str
    status: str
    """One of the org's statuses of converted leads."""
    account: str = ""
    contact: str = ""
    opportunity: str = ""
    """The name of an opportunity to be made; none is made without."""
    owner: str = ""


def convert_call(conversions: Sequence[Converting]) -> ET.Element:
    """The call. Raises ValueError for more than a call takes, and for what is no record id.

    The elements of a conversion stand in the order of the WSDL.
    """
    if not 1 <= len(conversions) <= CONVERSIONS_MAX:
        raise ValueError(f"a call takes 1 to {CONVERSIONS_MAX} conversions, not {len(conversions)}")
    call = ET.Element(f"{{{API}}}convertLead")
    for each in conversions:
        request = ET.SubElement(call, f"{{{API}}}leadConverts")
        for tag, record in (("accountId", each.account), ("contactId", each.contact)):
            if record:
                put(request, API, tag, salesforce_id(record))
        put(request, API, "convertedStatus", each.status)
        put(request, API, "doNotCreateOpportunity", "false" if each.opportunity else "true")
        put(request, API, "leadId", salesforce_id(each.lead))
        if each.opportunity:
            put(request, API, "opportunityName", each.opportunity)
        put(request, API, "overwriteLeadSource", "false")
        if each.owner:
            put(request, API, "ownerId", salesforce_id(each.owner))
        put(request, API, "sendNotificationEmail", "false")
    return call
