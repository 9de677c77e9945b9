"""Whatever comes in, the org answers in its own way: no resource fails inside."""

from __future__ import annotations

import itertools
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest

from tests.infra.sandbox.salesforce.conftest import API, Client, Start, served

UGLY: list[Any] = [
    *(None, True, -1, 1.5, "", "x", "🜚", "1,2", {}, {"a": 1}),
    *([], [None], [1], ["x"], [{}], [{"id": {}}], [{"attributes": 1}], [{"attributes": {"type": 7}}], [{"attributes": {"type": "Lead"}}]),
]
KNOWN = (
    "records", "allOrNone", "attributes", "id", "Id", "ids", "fields", "object", "operation", "query", "contentType", "columnDelimiter",
    "lineEnding", "externalIdFieldName", "state", "compositeRequest", "batchRequests", "collateSubrequests", "FullName", "Metadata",
    "LastName", "Company", "Email", "OwnerId", "NumberOfEmployees", "AnnualRevenue", "DoNotCall", "EmailBouncedDate", "Status", "Ext__c",
)  # fmt: skip
PARAMETERS = ("q", "start", "end", "ids", "fields", "allOrNone", "locator", "maxRecords", "payloadFormat", "updateOnly")
TEXTS = (
    "",
    "x",
    "-1",
    "1,x",
    "2026-13-45",
    "🜚",
    "SELECT",
    "SELECT FROM WHERE",
    "SELECT Id FROM Lead WHERE Id IN (SELECT",
    "2026-01-01T00:00:00Z",
)
NAMES = ("Lead", "Nothing", "LeadChangeEvent", "%F0%9F%9C%9A")
HEADERS = {
    "If-Modified-Since": "x", "If-Unmodified-Since": "Tue, 99 Foo", "Sforce-Query-Options": "batchSize=x", "Sforce-Call-Options": "client",
    "Sforce-Duplicate-Rule-Header": "allowSave", "Sforce-Auto-Assign": "?",
}  # fmt: skip
BROKEN = (
    (b"{", "application/json"), (b"\xff\xfe", "application/json"), (b"x", "text/xml"), (b"", "multipart/form-data"),
    (b"\xff,\x00", "text/csv"), (b"--X--", "multipart/form-data; boundary=X"),
)  # fmt: skip


def bodies() -> list[Any]:
    whole = [dict.fromkeys(KNOWN, value) for value in UGLY]
    single = [{name: value} for name in KNOWN for value in UGLY][::9]
    records = [{"records": [{"attributes": {"type": "Lead"}, **dict.fromkeys(KNOWN[10:], value)}]} for value in UGLY]
    parts = [{name: [{"method": "POST", "url": f"{API}/sobjects/Lead", "referenceId": "r", "body": value}]}
             for name in ("compositeRequest", "batchRequests") for value in UGLY]  # fmt: skip
    names = ("eventChannel", "selectedEntity", "enrichedFields", "filterExpression")
    members = [{"FullName": "x", "Metadata": dict.fromkeys(names, value)} for value in UGLY]
    return [*UGLY, *whole, *single, *records, *parts, *members]


def paths(pattern: str, ids: tuple[str, ...]) -> list[str]:
    found = []
    for name, each in itertools.product(NAMES, ids):
        path = pattern.replace("{object}", name).replace("{field}", "Ext__c").replace("{results}", "failedResults")
        for part in ("{id}", "{value}", "{job}", "{locator}", "{schema}"):
            path = path.replace(part, each)
        found.append(path)
    return list(dict.fromkeys(found))


def told(record: logging.LogRecord) -> str:
    if record.exc_info is None:
        return record.getMessage()
    frame = traceback.extract_tb(record.exc_info[2])[-1]
    return f"{record.exc_info[1]!r} at {Path(frame.filename).name}:{frame.lineno}"


async def check_memory(org: Client, start: Start, tmp_path: Path) -> None:
    """What was refused left nothing in memory that the journal does not say."""
    again = await start(tmp_path / "org")
    for name in org.running.system.objects():
        assert list(again.running.system.dump(name)) == list(org.running.system.dump(name)), name


async def test_no_resource_fails_inside(org: Client, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    field = {"name": "Ext__c", "type": "string", "external_id": True}
    await org.verb("define_field", {"object": "Lead", "field": field})
    lead = await org.made("Lead", LastName="L", Company="C", Ext__c="k")
    job = (await org.call("POST", "/jobs/ingest", {"object": "Lead", "operation": "insert"})).body["id"]
    failed: set[str] = set()

    async def send(method: str, path: str, **more: Any) -> None:
        headers = {"Authorization": f"Bearer {org.token}", **more.pop("headers", {})}
        async with org.session.request(method, f"{org.url}{API}{path}", headers=headers, **more) as answer:
            await answer.read()

    with caplog.at_level(logging.ERROR):
        for method, pattern in served():
            if not pattern.startswith("/") or method in {"gRPC", "cometd"} or "Soap" in pattern:
                continue
            every = paths(pattern, (lead, job, "x", "🜚", "-1", "000000000000000AAA"))
            for path, text in zip(itertools.cycle(every), TEXTS * (len(every) // 3 + 1), strict=False):
                await send(method, path, params=dict.fromkeys(PARAMETERS, text), headers=HEADERS)
            if method not in {"GET", "DELETE"}:
                for body in bodies():
                    await send(method, every[0], json=body)
                for content, kind in BROKEN:
                    await send(method, every[0], data=content, headers={"Content-Type": kind})
            failed |= {f"{method} {pattern}: {told(record)}" for record in caplog.records}
            caplog.clear()
    assert not failed, "\n".join(sorted(failed))
    await check_memory(org, start, tmp_path)


async def test_no_bayeux_message_fails_inside(org: Client, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def post(body: Any, *, raw: bytes | None = None) -> Any:
        headers = {"Authorization": f"Bearer {org.token}"}
        async with org.session.post(f"{org.url}/cometd/66.0", json=None if raw else body, data=raw, headers=headers) as answer:
            assert answer.status < 500, body
            return await answer.json()

    with caplog.at_level(logging.ERROR):
        (shaken,) = await post([{"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}])
        whole = {"channel": "/meta/subscribe", "clientId": shaken["clientId"], "subscription": "/data/LeadChangeEvent"}
        for value in UGLY:
            await post(value)
            for channel in ("/meta/handshake", "/meta/subscribe", "/meta/unsubscribe", "/meta/connect", "/x", value):
                for name in ("channel", "clientId", "subscription", "ext", "advice", "id", "connectionType", "version"):
                    await post([{**whole, "advice": {"timeout": 0}, "channel": channel, name: value}, {"channel": "/meta/connect"}])
            await post([{**whole, "ext": {"replay": value}}])
            await post([{**whole, "ext": {"replay": {"/data/LeadChangeEvent": value}}}])
        await post(None, raw=b"[")
    assert not caplog.records
    await check_memory(org, start, tmp_path)


@pytest.mark.parametrize("verb", ["merge", "convertLead", "undelete", "getServerTimestamp", "query"])
async def test_no_soap_envelope_fails_inside(
    org: Client, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture, verb: str
) -> None:
    lead = await org.made("Lead", LastName="L", Company="C")
    texts = (
        *("", "x", lead, f"<a>{lead}</a>", "<leadId/>", f"<leadId>{lead}</leadId><accountId>{lead}</accountId>"),
        *("<type>7</type><Id>x</Id>", "<type>Lead</type><Nothing>x</Nothing>"),
        f"<masterRecord><type>Lead</type><Id>{lead}</Id></masterRecord>",
    )
    head = f"<h:SessionHeader xmlns:h='urn:partner.soap.sforce.com'><h:sessionId>{org.token}</h:sessionId></h:SessionHeader>"
    with caplog.at_level(logging.ERROR):
        for part in ("request", "leadConverts", "ids", "x"):
            for inside in texts:
                body = (
                    f"<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Header>{head}</e:Header><e:Body>"
                    f"<{verb} xmlns='urn:partner.soap.sforce.com'><{part}>{inside}</{part}></{verb}></e:Body></e:Envelope>"
                )
                async with org.session.post(f"{org.url}/services/Soap/u/66.0", data=body) as answer:
                    assert "Envelope" in await answer.text()
    assert not caplog.records
    await check_memory(org, start, tmp_path)
