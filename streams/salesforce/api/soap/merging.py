"""Merging records: what only the SOAP API can (SOAP API guide, merge). No I/O.

One call takes up to 200 merges, each a transaction of its own: a record that stays and one or two of the same object that end in it.
"""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from streams.salesforce.api.soap.soap import API, OBJECTS, put
from streams.salesforce.api.soql import name
from streams.wire.systems import salesforce_id

MERGES_MAX, LOSERS_MAX = 200, 2
Merging = tuple[str, Sequence[str]]
"""The record that stays, and those that end in it."""


def merge_call(obj: str, merges: Sequence[Merging]) -> ET.Element:
    """The call. Raises ValueError for more than a call takes, and for what is no record id."""
    if not 1 <= len(merges) <= MERGES_MAX or any(not 1 <= len(losers) <= LOSERS_MAX for _, losers in merges):
        raise ValueError(f"a call takes 1 to {MERGES_MAX} merges, each of 1 or {LOSERS_MAX} records into another")
    call = ET.Element(f"{{{API}}}merge")
    for master, losers in merges:
        request = ET.SubElement(call, f"{{{API}}}request")
        record = ET.SubElement(request, f"{{{API}}}masterRecord")
        put(record, OBJECTS, "type", name(obj))
        put(record, OBJECTS, "Id", salesforce_id(master))
        for loser in losers:
            put(request, API, "recordToMergeIds", salesforce_id(loser))
    return call
