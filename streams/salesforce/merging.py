"""Merging records: what only the SOAP API can (SOAP API guide, merge). Envelopes and answers; no I/O.

One call takes up to 200 merges, each a transaction of its own: a record that stays and one or two of the same object that end in it.
"""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

import msgspec

from streams.salesforce.records import ItemResult
from streams.salesforce.refusals import Refusal
from streams.salesforce.soql import name
from streams.wire.errors import Unknown
from streams.wire.systems import salesforce_id

MERGES_MAX, LOSERS_MAX = 200, 2
INVALID_SESSION = "INVALID_SESSION_ID"
HEADERS = {"Content-Type": "text/xml; charset=UTF-8", "Accept": "text/xml", "SOAPAction": '""'}
Merging = tuple[str, Sequence[str]]
"""The record that stays, and those that end in it."""
_SOAP, _API, _OBJECTS = (
    "http://schemas.xmlsoap.org/soap/envelope/",
    "urn:partner.soap.sforce.com",
    "urn:sobject.partner.soap.sforce.com",
)


class Fault(msgspec.Struct, frozen=True):
    """Why the call as a whole was refused."""

    code: str
    message: str


def path_of(data_path: str) -> str:
    """The SOAP API of the same version as the data API at `data_path`."""
    return f"/services/Soap/u/{data_path.rpartition('/v')[2]}"


def envelope(session_id: str, client: str, obj: str, merges: Sequence[Merging]) -> bytes:
    """The request. Raises ValueError for more than a call takes, and for what is no record id."""
    if not 1 <= len(merges) <= MERGES_MAX or any(not 1 <= len(losers) <= LOSERS_MAX for _, losers in merges):
        raise ValueError(f"a call takes 1 to {MERGES_MAX} merges, each of 1 or {LOSERS_MAX} records into another")
    root = ET.Element(f"{{{_SOAP}}}Envelope")
    header = ET.SubElement(root, f"{{{_SOAP}}}Header")
    _put(ET.SubElement(header, f"{{{_API}}}SessionHeader"), _API, "sessionId", session_id)
    _put(ET.SubElement(header, f"{{{_API}}}CallOptions"), _API, "client", client)
    call = ET.SubElement(ET.SubElement(root, f"{{{_SOAP}}}Body"), f"{{{_API}}}merge")
    for master, losers in merges:
        request = ET.SubElement(call, f"{{{_API}}}request")
        record = ET.SubElement(request, f"{{{_API}}}masterRecord")
        _put(record, _OBJECTS, "type", name(obj))
        _put(record, _OBJECTS, "Id", salesforce_id(master))
        for loser in losers:
            _put(request, _API, "recordToMergeIds", salesforce_id(loser))
    told: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return told


def fault_in(body: bytes) -> Fault | None:
    """What a refusal says; None for what is none."""
    root = _parsed(body)
    found = next((each for each in root.iter() if _local(each) == "Fault"), None) if root is not None else None
    if found is None:
        return None
    texts = {_local(each): (each.text or "").strip() for each in found.iter()}
    return Fault(texts.get("faultcode", "").rpartition(":")[2], texts.get("faultstring", ""))


def results_of(body: bytes, count: int, until: int) -> list[ItemResult]:
    """What became of each merge, in order. Raises `Unknown` for an answer that doesn't tell."""
    root = _parsed(body)
    told = [each for each in root.iter() if _local(each) == "result"] if root is not None else []
    if len(told) != count:
        raise Unknown(f"Salesforce merge: the answer tells of {len(told)} of {count} merges", after_seconds=2.0)
    return [_result(each, until) for each in told]


def _result(element: ET.Element, until: int) -> ItemResult:
    texts: dict[str, list[str]] = {}
    for each in element:
        texts.setdefault(_local(each), []).append((each.text or "").strip())
    success = texts.get("success", [""])[0] == "true"
    errors = tuple(_refusal(each) for each in element if _local(each) == "errors")
    return ItemResult(id=texts.get("id", [""])[0] or None, success=success, errors=errors, until=until)


def _refusal(element: ET.Element) -> Refusal:
    texts: dict[str, list[str]] = {}
    for each in element:
        texts.setdefault(_local(each), []).append((each.text or "").strip())
    return Refusal(code=texts.get("statusCode", [""])[0], message=texts.get("message", [""])[0], fields=tuple(texts.get("fields", ())))


def _parsed(body: bytes) -> ET.Element | None:
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return None
    try:
        return ET.fromstring(body)  # noqa: S314 - declarations, the dangerous part, were refused above
    except ET.ParseError:
        return None


def _put(parent: ET.Element, namespace: str, tag: str, text: str) -> None:
    ET.SubElement(parent, f"{{{namespace}}}{tag}").text = text


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
