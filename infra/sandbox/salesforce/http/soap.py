"""The SOAP endpoint for what REST can't do: merge, convertLead, undelete (SOAP API guide). Session ids come from the token endpoint."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from infra.sandbox.salesforce.access.caller import Caller, DuplicateHeader
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.rest.input import read_values
from infra.sandbox.salesforce.saving.conversion import Conversion, convert, merge
from infra.sandbox.salesforce.saving.transaction import Transaction
from infra.sandbox.salesforce.wire import ids
from infra.sandbox.salesforce.wire.errors import ApiError, RecordError
from infra.sandbox.salesforce.wire.stamps import event_time, stamp_of

PARTNER, ENTERPRISE = "urn:partner.soap.sforce.com", "urn:enterprise.soap.sforce.com"
MERGES_MAX, CONVERSIONS_MAX, IDS_MAX = 200, 100, 200
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


Step = Callable[[ET.Element, Transaction, Caller], str]


class FaultError(Exception):
    """A SOAP fault: HTTP 500 with a code in the `sf` namespace."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Envelope:
    """A request as read: the method's element, the session id and the headers that matter."""

    def __init__(self, body: bytes) -> None:
        if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
            raise FaultError("UNKNOWN_EXCEPTION", "Document type declarations are not allowed")
        try:
            root = ET.fromstring(body)  # noqa: S314 - declarations, the dangerous part, were refused above
        except ET.ParseError as error:
            raise FaultError("UNKNOWN_EXCEPTION", f"Unable to parse the request: {error}") from None
        header, content = root.find(f"{{{_ENVELOPE}}}Header"), root.find(f"{{{_ENVELOPE}}}Body")
        if content is None or len(content) != 1:
            raise FaultError("UNKNOWN_EXCEPTION", "The envelope has no body with one element")
        self.method = content[0]
        self._headers = {_local(each): each for each in header} if header is not None else {}

    @property
    def session_id(self) -> str:
        return self._header("SessionHeader", "sessionId")

    @property
    def client(self) -> str:
        return self._header("CallOptions", "client")

    @property
    def all_or_none(self) -> bool:
        return self._header("AllOrNoneHeader", "allOrNone").lower() == "true"

    @property
    def duplicates(self) -> DuplicateHeader:
        return DuplicateHeader(allow_save=self._header("DuplicateRuleHeader", "allowSave").lower() == "true")

    def _header(self, name: str, member: str) -> str:
        element = self._headers.get(name)
        return "" if element is None else _texts(element).get(member, [""])[0]


class Soap:
    """Carries out one envelope; `answer` never raises for what a client sends."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def answer(self, body: bytes, version: str, *, enterprise: bool, refusal: ApiError | None = None) -> tuple[int, str, str, str]:
        """(HTTP status, XML, method name for the meters, error code). `refusal` is what a fault or the day's limit makes of the call."""
        namespace, name = ENTERPRISE if enterprise else PARTNER, "?"
        try:
            envelope = Envelope(body)
            name = _local(envelope.method)
            caller = self._caller(envelope, version)
            if refusal is not None:
                fault = FaultError(refusal.code, refusal.message)
                return 500, _fault(fault), name, fault.code
            return 200, _wrap(namespace, self._call(name, envelope, caller)), name, ""
        except FaultError as fault:
            return 500, _fault(fault), name, fault.code

    def actor(self, body: bytes) -> str:
        """The user name of the session in the envelope, for faults and meters."""
        match = re.search(rb"sessionId[^>]*>([^<]*)<", body)
        session = self._org.sessions.known(match.group(1).decode("utf-8", "replace").strip()) if match else None
        return "" if session is None else self._org.user_name(session.user_id)

    def _call(self, name: str, envelope: Envelope, caller: Caller) -> str:
        method = envelope.method
        if name == "getServerTimestamp":
            stamp = event_time(stamp_of(self._org.clock.now_ms()))
            return f"<getServerTimestampResponse><result><timestamp>{stamp}</timestamp></result></getServerTimestampResponse>"
        steps: Mapping[str, tuple[str, int, Step]] = {
            "merge": ("request", MERGES_MAX, self._merge),
            "convertLead": ("leadConverts", CONVERSIONS_MAX, self._convert),
            "undelete": ("ids", IDS_MAX, self._undelete),
        }
        if name not in steps:
            raise FaultError("UNKNOWN_EXCEPTION", f"NOT_IN_SANDBOX: {name} is not part of this sandbox")
        part, most, step = steps[name]
        parts = [each for each in method if _local(each) in (part, "mergeRequests")]
        if len(parts) > most:
            raise FaultError("EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {most} records into this call")
        self._org.expire_bin()
        apart = [[each] for each in parts] if name == "merge" else [parts]  # each merge is a transaction of its own (SOAP API guide, merge)
        results = [text for some in apart for text in self._carry_out(name, step, some, caller, all_or_none=envelope.all_or_none)]
        return f"<{name}Response>{''.join(results)}</{name}Response>"

    def _carry_out(self, name: str, step: Step, parts: list[ET.Element], caller: Caller, *, all_or_none: bool) -> list[str]:
        """The parts in one transaction."""
        transaction = self._org.transaction(caller)
        try:
            results = self._steps(name, step, parts, transaction, caller, all_or_none=all_or_none)
        except BaseException:
            transaction.rollback()
            raise
        transaction.commit()
        return results

    def _steps(
        self, name: str, step: Step, parts: list[ET.Element], transaction: Transaction, caller: Caller, *, all_or_none: bool
    ) -> list[str]:
        results, failed = [], False
        for each in parts:
            try:
                results.append(step(each, transaction, caller))
            except (RecordError, ApiError) as refused:
                failed = True
                results.append(_refused(name, each, refused))
        if failed and all_or_none:
            transaction.rollback()
            rolled = RecordError("ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back because not all records were valid")
            results = [
                result if "<success>false" in result else _refused(name, each, rolled) for each, result in zip(parts, results, strict=True)
            ]
        return results

    def _caller(self, envelope: Envelope, version: str) -> Caller:
        session = self._org.session_of(envelope.session_id or None)
        if session is None:
            raise FaultError(
                "INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session key"
            )
        user = self._org.store.row(session.user_id) or {}
        origin = f"com/salesforce/api/soap/{version}" + (f";client={envelope.client}" if envelope.client else "")
        return self._org.caller(user, origin=origin, request_id=secrets.token_hex(8), duplicates=envelope.duplicates)

    # -- the three verbs

    def _merge(self, request: ET.Element, transaction: Transaction, caller: Caller) -> str:
        record = next((each for each in request if _local(each) == "masterRecord"), None)
        if record is None:
            raise RecordError("MISSING_ARGUMENT", "masterRecord is required")
        values = {name: found[0] for name, found in _texts(record).items()}
        object_name, master = values.pop("type", ""), _id(values.pop("Id", ""))
        nulled = _texts(record).get("fieldsToNull", [])
        values.pop("fieldsToNull", None)
        seen = self._org.view(caller.user_id).object(object_name or _type_of(record))
        if seen is None or not seen.right.deletable:
            raise RecordError("INVALID_TYPE", f"sObject type '{object_name}' is not supported.")
        victims = [_id(each) for each in _texts(request).get("recordToMergeIds", [])]
        wanted: dict[str, Any] = {**values, **dict.fromkeys(nulled)}
        moved = merge(self._org, transaction, master, victims, read_values(seen, wanted, "update"))
        return (
            f"<result><id>{master}</id>" + "".join(f"<mergedRecordIds>{each}</mergedRecordIds>" for each in victims)
            + "<success>true</success>" + "".join(f"<updatedRelatedIds>{each}</updatedRelatedIds>" for each in moved) + "</result>"
        )  # fmt: skip

    def _convert(self, request: ET.Element, transaction: Transaction, caller: Caller) -> str:
        said = {name: found[0] for name, found in _texts(request).items()}
        lead_id = _id(said.get("leadId", ""))
        lead = self._org.store.tables["Lead"].rows.get(lead_id, {})
        name = said.get("opportunityName") or str(lead.get("Company", ""))
        none_wanted = said.get("doNotCreateOpportunity", "").lower() == "true" or "opportunityId" in said
        wanted = Conversion(
            lead=lead_id, account=_maybe_id(said.get("accountId")), contact=_maybe_id(said.get("contactId")),
            opportunity=None if none_wanted else name, opportunity_id=_maybe_id(said.get("opportunityId")),
            owner=_maybe_id(said.get("ownerId")), overwrite_lead_source=said.get("overwriteLeadSource", "").lower() == "true",
            status=said.get("convertedStatus", ""),
        )  # fmt: skip
        right = self._org.permissions.object_right(caller.user_id, "Lead")
        if not right.editable:
            raise RecordError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
        found = convert(self._org, transaction, wanted, self._org.today)
        return (
            f"<result><accountId>{found['accountId']}</accountId><contactId>{found['contactId']}</contactId><leadId>{lead_id}</leadId>"
            + (f"<opportunityId>{found['opportunityId']}</opportunityId>" if found["opportunityId"] else '<opportunityId xsi:nil="true"/>')
            + "<success>true</success></result>"
        )

    def _undelete(self, request: ET.Element, transaction: Transaction, caller: Caller) -> str:
        record_id = _id(request.text or "")
        kind = self._org.schema.of_id(record_id)
        if kind is not None and not self._org.permissions.object_right(caller.user_id, kind.name).deletable:
            raise RecordError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
        transaction.undelete(record_id)
        return f"<result><id>{record_id}</id><success>true</success></result>"


def _refused(name: str, request: ET.Element, refused: RecordError | ApiError) -> str:
    fields = "".join(f"<fields>{escape(each)}</fields>" for each in refused.fields or ())
    error = f"<errors>{fields}<message>{escape(refused.message)}</message><statusCode>{refused.code}</statusCode></errors>"
    nothing = {
        "merge": '<id xsi:nil="true"/>',
        "undelete": '<id xsi:nil="true"/>',
        "convertLead": f"<leadId>{escape(_texts(request).get('leadId', [''])[0])}</leadId>",
    }
    return f"<result>{error}{nothing[name]}<success>false</success></result>"


def _texts(element: ET.Element) -> dict[str, list[str]]:
    """The texts of the children by local name; an xsi:nil child is left out."""
    found: dict[str, list[str]] = {}
    for each in element:
        if each.get(f"{{{_XSI}}}nil") != "true" and len(each) == 0:
            found.setdefault(_local(each), []).append((each.text or "").strip())
    return found


def _type_of(record: ET.Element) -> str:
    return (record.get(f"{{{_XSI}}}type") or "").rpartition(":")[2]


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _id(text: str) -> str:
    if not ids.well_formed(text):
        raise RecordError("MALFORMED_ID", f"bad id {text}")
    return ids.normalise(text)


def _maybe_id(text: str | None) -> str | None:
    return _id(text) if text else None


def _wrap(namespace: str, content: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" xmlns="{namespace}" xmlns:xsi="{_XSI}">'
        f"<soapenv:Body>{content}</soapenv:Body></soapenv:Envelope>"
    )


def _fault(fault: FaultError) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" xmlns:sf="urn:fault.partner.soap.sforce.com"'
        f' xmlns:xsi="{_XSI}"><soapenv:Body><soapenv:Fault><faultcode>sf:{fault.code}</faultcode>'
        f"<faultstring>{fault.code}: {escape(fault.message)}</faultstring><detail><sf:UnexpectedErrorFault"
        f' xsi:type="sf:UnexpectedErrorFault"><sf:exceptionCode>{fault.code}</sf:exceptionCode>'
        f"<sf:exceptionMessage>{escape(fault.message)}</sf:exceptionMessage></sf:UnexpectedErrorFault></detail></soapenv:Fault>"
        "</soapenv:Body></soapenv:Envelope>"
    )
