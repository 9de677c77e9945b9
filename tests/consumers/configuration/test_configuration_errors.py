"""What is wrong in a configuration file is told with line, column, key and remedy; everything at once."""

from pathlib import Path

import pytest

from consumers.configuration.loading import ConfigurationError, load

ENVIRON = {"SF": "salesforce-secret", "MK": "marketo-secret", "PG": "postgresql://t:pg-secret@localhost/t", "EMPTY": ""}
SECTIONS = {
    "salesforce": "salesforce: {url: https://a.my.salesforce.com, client_id: app, client_secret: {env: SF}}",
    "marketo": "marketo: {url: https://1-A-2.mktorest.com, client_id: api, client_secret: {env: MK}}",
    "kafka": "kafka: {bootstrap_servers: localhost:9092}",
    "postgres": "postgres: {dsn: {env: PG}}",
}


def problems(tmp_path: Path, text: str) -> list[str]:
    """What is said of a file, without its path."""
    file = tmp_path / "tandem.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(file, ENVIRON)
    return [line.removeprefix(f"{file}:") for line in str(caught.value).splitlines()]


def complete(extra: str, **replaced: str) -> str:
    """A whole file: the snippet first, so that its lines count from 1, then the sections that it does not bring."""
    rest = [replaced.get(name, text) for name, text in SECTIONS.items() if not extra.startswith(f"{name}:")]
    return "\n".join([extra, *(line for line in rest if line)])


CASES = {
    "unknown section": ("peple: {}", ["1:1: peple: unknown key; did you mean people?"]),
    "unknown key, nothing near": (
        "web: {zzz: 1}",
        ["1:7: web.zzz: unknown key; known here: host, port, token"],
    ),
    "a key that has moved": (
        "postgres: {dsn: {env: PG}, decisions_days: 30}",
        ["1:28: postgres.decisions_days: this is retention.decisions_days now; move it there"],
    ),
    "deleted people kept for too short a time": (
        "retention: {deleted_people_days: 29}",
        [
            (
                "1:13: retention.deleted_people_days: 29 is too short: a record can come back out of a recycle bin, or off a topic, "
                "for weeks; write 30 or more, or 0 to keep them for ever"
            )
        ],
    ),
    "a data stream without what it needs": (
        "pushes: {data_stream: webhook, munchkin_id: 1-A-2}",
        [("1:1: pushes.adobe_client_id: needed where data_stream is webhook; the project in Adobe's developer console shows it")],
    ),
    "what the data stream has no use for": (
        "pushes: {journal_url: 'https://a.b'}",
        ["1:10: pushes.journal_url: of no use where data_stream is no; remove it, or set data_stream"],
    ),
    "a retention that is no number of days": (
        "retention: {cycles_days: -1}",
        ["1:26: retention.cycles_days: '-1' is not a whole number from 0 to 3650"],
    ),
    "twice": ("log: {level: info}\nlog: {level: debug}", ["2:1: log: stands here twice (first in line 1); remove one of the two"]),
    "twice inside": ("web:\n  port: 1\n  port: 2", ["3:3: web.port: stands here twice (first in line 2); remove one of the two"]),
    "a list for a mapping": ("web: [1]", ["1:6: web: a mapping (key: value) is needed here, found a list"]),
    "nothing for a mapping": ("web:\n", ["1:5: web: a mapping (key: value) is needed here, found nothing"]),
    "a mapping for a value": (
        "echo: {a: b}",
        ["1:7: echo: a single value is needed here, or {env: NAME}, or {file: PATH}"],
    ),
    "nothing for a value": ("web: {port: }", ["1:12: web.port: a single value is needed here, found nothing"]),
    "choice": ("echo: both", ["1:7: echo: 'both' is not one of auto, user, stamp"]),
    "number": ("web: {port: many}", ["1:13: web.port: 'many' is not a whole number from 0 to 65535"]),
    "number out of range": ("web: {port: 70000}", ["1:13: web.port: '70000' is not a whole number from 0 to 65535"]),
    "octal-looking number": ("web: {port: 0o17}", ["1:13: web.port: '0o17' is not a whole number from 0 to 65535"]),
    "flag": ("people: {delete_in_salesforce: yes}", ["1:32: people.delete_in_salesforce: 'yes' is not true or false"]),
    "duration without unit": (
        "intervals: {poll: 300}",
        ["1:19: intervals.poll: '300' is not a duration; write a number and a unit (ms, s, m, h, d), such as 5m"],
    ),
    "duration out of range": ("intervals: {poll: 2d}", ["1:19: intervals.poll: 2d is out of range; from 1s to 1d is possible"]),
    "intervals that contradict": (
        "intervals: {activities_min: 20s}",
        ["1:13: intervals.activities_min: longer than activities_max (15s); make it shorter"],
    ),
    "polling that is not paid for": (
        "marketo: {url: 'http://localhost:1', client_id: a, client_secret: {env: MK}, polling_calls_per_day: 100}",
        [
            (
                "1:78: marketo.polling_calls_per_day: 100 does not pay for a look every 15s (intervals.activities_max); "
                "allow at least 5761, or make activities_max longer"
            )
        ],
    ),
    "two links on one field": (
        "links: {lead_id: sfId, contact_id: sfId}",
        ["1:24: links.contact_id: sfId is used for lead_id already; each link needs a field of its own"],
    ),
    "bad broker": ("kafka: {bootstrap_servers: [good:1, http://bad]}", ["1:28: kafka.bootstrap_servers: 'http://bad' is not host:port"]),
    "channel": (
        "salesforce: {url: 'https://a.b', client_id: a, client_secret: {env: SF}, channel: LeadChangeEvent}",
        ["1:83: salesforce.channel: 'LeadChangeEvent' is not a CDC channel such as /data/ChangeEvents"],
    ),
    "time zone": (
        "marketo: {url: 'https://a.b', client_id: a, client_secret: {env: MK}, time_zone: Mars/Base}",
        ["1:82: marketo.time_zone: 'Mars/Base' is not a time zone; use an IANA name such as UTC or America/Chicago"],
    ),
    "plain http to the network": (
        "marketo: {url: 'http://a.example', client_id: a, client_secret: {env: MK}}",
        ["1:16: marketo.url: plain http is only allowed to this machine; use https"],
    ),
    "password in a url": (
        "marketo: {url: 'https://u:p@a.example', client_id: a, client_secret: {env: MK}}",
        ["1:16: marketo.url: a URL here has no user, password, query or fragment; leave them out"],
    ),
    "no url": (
        "marketo: {url: nowhere, client_id: a, client_secret: {env: MK}}",
        ["1:16: marketo.url: 'nowhere' is not a URL; write it like https://example.my.salesforce.com"],
    ),
    "missing keys": (
        "kafka: {}",
        ["1:8: kafka: bootstrap_servers is missing; add it (`host:port`, or a list of them)"],
    ),
    "tag": (
        "echo: !!python/name:os.system auto",
        ["1:7: echo: YAML tags (tag:yaml.org,2002:python/name:os.system) are not used here; write the plain value"],
    ),
    "merge key": ("web: {<<: {port: 1}}", ["1:7: web.<<: unknown key; known here: host, port, token"]),
    "key that is a list": ("web: {[a]: 1}", ["1:7: web.?: a key must be a plain word"]),
}

FIELD_CASES = {
    "new field without type": ("x: {salesforce: X__c}", "2:12: lead.fields.x: not in the default mapping, so it needs type"),
    "new field without anything": ("x: {rule: max}", "2:12: lead.fields.x: not in the default mapping, so it needs salesforce and type"),
    "nothing to leave out": (
        "x: false",
        "2:12: lead.fields.x: this field is not in the default mapping, so there is nothing to leave out; remove the line",
    ),
    "matching field left out": ("email: false", "2:12: lead.fields.email: people are matched by this field; it can't be left out"),
    "matching field of another type": (
        "email: {type: text}",
        "2:20: lead.fields.email.type: people are matched by this field; its type must be email",
    ),
    "Salesforce field twice": (
        "x: {salesforce: Title, type: text}",
        "2:16: lead.fields.x.salesforce: Title is mapped to title already; set title: false, or map another field",
    ),
    "a link of Tandem's": (
        "sfType: {salesforce: T__c, type: text}",
        "2:12: lead.fields.sfType: Tandem keeps this field itself (links); map another one",
    ),
    "name": (
        "'x y': false",
        "2:12: lead.fields.x y: not a Marketo field name; use the REST API name (a letter, then letters, digits or _)",
    ),
    "true": ("title: true", "2:19: lead.fields.title: write {salesforce: …, type: …}, or false to leave this field out"),
    "unknown type": (
        "title: {type: varchar}",
        (
            "2:26: lead.fields.title.type: 'varchar' is not one of text, email, phone, url, number, currency, percent, boolean, "
            "date, datetime, picklist, multipicklist, reference, owner"
        ),
    ),
    "key of a field": ("title: {rul: max}", "2:20: lead.fields.title.rul: unknown key; did you mean rule?"),
    "rule": ("title: {rule: newst}", "2:26: lead.fields.title.rule: 'newst' is not a conflict rule; did you mean newest?"),
    "rule that needs more": (
        "title: {rule: never_backwards}",
        "2:26: lead.fields.title.rule: never_backwards needs more; write {never_backwards: [first, second, …]}",
    ),
    "rule that takes nothing": (
        "title: {rule: {max: 1}}",
        "2:27: lead.fields.title.rule.max: this rule takes nothing; known here: function, never_backwards, newest",
    ),
    "two rules": (
        "title: {rule: {newest: {}, function: 'a:b'}}",
        "2:26: lead.fields.title.rule: exactly one rule belongs here, such as {newest: {tolerance: 5s}}",
    ),
    "tolerance": (
        "title: {rule: {newest: {tolerance: 5}}}",
        "2:47: lead.fields.title.rule.newest.tolerance: '5' is not a duration; write a number and a unit (ms, s, m, h, d), such as 5m",
    ),
    "order of one": (
        "title: {rule: {never_backwards: [a, A]}}",
        "2:44: lead.fields.title.rule.never_backwards: at least two different values are needed, from first to last",
    ),
    "rule on the wrong type": (
        "title: {rule: sum_deltas}",
        "2:20: lead.fields.title.rule: sum_deltas does not work on a text field, only on: currency, number, percent",
    ),
    "union on a picklist": (
        "rating: {rule: union}",
        "2:21: lead.fields.rating.rule: union does not work on a picklist field, only on: multipicklist",
    ),
    "default that goes nowhere": (
        "title: {direction: to_marketo, default: Boss}",
        "2:43: lead.fields.title.default: a default is written to Salesforce, and this field only flows to Marketo; remove one of the two",
    ),
    "function without module": (
        "title: {rule: {function: choose}}",
        "2:37: lead.fields.title.rule.function: 'choose' does not name a function; write module:name",
    ),
    "module that isn't there": (
        "title: {rule: {function: 'no_such_module:choose'}}",
        (
            "2:37: lead.fields.title.rule.function: the module no_such_module can't be imported (No module named 'no_such_module'); "
            "put it beside this file or install it"
        ),
    ),
    "name that isn't in the module": (
        "title: {rule: {function: 'math:choose'}}",
        "2:37: lead.fields.title.rule.function: the module math has no choose",
    ),
    "not a function": ("title: {rule: {function: 'math:pi'}}", "2:37: lead.fields.title.rule.function: math:pi is not a function"),
}

QUALIFY_CASES = {
    "a word": ("sometimes", "1:19: people.qualify: 'sometimes' is not never, everyone or a list of groups"),
    "a mapping": (
        "{leadScore: 5}",
        "1:19: people.qualify: a list of groups is needed here; begin each with a dash: - {leadScore: {at_least: 50}}",
    ),
    "an empty list": ("[]", "1:19: people.qualify: the list is empty; write never, everyone, or at least one group"),
    "an empty group": (
        "[{}]",
        "1:20: people.qualify[1]: a group without conditions would let everyone in; write everyone if that is meant",
    ),
    "no values": ("[{country: []}]", "1:30: people.qualify[1].country: at least one value is needed"),
    "unknown condition": (
        "[{score: {atleast: 1}}]",
        "1:29: people.qualify[1].score.atleast: unknown condition; did you mean at_least?",
    ),
    "two conditions": (
        "[{score: {at_least: 1, filled: true}}]",
        "1:28: people.qualify[1].score: exactly one condition belongs here (any_of, at_least, equals, filled)",
    ),
    "not a number": ("[{score: {at_least: high}}]", "1:39: people.qualify[1].score.at_least: 'high' is not a number"),
    "not filled": ("[{score: {filled: false}}]", "1:37: people.qualify[1].score.filled: only filled: true is possible"),
    "Norway": (
        "[{country: no}]",
        "1:30: people.qualify[1].country: no may mean text or true/false; put it in quotes or write true or false",
    ),
}

SECRET_CASES = {
    "literal": (
        "client_secret: hunter2",
        "1:72: marketo.client_secret: a secret must not stand in this file; write {env: NAME} or {file: PATH}",
    ),
    "not set": (
        "client_secret: {env: NOPE}",
        "1:78: marketo.client_secret: the environment variable NOPE is not set; export it, or point to a file with {file: PATH}",
    ),
    "empty variable": (
        "client_secret: {env: EMPTY}",
        "1:78: marketo.client_secret: the environment variable EMPTY is empty; export it, or point to a file with {file: PATH}",
    ),
    "both": (
        "client_secret: {env: MK, file: x}",
        "1:72: marketo.client_secret: a single value is needed here, or {env: NAME}, or {file: PATH}",
    ),
}

CREDENTIAL_CASES = {
    "none": (
        "",
        (
            "1:1: salesforce: client_secret missing for the client_credentials flow; give client_secret, or private_key and username, "
            "or refresh_token, or client_secret with username and password"
        ),
    ),
    "jwt without user": (
        ", private_key: {env: SF}",
        (
            "1:1: salesforce: username missing for the jwt flow; give client_secret, or private_key and username, or refresh_token, "
            "or client_secret with username and password"
        ),
    ),
    "user without password": (
        ", client_secret: {env: SF}, username: u",
        "1:90: salesforce.username: not used by the client_credentials flow that the other credentials ask for; remove it",
    ),
    "two flows": (
        ", private_key: {env: SF}, username: u, refresh_token: {env: SF}",
        "1:101: salesforce.refresh_token: not used by the jwt flow that the other credentials ask for; remove it",
    ),
}


@pytest.mark.parametrize(("snippet", "said"), CASES.values(), ids=CASES)
def test_each_mistake_is_told_with_its_place(tmp_path: Path, snippet: str, said: list[str]) -> None:
    assert problems(tmp_path, complete(snippet)) == said


@pytest.mark.parametrize(("field", "said"), FIELD_CASES.values(), ids=FIELD_CASES)
def test_fields(tmp_path: Path, field: str, said: str) -> None:
    assert problems(tmp_path, complete(f"lead:\n  fields: {{{field}}}")) == [said]


@pytest.mark.parametrize(("rule", "said"), QUALIFY_CASES.values(), ids=QUALIFY_CASES)
def test_qualification(tmp_path: Path, rule: str, said: str) -> None:
    assert problems(tmp_path, complete(f"people: {{qualify: {rule}}}")) == [said]


@pytest.mark.parametrize(("secret", "said"), SECRET_CASES.values(), ids=SECRET_CASES)
def test_secrets(tmp_path: Path, secret: str, said: str) -> None:
    told = problems(tmp_path, complete(f"marketo: {{url: 'https://a.example', client_id: someone, {secret}}}"))
    assert told == [said]
    assert "hunter2" not in said


@pytest.mark.parametrize(("given", "said"), CREDENTIAL_CASES.values(), ids=CREDENTIAL_CASES)
def test_salesforce_credentials(tmp_path: Path, given: str, said: str) -> None:
    assert problems(tmp_path, complete(f"salesforce: {{url: https://a.my.salesforce.com, client_id: app{given}}}")) == [said]


def test_all_problems_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    told = problems(tmp_path, complete("echo: x\nweb: {port: x}\nlog: {level: x}", kafka=""))
    assert [": ".join(line.split(": ")[:2]) for line in told] == [
        "1:1: kafka is missing; add it (a group of settings)",
        "1:7: echo",
        "2:13: web.port",
        "3:14: log.level",
    ]


def test_what_contradicts_itself_is_told_with_what_has_no_form(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        complete(
            "web: {port: x}\n"
            "lead: {fields: {title: {rule: sum_deltas}, city: {tpye: text}}}\n"
            "intervals: {activities_min: 20s}\n"
            "contact: {fields: {phone: {direction: sideways}, title: {rule: union}}}",
            salesforce="salesforce: {url: https://a.my.salesforce.com, client_secret: {env: NONE}}",
            kafka="kafka: {bootstrap_servers: nowhere, sasl: plain}",
        ),
    )
    assert [line.split(": ")[1] for line in told] == [
        "web.port",
        "lead.fields.title.rule",
        "lead.fields.city.tpye",
        "intervals.activities_min",
        "contact.fields.phone.direction",
        "contact.fields.title.rule",
        "salesforce",
        "salesforce.client_secret",
        "kafka.bootstrap_servers",
    ]


KAFKA_CASES = {
    "password without a mechanism": (
        "username: u, password: {env: SF}",
        [
            "1:44: kafka.username: not used with sasl: none; remove it, or change kafka.sasl",
            "1:57: kafka.password: not used with sasl: none; remove it, or change kafka.sasl",
        ],
    ),
    "mechanism without a password": (
        "sasl: scram-sha-256, username: u",
        ["1:1: kafka: password is missing for sasl: scram-sha-256; add it"],
    ),
    "token without its file": ("sasl: oauthbearer", ["1:1: kafka: token_file is missing for sasl: oauthbearer; add it"]),
    "unknown mechanism": (
        "sasl: gssapi",
        ["1:50: kafka.sasl: 'gssapi' is not one of none, plain, scram-sha-256, scram-sha-512, oauthbearer"],
    ),
    "authority without tls": ("ca_file: here.pem", ["1:44: kafka.ca_file: not used without TLS; add `tls: true`, or remove it"]),
    "key without its certificate": ("tls: true, key_file: here.pem", ["1:1: kafka: certificate_file is missing beside its key; add it"]),
    "password in the file": (
        "sasl: plain, username: u, password: hunter2",
        ["1:80: kafka.password: a secret must not stand in this file; write {env: NAME} or {file: PATH}"],
    ),
}


@pytest.mark.parametrize(("given", "said"), KAFKA_CASES.values(), ids=KAFKA_CASES)
def test_how_kafka_is_reached(tmp_path: Path, given: str, said: list[str]) -> None:
    (tmp_path / "here.pem").write_text("-")
    assert problems(tmp_path, complete(f"kafka: {{bootstrap_servers: localhost:9092, {given}}}")) == said


def test_a_file_of_kafka_that_is_not_there(tmp_path: Path) -> None:
    told = problems(tmp_path, complete("kafka: {bootstrap_servers: localhost:9092, tls: true, ca_file: none.pem}"))
    assert told == [f"1:64: kafka.ca_file: the file {tmp_path / 'none.pem'} can't be read (No such file or directory)"]


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("nonsense", "does not begin with postgresql://"),
        ("https://u:hunter2@host/db", "does not begin with postgresql://"),
        ("postgresql://u:hunter2@[broken/db", "can't be read (special characters of a password stand as %XX)"),
        ("postgresql://u:hunter2@host:port/db", "can't be read (special characters of a password stand as %XX)"),
        ("postgresql://u:hun#ter2@host/db", "can't be read (special characters of a password stand as %XX)"),
        ("postgresql://u:hunter2@host/db#1", "has a # in it, which stands as %23"),
    ],
)
def test_an_address_of_a_database_that_is_none(tmp_path: Path, dsn: str, said: str) -> None:
    (tmp_path / "dsn").write_text(dsn)
    (told,) = problems(tmp_path, complete("postgres: {dsn: {file: dsn}}"))
    assert told == (
        f"1:17: postgres.dsn: the address of the database {said}; write it as postgresql://user:password@host:port/database (file: dsn)"
    )


def test_an_empty_file_names_what_it_needs(tmp_path: Path) -> None:
    told = problems(tmp_path, "# nothing\n")
    assert [line.split(" is missing")[0] for line in told] == [f"1:1: {name}" for name in SECTIONS]


def test_broken_yaml_is_told_with_its_place(tmp_path: Path) -> None:
    assert problems(tmp_path, "web: {port: 1\nlog: x") == ["2:4: not valid YAML: expected ',' or '}', but got ':'"]


def test_two_documents_are_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, "a: 1\n---\nb: 2") == ["2:1: not valid YAML: but found another document"]


def test_control_characters_are_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, "a: \x00")[0].endswith("not valid YAML: it holds characters that YAML forbids")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"can't be read \(No such file or directory\); name the file with --config"):
        load(tmp_path / "none.yaml", ENVIRON)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "tandem.yaml"
    file.write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        load(file, ENVIRON)


def test_secret_file_problems_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "blank").write_text("\n")
    told = problems(tmp_path, complete("postgres: {dsn: {file: none}}"))
    assert told == [f"1:24: postgres.dsn: the file {tmp_path / 'none'} can't be read (No such file or directory)"]
    assert problems(tmp_path, complete("postgres: {dsn: {file: blank}}")) == [f"1:24: postgres.dsn: the file {tmp_path / 'blank'} is empty"]


def test_a_module_that_fails_is_told_with_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "broken_conflict_rule.py").write_text("raise RuntimeError('half done')")
    told = problems(tmp_path, complete("lead:\n  fields: {title: {rule: {function: 'broken_conflict_rule:choose'}}}"))
    assert told == ["2:37: lead.fields.title.rule.function: the module broken_conflict_rule fails when imported (RuntimeError: half done)"]
