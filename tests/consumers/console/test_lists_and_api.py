"""Tables, their exports, and the same answers for programs."""

import csv
import hashlib
import io
import json
import re
from pathlib import Path

import asyncpg
import jsonschema
import msgspec
import pytest

from consumers.console.access.roles import Role
from consumers.console.api.acts.registry import ACTS
from consumers.console.api.documents import DOCUMENTS
from consumers.console.api.openapi import openapi
from consumers.console.masking import masked
from consumers.console.pages.record import name_in
from consumers.console.rendering import STATIC
from consumers.console.tables.catalogue import BY_NAME, TABLES
from consumers.console.tables.table import Column, Table, arranged, as_csv, terms_of
from consumers.copy.progress import source_of
from consumers.copy.quote import Limits, Matches, quoted, salesforce_part
from consumers.copy.store import begin
from streams.budget.reckoning.state import BudgetState
from streams.ground.clock import now_ms
from tests.consumers.console.served import served, settings_on
from tests.consumers.console.troubled import fill

ASKS_SYSTEMS = {"hidden"}
"""Tables for which both systems are asked, which are away here."""
TEMPLATES = STATIC.parent / "templates"


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("ada@example.com", "ada@example.com"),
        ("https://a.my.salesforce.com/lightning/r/Lead/00Q5f000005bwLFEAY/view", "00Q5f000005bwLFEAY"),
        ("https://a.my.salesforce.com/00Q5f000005bwLF", "00Q5f000005bwLF"),
        ("https://app.marketo.com/leadDatabase/loadLeadDetail?leadId=1001", "1001"),
        ("http://localhost:80/ui/marketo/Lead/1001", "1001"),
    ],
)
def test_a_pasted_address_names_a_record(asked: str, name: str) -> None:
    assert name_in(asked) == name


async def nothing(_ground: object, _most: int) -> list[object]:
    return []


FRUIT = Table(
    name="fruit",
    title="Fruit",
    words="",
    teaches="",
    ask=nothing,
    columns=(
        Column(key="name", title="Name", get=lambda row: row[0]),
        Column(key="count", title="Count", get=lambda row: row[1], choices=True),
    ),
)
ROWS = [("pear", 2), ("=apple", 10), ("fig", 2)]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["pear", "=apple", "fig"]),
        ({"fruit.q": "P"}, ["pear", "=apple"]),
        ({"count": "2", "sort": "name"}, ["fig", "pear"]),
        ({"fruit.sort": "-count"}, ["=apple", "pear", "fig"]),
        ({"fruit.sort": "nonsense"}, ["pear", "=apple", "fig"]),
    ],
)
def test_a_table_is_filtered_and_sorted_by_its_address(query: dict[str, str], names: list[str]) -> None:
    assert [cells["name"] for _, cells in arranged(FRUIT, ROWS, terms_of(FRUIT, query))] == names


def test_a_spreadsheet_takes_nothing_for_a_formula() -> None:
    told = as_csv(FRUIT, [{"name": "=apple", "count": 1}])
    assert list(csv.reader(io.StringIO(told))) == [["Name", "Count"], ["'=apple", "1"]]


def test_what_nobody_has_said_to_be_impersonal_is_not_shown() -> None:
    with pytest.raises(TypeError, match="personal"):
        masked(object())


def test_the_api_is_described_by_what_it_is_made_of() -> None:
    told = openapi()
    assert {path.removeprefix("/api/v1") for path in told["paths"]} == {each.path for each in DOCUMENTS} | {
        f"/{each.name}" for each in TABLES
    } | {each.path for each in ACTS}
    for schema in told["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(told)
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', text)) <= set(told["components"]["schemas"])
    assert {operation["x-role"] for path in told["paths"].values() for operation in path.values()} <= set(Role)


def test_pages_hold_no_script_and_no_style_of_their_own() -> None:
    for file in TEMPLATES.glob("*.html"):
        text = file.read_text()
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:|https?://", text), file.name
        assert "|safe" not in text, file.name


def test_vendored_files_are_what_their_list_says() -> None:
    vendored = json.loads((STATIC / "vendor" / "vendored.json").read_text())
    assert {each.name for each in (STATIC / "vendor").iterdir() if each.suffix in (".js", ".css")} == vendored.keys()
    for name, each in vendored.items():
        assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == each["sha256"], name
        assert each["version"]
        assert each["licence"]


@pytest.mark.integration
async def test_programs_get_what_pages_show_masked_unless_an_operator_asks(postgres: str, tmp_path: Path) -> None:
    pairs = await fill(postgres)
    tokens = tmp_path / "tokens.txt"
    lines = [f"{role} {role} {hashlib.sha256(str(role).encode()).hexdigest()}" for role in Role]
    tokens.write_text("\n".join(lines))
    async with served(settings_on(postgres, tmp_path, tokens=str(tokens))) as browser:
        viewer, operator, admin = ({"authorization": f"Bearer {role}"} for role in Role)
        for table in TABLES:
            needed = admin if table.role is Role.ADMIN else viewer
            status, text, _ = await browser.get(f"/api/v1/{table.name}", **needed)
            assert status == (503 if table.name in ASKS_SYSTEMS else 200), (table.name, text)
            if status == 503:
                continue
            for row in json.loads(text):
                assert row.keys() == {column.key for column in table.columns}, table.name
            assert "Lovelace" not in text
        for document in DOCUMENTS:
            path = document.path.format(pair=pairs["ada"], field="title", version=1) + (
                "?name=ada@example.com" if document.name == "records" else ""
            )
            status, text, _ = await browser.get(f"/api/v1{path}", **viewer)
            assert status == 200, (document.name, text)
            assert "Lovelace" not in text, document.name
            assert "Countess" not in text, document.name
        assert (await browser.get("/api/v1/audit-log", **operator))[0] == 403
        assert (await browser.get(f"/api/v1/records/{pairs['ada']}?reveal=1", **viewer))[0] == 403
        assert (await browser.get("/api/v1/records/999999", **viewer))[0] == 404
        status, text, _ = await browser.get(f"/api/v1/records/{pairs['ada']}?reveal=1", **operator)
        assert (status, "Lovelace" in text) == (200, True)
        status, text, _ = await browser.get("/api/v1/audit-log", **admin)
        assert next((row["who"], row["act"]) for row in json.loads(text)) == ("program:operator", "reveal")
        await browser.sign_in()
        status, text, headers = await browser.get("/tables/rules.csv?rules.object=lead&rules.q=title")
        assert (status, headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert [row[1] for row in csv.reader(io.StringIO(text))] == ["In Salesforce", "Title"]
        for name in BY_NAME:
            assert (await browser.get(f"/tables/{name}.json"))[0] == (503 if name in ASKS_SYSTEMS else 200), name


@pytest.mark.integration
async def test_the_backlog_says_whether_the_calls_last_and_how_far_the_first_copy_is(postgres: str, tmp_path: Path) -> None:
    async with served(settings_on(postgres, tmp_path)) as browser:
        await browser.sign_in()
        _, text, _ = await browser.get("/backlog")
        assert "No call has been made yet" in text
        assert "There was no first copy" in text
        database = await asyncpg.connect(postgres)
        now = now_ms()
        busy = BudgetState(day_used=49_000, day_limit=50_000, day_ends=now + 3_600_000, hour=((now - 600_000, 3_000, 0, 0.0),))
        await database.execute("insert into budgets values ('marketo', 1, $1)", msgspec.json.encode(busy).decode())
        part = salesforce_part("lead", 1_000, 100.0)
        limits = Limits(salesforce_left=9_000, salesforce_day=9_000, marketo_left=9_000, marketo_day=9_000)
        await begin(database, quoted([part], Matches(), limits, others_to_marketo=0, since_ms=0, until_ms=1), now)
        mark = '{"object":"lead","job":"1","rows":600,"total":1100,"calls":4,"bytes":700}'
        await database.execute(
            "insert into source_positions (source, epoch, position, taken_ms, taken_by) values ($1, 1, $2, 1, 'w')", source_of(part), mark
        )
        await database.close()
        _, text, _ = await browser.get("/backlog")
        said = " ".join(text.split())
        assert "49,000 of 50,000 calls" in said
        assert "At this rate they are used up at" in said
        assert "Copy 1 is running" in said
        assert "600 of 1,100 rows" in said
        assert "Nothing waits." in said


@pytest.mark.integration
async def test_what_somebody_has_paused_is_said_with_who_and_why(postgres: str, tmp_path: Path) -> None:
    await fill(postgres)
    tokens = tmp_path / "tokens.txt"
    tokens.write_text(f"warehouse viewer {hashlib.sha256(b'let me in').hexdigest()}")
    async with served(settings_on(postgres, tmp_path, tokens=str(tokens))) as browser:
        connection = await asyncpg.connect(postgres)
        await connection.execute("insert into pauses (system, who, why, since_ms) values ('marketo', 'olga', 'a campaign', 1)")
        await connection.execute("insert into pauses (system, pair, who, why, since_ms) values ('salesforce', 1, 'olga', 'one record', 1)")
        await connection.close()
        told = json.loads((await browser.get("/api/v1/health", authorization="Bearer let me in"))[1])
        assert (told["word"], told["why"]) == ("paused", "nothing is written to marketo, by olga: a campaign")
        await browser.sign_in()
        assert "Paused: nothing is written to Marketo, by olga: a campaign." in (await browser.get("/"))[1]
