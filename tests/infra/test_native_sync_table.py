"""The README says of everything that Marketo's own sync does where it lives here, and by which tests, which are there, it is tried."""

import re
from pathlib import Path

import pytest

from infra.setup.found import ROOT

HEADING = "### What Marketo's own sync does, and where it lives here"
TOPICS = (
    "How often", "Direction", "Visibility", "A lead or contact changed on both sides", "Who reaches Salesforce", "Required fields",
    "Validation rules", "SFDC Type and Id", "Deleted in Salesforce", "Deleted in Marketo", "Merge", "Conversion", "Accounts", "Owners",
    "Opportunities", "Campaigns", "Custom objects", "Activities", "Fields", "Person accounts", "Status page", "Backlog page", "Errors page",
    "Default field mapping",
)  # fmt: skip
"""What the native sync does, by Adobe's documentation of it."""


def rows() -> dict[str, list[str]]:
    """The cells of the table behind each topic."""
    section = (Path(ROOT) / "README.md").read_text().split(HEADING)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {first: rest for first, *rest in cells}


def test_every_topic_has_its_row_and_no_other() -> None:
    assert sorted(rows()) == sorted(TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_each_row_names_tests_that_are_there_or_says_that_there_is_none(topic: str) -> None:
    native, here, tried = rows()[topic]
    assert native
    assert here
    named = re.findall(r"\[(\w+)\]\(([^)]+)\)", tried)
    assert named or (tried == "nothing yet" and "**Not shown yet**" in here)
    for name, path in named:
        source = (Path(ROOT) / path).read_text()
        assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"{path} has no {name}"
        started = name.startswith("test_") or len(re.findall(rf"\b{name}\b", source)) > 1
        assert started, f"nobody plays {name} of {path}"


def test_commands_of_the_table_are_commands() -> None:
    from consumers.cli.application import app  # noqa: PLC0415 - brings in the command line

    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}
    used = {name for cells in rows().values() for name in re.findall(r"`tandem ([a-z-]+)", cells[1])}
    assert used
    assert used <= known
