"""Statuses of a campaign and a program: linked only where they match by name; else it is said what is missing where."""

import pytest

from consumers.links.linking import Statuses


def test_the_same_names_in_any_order_match() -> None:
    assert Statuses(campaign=("Sent", "Responded"), program=("Responded", "Sent")).missing() == ""


@pytest.mark.parametrize(
    ("campaign", "program", "said"),
    [
        (("Sent",), ("Sent", "Responded"), "the campaign lacks “Responded”: add it in Salesforce"),
        (("Sent", "A", "B"), ("Sent",), "the program's channel lacks “A”, “B”: add them in Marketo"),
        (("sent",), ("Sent",), "the campaign lacks “Sent”"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(campaign: tuple[str, ...], program: tuple[str, ...], said: str) -> None:
    assert said in Statuses(campaign=campaign, program=program).missing()
