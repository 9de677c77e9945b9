"""Envelopes and answers of the SOAP API, for what only it can do (SOAP API guide). No I/O."""

from xml.etree import ElementTree as ET

import msgspec

from streams.salesforce.api.access.refusals import Refusal
from streams.salesforce.api.records import ItemResult
from streams.wire.errors import Unknown

INVALID_SESSION = "INVALID_SESSION_ID"
HEADERS = {"Content-Type": "text/xml; charset=UTF-8", "Accept": "text/xml", "SOAPAction": '""'}
API, OBJECTS = "urn:partner.soap.sforce.com", "urn:sobject.partner.soap.sforce.com"
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


class Fault(msgspec.Struct, frozen=True):
    """Why the call as a whole was refused."""

    code: str
    message: str


def path_of(data_path: str) -> str:
    """The SOAP API of the same version as the data API at `data_path`."""
    return f"/services/Soap/u/{data_path.rpartition('/v')[2]}"


def envelope(session_id: str, client: str, call: ET.Element, *, duplicates_allowed: bool | None = None) -> bytes:
    """The request around a call. `duplicates_allowed`: whether a record is saved although a duplicate rule alerts; None: not said."""
    root = ET.Element(f"{{{_SOAP}}}Envelope")
    header = ET.SubElement(root, f"{{{_SOAP}}}Header")
    put(ET.SubElement(header, f"{{{API}}}SessionHeader"), API, "sessionId", session_id)
    put(ET.SubElement(header, f"{{{API}}}CallOptions"), API, "client", client)
    if duplicates_allowed is not None:
        rule = ET.SubElement(header, f"{{{API}}}DuplicateRuleHeader")
        put(rule, API, "allowSave", "true" if duplicates_allowed else "false")
    ET.SubElement(root, f"{{{_SOAP}}}Body").append(call)
    told: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return told


def put(parent: ET.Element, namespace: str, tag: str, text: str) -> None:
    """A child with this text."""
    ET.SubElement(parent, f"{{{namespace}}}{tag}").text = text


def fault_in(body: bytes) -> Fault | None:
    """What a refusal says; None for what is none."""
    root = _parsed(body)
    found = next((each for each in root.iter() if _local(each) == "Fault"), None) if root is not None else None
    if found is None:
        return None
    texts = {_local(each): (each.text or "").strip() for each in found.iter()}
    return Fault(texts.get("faultcode", "").rpartition(":")[2], texts.get("faultstring", ""))


def results_of(body: bytes, count: int, until: int, *, what: str, id_tag: str = "id") -> list[ItemResult]:
    """What became of each item, in order; its id is what `id_tag` says. Raises `Unknown` for an answer that doesn't tell."""
    root = _parsed(body)
    told = [each for each in root.iter() if _local(each) == "result"] if root is not None else []
    if len(told) != count:
        raise Unknown(f"Salesforce {what}: the answer tells of {len(told)} of {count}", after_seconds=2.0)
    return [_result(each, until, id_tag) for each in told]


def _result(element: ET.Element, until: int, id_tag: str) -> ItemResult:
    texts = _texts(element)
    success = texts.get("success", [""])[0] == "true"
    errors = tuple(_refusal(each) for each in element if _local(each) == "errors")
    return ItemResult(id=texts.get(id_tag, [""])[0] or None, success=success, errors=errors, until=until)


def _refusal(element: ET.Element) -> Refusal:
    texts = _texts(element)
    return Refusal(code=texts.get("statusCode", [""])[0], message=texts.get("message", [""])[0], fields=tuple(texts.get("fields", ())))


def _texts(element: ET.Element) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for each in element:
        texts.setdefault(_local(each), []).append((each.text or "").strip())
    return texts


def _parsed(body: bytes) -> ET.Element | None:
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return None
    try:
        return ET.fromstring(body)  # noqa: S314 - declarations, the dangerous part, were refused above
    except ET.ParseError:
        return None


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
