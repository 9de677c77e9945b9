"""What may be declared of an object."""

from dataclasses import replace

import pytest

from tests.streams.salesforce.entities import ACCOUNTS, LEADS, OPPORTUNITIES, QUEUES, USERS


def test_conditions_stand_in_every_query() -> None:
    assert QUEUES.select(["Id"], ["Id > 'a'"], order=("Id",), limit=2) == (
        "SELECT Id FROM Group WHERE Type = 'Queue' AND Id > 'a' ORDER BY Id LIMIT 2"
    )
    assert QUEUES.count() == "SELECT COUNT() FROM Group WHERE Type = 'Queue'"
    assert (USERS.select(["Id"]), USERS.count()) == ("SELECT Id FROM User", "SELECT COUNT() FROM User")


def test_only_what_can_be_merged_has_a_master() -> None:
    assert (ACCOUNTS.master, OPPORTUNITIES.master) == (("MasterRecordId",), ())


def test_what_no_source_can_do_is_refused() -> None:
    with pytest.raises(ValueError, match="Group: the stream can't be told conditions"):
        replace(QUEUES, stream=True)
    with pytest.raises(ValueError, match="Lead: merges are told by the recycle bin"):
        replace(LEADS, bin=False)
    with pytest.raises(ValueError, match="API name"):
        replace(LEADS, name="Lead; DROP")
