"""What must never stand in a log, and what must."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from consumers.worker.telemetry.logs import MASK, configure, masked, masked_text


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lookup of anna.müller+x@example.co.uk failed", "lookup of <email> failed"),
        ("filterValues=a%40example.com&fields=id", "filterValues=<email>&fields=id"),
        ("call +49 30 1234-5678 now", "call <phone> now"),
        ("call (030) 123 45 67", "call <phone>"),
        ("call 415-555-0123", "call <phone>"),
        ("Authorization: Bearer 00Dxx0000001gPL!AR8AQ.x_y", f"Authorization: Bearer {MASK}"),
        ("POST /token client_id=abc&client_secret=s3cr3t&x=1", f"POST /token client_id=abc&client_secret={MASK}&x=1"),
        ('{"access_token": "abc:lon", "scope": "x"}', f'{{"access_token": "{MASK}", "scope": "x"}}'),
        ("postgresql://tandem:pa55word@127.0.0.1:5432/tandem", f"postgresql://tandem:{MASK}@127.0.0.1:5432/tandem"),
        ("session 00D5g000004abcd!AQEAQK.q_x lost", f"session {MASK} lost"),
        ("assertion eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0abc.sig-nature", f"assertion {MASK}"),
    ],
)
def test_texts_lose_what_is_private(text: str, expected: str) -> None:
    assert masked_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T16:19:01.123Z replay id 18446744073709551615",
        "lead 00Q5g00000ABCDEFGH and person 1003489 at offset 123456789",
        "http://127.0.0.1:9092/rest/v1/leads.json?fields=id",
        "crm.marketo.person.v1 partition 3, 2026-11-23 16:19:01",
        "waited 1700000000000 ms, 10.0.0.1:5432",
    ],
)
def test_texts_keep_what_helps(text: str) -> None:
    assert masked_text(text) == text


@pytest.mark.parametrize(
    "key", ["password", "clientSecret", "access_token", "Email", "MobilePhone", "first_name", "LastName", "dsn", "Authorization"]
)
def test_private_keys_lose_their_values(key: str) -> None:
    assert masked({"outer": [{key: "whatever it is"}]}) == {"outer": [{key: MASK}]}
    assert masked({key: None}) == {key: None}


@pytest.mark.parametrize("value", [{"lead": "1003489", "count": 3, "ok": True, "share": 0.5, "none": None}])
def test_other_values_stay_as_they_are(value: dict[str, Any]) -> None:
    assert masked(value) == value


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_our_logs_and_the_libraries_are_json_lines_without_private_data() -> None:
    out = io.StringIO()
    configure(stream=out)
    structlog.get_logger("streams.relay.relay").bind(source="cdc").warning("can't read anna@example.com", email="anna@example.com", count=2)
    logging.getLogger("some.library").error("refused for %s", "bob@example.com")
    try:
        int("carol@example.com")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    ours, theirs, trace = lines(out)
    assert (ours["event"], ours["email"], ours["count"], ours["source"]) == ("can't read <email>", MASK, 2, "cdc")
    assert (ours["level"], ours["logger"]) == ("warning", "streams.relay.relay")
    assert ours["timestamp"].endswith("Z")
    assert theirs["event"] == "refused for <email>"
    assert "ValueError" in trace["exception"]
    assert "example.com" not in out.getvalue()


def test_levels_hold_and_chatty_libraries_are_quiet() -> None:
    out = io.StringIO()
    configure(stream=out, level="info")
    structlog.get_logger("a").debug("no")
    structlog.get_logger("a").info("yes")
    logging.getLogger("aiokafka.cluster").info("no")
    logging.getLogger("aiokafka.cluster").warning("yes")
    assert [line["event"] for line in lines(out)] == ["yes", "yes"]


def test_people_at_a_terminal_get_words() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    configure(stream=out)
    structlog.get_logger("a").info("hello", to="dan@example.com")
    assert "hello" in out.getvalue()
    assert not out.getvalue().startswith("{")
    assert "dan@example.com" not in out.getvalue()
