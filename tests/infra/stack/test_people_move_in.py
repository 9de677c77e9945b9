"""A fresh sandbox has twenty people, and `make up` says where to look and what to try."""

import json
import urllib.request
from pathlib import Path

import pytest

from infra.stack.__main__ import to_try
from infra.stack.people import move_in
from infra.stack.sandbox import Sandbox


@pytest.mark.integration
def test_twenty_people_live_in_both_systems(tmp_path: Path) -> None:
    part = Sandbox(tmp_path / "sandbox")
    try:
        part.start()
        url = part.endpoints()["sandbox"]["url"]
        assert move_in(url) == 20
        dumped = {}
        for where in ("salesforce/Lead", "salesforce/Contact", "marketo/Lead", "salesforce/Account"):
            with urllib.request.urlopen(f"{url}/dump/{where}", timeout=10) as answer:  # noqa: S310 - our own sandbox
                dumped[where] = [json.loads(line) for line in answer.read().splitlines()]
    finally:
        part.remove()
    assert [len(rows) for rows in dumped.values()][:3] == [8, 4, 8]
    assert "ada@example.com" in json.dumps(dumped["salesforce/Lead"])
    assert "50" in json.dumps(dumped["marketo/Lead"])
    accounts = {row["Id"]: row for row in dumped["salesforce/Account"]}
    attached = [row for row in dumped["salesforce/Contact"] if "AccountId" in row]
    assert (len(accounts), len(attached)) == (2, 3), "and one contact has none"
    assert all(row["OwnerId"] == accounts[row["AccountId"]]["OwnerId"] for row in attached)
    assert len({row["OwnerId"] for row in accounts.values()}) == 2


def test_where_to_look_and_what_to_try() -> None:
    told = to_try({"sandbox": {"url": "http://localhost:1"}, "tandem": {"url": "http://localhost:2"}})
    for wanted in ("http://localhost:1/ui/salesforce", "http://localhost:1/ui/marketo", "http://localhost:2/readyz"):
        assert wanted in told
    commands = [line.partition("./tandem ")[2] for line in told.splitlines() if "./tandem " in line]
    assert commands == [
        "status",
        "record ada@example.com",
        "record emmy@example.com  (and then the account that she belongs to)",
        "explain ada@example.com title",
    ]
