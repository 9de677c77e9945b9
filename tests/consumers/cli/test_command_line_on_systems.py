"""The commands against the sandbox systems and a real ledger."""

import asyncio
import csv
import io
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from consumers.cli.application import app
from consumers.merge.pair.decision import Decision, Origin, Ruling, Verdict, encode
from consumers.merge.pair.state import NEVER, Field, PairState, Record, Side
from consumers.merge.pair.stored import pack
from streams.wire.events import Happened
from streams.wire.systems import Object, System

pytestmark = pytest.mark.integration
runner = CliRunner()


@pytest.fixture
def environ(sandbox: dict[str, Any], postgres: str) -> dict[str, str]:
    own = sandbox["tandem"]
    return {
        "SALESFORCE_SECRET": own["salesforce"]["client_secret"],
        "MARKETO_SECRET": own["marketo"]["client_secret"],
        "DSN": postgres,
    }


@pytest.fixture
def config(sandbox: dict[str, Any], tmp_path: Path) -> str:
    operate(sandbox, "clock", {"advance_seconds": 21})  # each test has Marketo's 100 calls in 20 seconds to itself
    salesforce, marketo = sandbox["tandem"]["salesforce"], sandbox["tandem"]["marketo"]
    file = tmp_path / "tandem.yaml"
    file.write_text(
        f"salesforce: {{url: '{salesforce['url']}', client_id: '{salesforce['client_id']}', client_secret: {{env: SALESFORCE_SECRET}}}}\n"
        f"marketo: {{url: '{marketo['url']}', client_id: '{marketo['client_id']}', client_secret: {{env: MARKETO_SECRET}}}}\n"
        "kafka: {bootstrap_servers: '127.0.0.1:1'}\n"
        "postgres: {dsn: {env: DSN}}\n"
    )
    return str(file)


def tandem(config: str, environ: dict[str, str], *arguments: str) -> Result:
    return runner.invoke(app, [*arguments, "-c", config], env=environ)


def operate(sandbox: dict[str, Any], verb: str, body: dict[str, Any]) -> Any:
    """What a person does in one of the systems."""
    request = urllib.request.Request(f"{sandbox['sandbox']['url']}/{verb}", data=json.dumps(body).encode(), method="POST")  # noqa: S310 - our own sandbox
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own sandbox
        return json.loads(answer.read())


@pytest.fixture
def anonymous_activities(sandbox: dict[str, Any]) -> Iterator[None]:
    """An instance whose activities do not name the API user."""
    operate(sandbox, "marketo/activity_attributes", {"deliver": False})
    yield
    operate(sandbox, "marketo/activity_attributes", {"deliver": True})


def run(dsn: str, *statements: tuple[str, tuple[object, ...]]) -> None:
    async def go() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            for sql, arguments in statements:
                await connection.execute(sql, *arguments)
        finally:
            await connection.close()

    asyncio.run(go())


def test_setup_makes_what_check_misses(config: str, environ: dict[str, str]) -> None:
    plan = json.loads(tandem(config, environ, "setup", "--json").stdout)
    missing = {field["name"] for field in plan["marketo"]}
    before = json.loads(tandem(config, environ, "check", "--json").stdout)
    problems = {each["field"] for each in before["findings"] if each["level"] == "problem"}
    assert missing - {"tandemStamp"} <= problems
    assert before["problems"] == sum(each["level"] == "problem" for each in before["findings"])

    done = tandem(config, environ, "setup", "--yes")
    assert all(f"Created in Marketo: {name} " in done.stdout for name in missing)

    again = json.loads(tandem(config, environ, "setup", "--json").stdout)
    assert again["marketo"] == []
    assert again["flow_steps"] == [], "nothing is served"
    with Path(config).open("a") as file:
        file.write("flow_steps: {key: {env: MARKETO_SECRET}, url: 'https://tandem.example.com'}\n")
    assert "  https://tandem.example.com/flow-steps/convert/openapi.json" in tandem(config, environ, "setup").stdout
    after = json.loads(tandem(config, environ, "check", "--json").stdout)
    assert not {each["field"] for each in after["findings"] if each["level"] == "problem"} & missing
    assert after["marketo_user"]
    assert after["salesforce_user"].startswith("005")


def test_setup_makes_types_of_activities_once(config: str, environ: dict[str, str], tmp_path: Path) -> None:
    chosen = tmp_path / "activities.yaml"
    chosen.write_text(f"{Path(config).read_text()}\ntask: {{as: activity}}\nevent: {{as: activity}}\n")
    plan = json.loads(tandem(str(chosen), environ, "setup", "--json").stdout)
    assert [each.split(" ")[2] for each in plan["types"]] == ["salesforceTask", "salesforceEvent"]
    assert not plan["complete"]
    before = json.loads(tandem(str(chosen), environ, "check", "--json").stdout)
    assert {"task", "event"} <= {each["object"] for each in before["findings"] if "no approved activity type" in each["message"]}

    done = tandem(str(chosen), environ, "setup", "--yes")
    assert "Created in Marketo: activity type salesforceTask (Salesforce Task), with salesforceId, " in " ".join(done.stdout.split())
    again = json.loads(tandem(str(chosen), environ, "setup", "--json").stdout)
    assert again["types"] == []
    after = json.loads(tandem(str(chosen), environ, "check", "--json").stdout)
    assert not [each for each in after["findings"] if each["level"] == "problem" and each["object"] in ("task", "event")]

    chosen.write_text(f"{Path(config).read_text()}\ntask: {{as: activity, fields: {{reason: {{salesforce: CallObject, type: text}}}}}}\n")
    more = json.loads(tandem(str(chosen), environ, "setup", "--json").stdout)
    assert more["types"] == ["activity type salesforceTask: add reason, then approve it"]
    tandem(str(chosen), environ, "setup", "--yes")
    assert json.loads(tandem(str(chosen), environ, "setup", "--json").stdout)["types"] == []


def test_check_for_people_says_what_to_do(config: str, environ: dict[str, str]) -> None:
    result = tandem(config, environ, "check", "--notes")
    assert "mapped fields compared" in result.stdout
    assert "longer text is refused" in result.stdout
    assert result.exit_code == 3, "of Kafka, which is nowhere here"


def test_the_canary_hears_its_own_name(config: str, environ: dict[str, str], sandbox: dict[str, Any]) -> None:
    tandem(config, environ, "setup", "--yes")
    told = json.loads(tandem(config, environ, "check", "--canary", "--json").stdout)["canary"]
    assert (told["mode"], told["named_user"]) == ("user", told["own_user"])


@pytest.mark.usefixtures("anonymous_activities")
def test_the_canary_asks_for_a_stamp_where_activities_name_nobody(config: str, environ: dict[str, str], sandbox: dict[str, Any]) -> None:
    tandem(config, environ, "setup", "--yes")
    person = operate(sandbox, "marketo/person/create", {"fields": {"email": "somebody@example.com"}})["id"]
    told = json.loads(tandem(config, environ, "check", "--canary", "--canary-id", str(person), "--json").stdout)["canary"]
    assert (told["mode"], told["named_user"], told["person"]) == ("stamp", None, str(person))


def test_a_system_that_is_away_is_said_with_3(config: str, environ: dict[str, str]) -> None:
    text = Path(config).read_text()
    Path(config).write_text(text.replace(_port(text, "marketo"), "1"))
    result = tandem(config, environ, "check")
    assert result.exit_code == 3
    assert "no connection to http://localhost:1 (" in result.stdout
    assert "Check marketo.url" in result.stdout


def _port(text: str, system: str) -> str:
    line = next(line for line in text.splitlines() if line.startswith(system))
    return line.split("url: 'http://localhost:")[1].split("'")[0]


def test_record_and_explain(config: str, environ: dict[str, str], sandbox: dict[str, Any]) -> None:
    tandem(config, environ, "setup", "--yes")
    person = str(
        operate(sandbox, "marketo/person/create", {"fields": {"email": "zoe@example.com", "title": "CTO", "lastName": "Ångström"}})["id"]
    )
    fields = {
        "email": Field(value="zoe@example.com", version=1, marketo=Side(seen="zoe@example.com", shows=1)),
        "title": Field(value="CEO", version=4, marketo=Side(seen="CTO", shows=NEVER)),
        "lastName": Field(value="Angstrom", version=1, marketo=Side(seen="Angstrom", shows=1)),
    }
    state = PairState(fields=fields, marketo=Record(id=person, complete=True))
    lost = Ruling(
        field="title", verdict=Verdict.LOST, value="CTO", agreed="CEO", version=4, lost="CTO", rule="salesforce@1", reason="it wins"
    )
    body = encode(Decision(kind="judged", at=1, pair=1, system=System.MARKETO, record=person, fields=(lost,)))
    run(
        environ["DSN"],
        ("insert into pairs (marketo_id, match_key, state, updated_at) values ($1, 'zoe@example.com', $2, 0)", (person, pack(state))),
        ("insert into decisions (at, pair, kind, body) values (1, 1, 'judged', $1)", (body,)),
    )

    told = json.loads(tandem(config, environ, "record", "zoe@example.com", "--json").stdout)
    (record,) = told["records"]
    sides = {each["field"]: each["marketo"] for each in record["fields"]}
    assert record["marketo_id"] == person
    assert sides["email"]["mark"] == "same"
    assert sides["title"] == {"value": "CTO", "mark": "lost", "set_ms": 0, "why": "its value lost; the agreement is owed"}
    assert sides["lastName"] == {"value": "Ångström", "mark": "news", "set_ms": 0, "why": "changed in marketo; its feed has not told yet"}

    plain = tandem(config, environ, "record", person)
    assert "2 not in step" in plain.stdout
    assert "not in Salesforce: the person does not qualify" in plain.stdout
    assert "(the systems were not asked)" in tandem(config, environ, "record", person, "--no-live").stdout
    assert [("email" in tandem(config, environ, "record", person, *option).stdout.split()) for option in ([], ["--all"])] == [False, True]

    story = tandem(config, environ, "explain", "zoe@example.com", "Title")
    assert story.exit_code == 0
    assert story.stdout.splitlines()[0] == "title of Angstrom (zoe@example.com)"
    assert "Somebody changed it to “CTO” in Marketo while it was “CEO” in Salesforce" in story.stdout
    assert "Now: Marketo has “CTO” and is owed “CEO”." in story.stdout
    assert "Not sent to Salesforce: the person does not qualify" in story.stdout
    assert "version" not in story.stdout
    technical = tandem(config, environ, "explain", "zoe@example.com", "Title", "--technical")
    assert "Conflict, decided by salesforce@1 (it wins): “CTO” lost, “CEO” stays; Marketo is owed it." in technical.stdout
    ((chapter,),) = [each["chapters"] for each in json.loads(tandem(config, environ, "explain", person, "title", "--json").stdout)]
    assert (chapter["verdict"], chapter["lost"], chapter["agreed"]) == ("lost", "CTO", "CEO")
    assert "No decision has touched it" in tandem(config, environ, "explain", person, "phone").stdout


def company_made(sandbox: dict[str, Any], key: str, fields: dict[str, Any]) -> None:
    """A company in Marketo, as an integration makes it."""
    own = sandbox["marketo"]
    signed = f"grant_type=client_credentials&client_id={own['client_id']}&client_secret={own['client_secret']}"
    with urllib.request.urlopen(f"{own['url']}/identity/oauth/token?{signed}", timeout=10) as answer:  # noqa: S310 - our own sandbox
        token = json.loads(answer.read())["access_token"]
    request = urllib.request.Request(  # noqa: S310 - our own sandbox
        f"{own['url']}/rest/v1/companies.json", method="POST",
        data=json.dumps({"action": "createOrUpdate", "input": [{"externalCompanyId": key, **fields}]}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own sandbox
        assert json.loads(answer.read())["result"][0]["status"] in ("created", "updated")


def test_record_and_explain_of_an_account(config: str, environ: dict[str, str], sandbox: dict[str, Any]) -> None:
    """Asked live, as a person is: each kind where Marketo keeps it."""
    fields = {"Name": "Acme", "Industry": "Banking"}
    account = operate(sandbox, "salesforce/create", {"object": "Account", "fields": fields})["id"]
    company_made(sandbox, account, {"company": "Acme", "industry": "Energy"})
    told = {
        "company": Field(value="Acme", version=1, salesforce=Side(seen="Acme", shows=1), marketo=Side(seen="Acme", shows=1)),
        "industry": Field(value="Banking", version=2, salesforce=Side(seen="Banking", shows=2), marketo=Side(seen="Energy", shows=1)),
    }
    state = PairState(
        object=Object("account"), counterpart=Object("company"), fields=told,
        salesforce=Record(id=account, complete=True), marketo=Record(id=account, complete=True, origin="salesforce"),
    )  # fmt: skip
    columns = "salesforce_object, marketo_object, salesforce_id, marketo_id, state, updated_at"
    kept = f"insert into pairs ({columns}) values ('account', 'company', $1, $1, $2, 0)"  # noqa: S608 - of our own words
    run(environ["DSN"], (kept, (account, pack(state))))
    asked = tandem(config, environ, "record", account, "--json")
    assert asked.exit_code == 0, asked.stderr
    answer = json.loads(asked.stdout)
    ((record,), notes) = answer["records"], answer["notes"]
    sides = {each["field"]: (each["salesforce"]["value"], each["marketo"]["value"], each["marketo"]["mark"]) for each in record["fields"]}
    assert (record["person"], record["object"], notes) == ("Acme", "account", [])
    assert (sides["company"], sides["industry"]) == (("Acme", "Acme", "same"), ("Banking", "Energy", "owed"))
    shown = tandem(config, environ, "record", account[:15]).stdout
    assert shown.startswith("Acme, account pair:1")
    assert "not there any more" not in shown
    story = tandem(config, environ, "explain", account, "Industry")
    assert story.stdout.splitlines()[0] == "industry of Acme"
    assert "Now: Marketo has “Energy” and is owed “Banking”." in story.stdout


def test_explain_calls_people_by_their_names(config: str, environ: dict[str, str], sandbox: dict[str, Any]) -> None:
    user = json.loads(tandem(config, environ, "check", "--json").stdout)["salesforce_user"]
    fields = {"title": Field(value="CEO", version=1, salesforce=Side(seen="CEO", shows=1))}
    event = Origin(topic="crm.salesforce.lead.v1", partition=0, offset=1, source="cdc", kind=Happened.UPDATED, at=1_000, author=user)
    accepted = Ruling(field="title", verdict=Verdict.ACCEPTED, value="CEO", agreed="CEO", version=1)
    body = encode(Decision(kind="judged", at=1, pair=1, system=System.SALESFORCE, record="x", event=event, fields=(accepted,)))
    run(
        environ["DSN"],
        (
            "insert into pairs (marketo_id, state, updated_at) values ('7', $1, 0)",
            (pack(PairState(fields=fields, marketo=Record(id="7"))),),
        ),
        ("insert into decisions (at, pair, kind, body) values (1, 1, 'judged', $1)", (body,)),
    )
    told = tandem(config, environ, "explain", "7", "title").stdout
    assert "changed it to “CEO” in Salesforce" in told
    assert user not in told
    assert user in tandem(config, environ, "explain", "7", "title", "--no-live").stdout


def test_what_is_not_known_is_said_with_1(config: str, environ: dict[str, str]) -> None:
    unknown = tandem(config, environ, "record", "nobody@example.com")
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert "no person with the e-mail nobody@example.com is known" in unknown.stderr
    run(environ["DSN"], ("insert into pairs (marketo_id, state, updated_at) values ('7', $1, 0)", (pack(PairState()),)))
    field = tandem(config, environ, "explain", "7", "titel")
    told = "titel is not a mapped field of a lead, so that no change of it is passed on; did you mean title?\n"
    assert (field.exit_code, field.stderr) == (1, told)


def test_lists_are_for_people_for_programs_and_for_spreadsheets(config: str, environ: dict[str, str]) -> None:
    fields = {key: Field(value=value, version=1) for key, value in {"lastName": "=Ångström", "email": "zoe@example.com"}.items()}
    state = pack(PairState(marketo=Record(id="7"), fields=fields))
    run(
        environ["DSN"],
        ("insert into pairs (marketo_id, state, updated_at, held) values ('7', $1, 0, 'ambiguous match: 2 people')", (state,)),
        ("insert into refusals select id, 'marketo', 'lastName', '1077 too long', 5 from pairs", ()),
    )
    held = tandem(config, environ, "list", "held")
    assert (held.exit_code, "=Ångström" in held.stdout, "ambiguous match: 2 people" in held.stdout) == (0, True, True)
    (line,) = json.loads(tandem(config, environ, "list", "refused", "--json").stdout)
    assert (line["person"], line["system"], line["field"], line["why"]) == ("=Ångström", "marketo", "lastName", "1077 too long")
    (row,) = csv.DictReader(io.StringIO(tandem(config, environ, "list", "refused", "--csv").stdout))
    assert (row["person"], row["email"], row["marketo_id"]) == ("'=Ångström", "zoe@example.com", "7")
    assert tandem(config, environ, "list", "contested").stdout == "No field is contested.\n"
    assert tandem(config, environ, "list", "held", "--csv", "--json").exit_code == 2


def braked(dsn: str) -> None:
    fields = {key: Field(value=value, version=1) for key, value in {"lastName": "Ångström", "email": "zoe@example.com"}.items()}
    state = pack(PairState(salesforce=Record(id="00QA0000001tXYZMA2"), fields=fields))
    run(
        dsn,
        ("insert into pairs (salesforce_id, state, updated_at) values ('00QA0000001tXYZMA2', $1, 0)", (state,)),
        ("insert into braked_deletes values ('lead', 1234, 5000, 77, '{00QA0000001tXYZMA2,00QA0000001tXYaMAM}', 1)", ()),
    )


def test_many_deletes_are_shown_and_confirmed_only_when_somebody_says_so(config: str, environ: dict[str, str]) -> None:
    nothing = tandem(config, environ, "confirm-deletes", "lead", "--yes")
    assert (nothing.exit_code, nothing.stderr) == (1, "No deletes of leads wait for a confirmation; nothing was done.\n")
    braked(environ["DSN"])
    for answer in ("n\n", ""):
        asked = runner.invoke(app, ["confirm-deletes", "lead", "--config", config], env=environ, input=answer)
        assert asked.exit_code == 1
        assert "1,234 of 5,000 leads (25 %) were deleted in Salesforce at once." in asked.stdout
        assert "Ångström (zoe@example.com)\n  00QA0000001tXYaMAM\n  and 1,232 more" in asked.stdout
    assert tandem(config, environ, "confirm-deletes", "lead", "--json").exit_code == 1
    assert tandem(config, environ, "confirm-deletes", "contact", "--yes").exit_code == 1
    assert "No deletes of accounts wait" in tandem(config, environ, "confirm-deletes", "account", "--yes").stderr
    unknown = tandem(config, environ, "confirm-deletes", "acount", "--yes")
    assert (unknown.exit_code, "account, lead, contact" in unknown.stderr) == (2, True)
    assert tandem(config, environ, "confirm-deletes", "lead", "--yes").exit_code == 0
    again = tandem(config, environ, "confirm-deletes", "lead", "--yes")
    assert (again.exit_code, "wait for a confirmation" in again.stderr) == (1, True)


def test_a_yes_confirms_the_deletes_that_were_shown(config: str, environ: dict[str, str]) -> None:
    braked(environ["DSN"])
    said = runner.invoke(app, ["confirm-deletes", "lead", "--config", config], env=environ, input="y\n")
    assert (said.exit_code, "Confirmed: these 1,234 deletes" in said.stdout) == (0, True)
    run(environ["DSN"], ("update braked_deletes set until_ms = 78", ()))
    later = json.loads(tandem(config, environ, "confirm-deletes", "lead", "--yes", "--json").stdout)
    assert later["until_ms"] == 78, "what was deleted later had not been confirmed"


def test_status_goes_on_without_kafka_and_says_so_with_3(config: str, environ: dict[str, str]) -> None:
    plain = tandem(config, environ, "status")
    assert plain.exit_code == 3
    assert plain.stdout.startswith("Degraded: Kafka at 127.0.0.1:1 can't be reached (")
    assert "No people are known yet" in plain.stdout
    told = json.loads(tandem(config, environ, "status", "--json").stdout)
    assert (told["pairs"]["pairs"], told["state"]) == (0, "degraded")
    assert [each["where"] for each in told["troubles"]] == ["kafka", "workers"]


@pytest.fixture
def hidden_title(sandbox: dict[str, Any]) -> Iterator[None]:
    """A field that Tandem's user may not see."""
    right = {"object": "Contact", "field": "Title", "user": sandbox["tandem"]["salesforce"]["username"]}
    operate(sandbox, "salesforce/set_field_permission", {**right, "readable": False, "editable": False})
    yield
    operate(sandbox, "salesforce/set_field_permission", {**right, "readable": True, "editable": True})


@pytest.mark.usefixtures("hidden_title")
def test_visibility_says_what_is_hidden_and_why(config: str, environ: dict[str, str]) -> None:
    tandem(config, environ, "setup", "--yes")
    result = tandem(config, environ, "visibility", "contact", "--json")
    assert result.exit_code == 1, result.output
    lines = {(each["system"], each["field"]): each for each in json.loads(result.stdout)}
    assert {each["object"] for each in lines.values()} == {"contact"}
    assert (lines["salesforce", "Title"]["sight"], lines["salesforce", "Title"]["why"]) == ("hidden", "no field permission")
    assert (lines["marketo", "title"]["sight"], lines["marketo", "title"]["why"]) == ("stopped", "other side")
    assert lines["salesforce", "FirstName"]["why"] == "both ways"
    assert lines["salesforce", "MailingAddress"]["why"] == "type"
    shown = tandem(config, environ, "visibility", "contact")
    assert "hidden from Tandem's user" in shown.stdout
    assert "--all names them" in shown.stdout
    assert tandem(config, environ, "visibility", "nothing").exit_code == 2


@pytest.mark.usefixtures("hidden_title")
def test_fields_offers_what_is_new_and_the_line_maps_it(config: str, environ: dict[str, str], sandbox: dict[str, Any]) -> None:
    tandem(config, environ, "setup", "--yes")
    operate(sandbox, "salesforce/define_field", {"object": "Account", "field": {"name": "Fleet_Size__c", "type": "int"}})
    result = tandem(config, environ, "fields", "--json")
    assert result.exit_code == 1, result.output
    lines = {(each["object"], each["system"], each["field"]): each for each in json.loads(result.stdout)}
    offered = lines["account", "salesforce", "Fleet_Size__c"]
    assert offered["standing"] == "offered"
    assert offered["line"] == "account: {fields: {fleetSize: {salesforce: Fleet_Size__c, type: number}}}"
    assert lines["contact", "salesforce", "Title"]["standing"] == "vanished"
    assert tandem(config, environ, "fields", "account").exit_code == 0
    assert "Fleet_Size__c" in tandem(config, environ, "fields", "account").stdout
    Path(config).write_text(Path(config).read_text() + offered["line"] + "\n")
    assert "fleetSize" in tandem(config, environ, "config", "mapping").stdout
