"""The SOAP API's merge and convertLead: envelopes, answers, refusals, and a session that has died."""

import pytest

from streams.salesforce.api.soap.converting import Converting, convert_call
from streams.salesforce.api.soap.merging import merge_call
from streams.salesforce.api.soap.soap import envelope, fault_in, path_of, results_of
from streams.wire.errors import Unknown

A, B, C = (f"00Q00000000000{number}AAA" for number in (1, 2, 3))
ANSWER = (
    '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com">'
    "<soapenv:Body><mergeResponse>{0}</mergeResponse></soapenv:Body></soapenv:Envelope>"
)
DONE = f"<result><id>{A}</id><mergedRecordIds>{B}</mergedRecordIds><success>true</success></result>"
REFUSED = "<result><errors><message>no</message><statusCode>ENTITY_IS_DELETED</statusCode></errors><success>false</success></result>"
FAULT = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><soapenv:Fault>'
    "<faultcode>sf:INVALID_SESSION_ID</faultcode><faultstring>gone</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
)


def test_a_call_names_the_record_that_stays_and_those_that_end() -> None:
    body = envelope("se<ss>ion", "Tandem/1", merge_call("Lead", [(A, [B, C])])).decode()
    assert "se&lt;ss&gt;ion" in body
    assert [body.count(each) for each in (A, B, C, "recordToMergeIds>")] == [1, 1, 1, 4]
    assert path_of("/services/data/v66.0") == "/services/Soap/u/66.0"


@pytest.mark.parametrize("merges", [[], [(A, [])], [(A, [B, C, A])], [(A, [B])] * 201, [(A, ["x"])]])
def test_more_than_a_call_takes_is_not_sent(merges: list[tuple[str, list[str]]]) -> None:
    with pytest.raises(ValueError, match=r"merges|not a Salesforce id"):
        merge_call("Lead", merges)


def test_each_merge_has_its_answer() -> None:
    done, refused = results_of(ANSWER.format(DONE + REFUSED).encode(), 2, 7, what="merge")
    assert (done.id, done.success, done.until) == (A, True, 7)
    assert (refused.id, refused.success, [error.code for error in refused.errors]) == (None, False, ["ENTITY_IS_DELETED"])


@pytest.mark.parametrize("body", [b"<html>", b"", ANSWER.format(DONE).encode(), b"<!DOCTYPE x>" + ANSWER.format(DONE + DONE).encode()])
def test_an_answer_that_does_not_tell_of_each_leaves_them_in_doubt(body: bytes) -> None:
    with pytest.raises(Unknown):
        results_of(body, 2, 0, what="merge")


def test_a_fault_has_its_code() -> None:
    found = fault_in(FAULT.encode())
    assert found is not None
    assert (found.code, found.message) == ("INVALID_SESSION_ID", "gone")
    assert fault_in(ANSWER.format(DONE).encode()) is None
    assert fault_in(b"<html>") is None


def test_a_conversion_says_what_the_lead_becomes() -> None:
    plain = Converting(lead=A, status="Closed - Converted")
    known = Converting(lead=B, status="Won", account=C, contact=C, opportunity="Deal & more", owner=C)
    body = envelope("s", "Tandem/1", convert_call([plain, known]), duplicates_allowed=True).decode()
    assert [body.count(f"doNotCreateOpportunity>{each}<") for each in ("true", "false")] == [1, 1]
    assert [body.count(f":{tag}>") for tag in ("accountId", "contactId", "ownerId", "opportunityName", "convertedStatus")] == [
        2,
        2,
        2,
        2,
        4,
    ]
    assert "Deal &amp; more" in body
    assert body.count("allowSave>true<") == 1
    assert "DuplicateRuleHeader" not in envelope("s", "Tandem/1", convert_call([plain])).decode()


@pytest.mark.parametrize("count", [0, 101])
def test_more_leads_than_a_call_takes_are_not_sent(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 100 conversions"):
        convert_call([Converting(lead=A, status="x")] * count)
