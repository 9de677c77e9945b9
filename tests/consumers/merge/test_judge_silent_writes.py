"""A write that changed nothing has no echo. The feed has passed it once it tells of a later moment: the side showed our value."""

from dataclasses import replace

import pytest

from consumers.mapping.fields import Direction, FieldMapping, FieldType, Rule, RuleName
from consumers.merge.edits.judge import judge_feed
from consumers.merge.edits.verdicts import Edit
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import Field, Side, Write
from streams.wire.systems import LEAD, System

PHONE = FieldMapping(
    key="mobilePhone",
    salesforce="MobilePhone",
    marketo="mobilePhone",
    type=FieldType.PHONE,
    direction=Direction.BOTH,
    rule=Rule(name=RuleName.MARKETO, default=System.MARKETO),
)


def field(*, done_by: int, moved: bool = False) -> Field:
    """Marketo won the first meeting; our write to Salesforce was answered, and a flow made of it what stood there already."""
    write = Write(id=7, version=2, value="+1-650-100-4678", sent=5_000, look_at=25_000, answered=5_300, done_by=done_by, moved=moved)
    return Field(
        value="+1-650-100-4678",
        version=2,
        salesforce=Side(seen="(650) 100-4678", seen_at=1_000, shows=-1, writes=(write,)),
        marketo=Side(seen="+1-650-100-4678", seen_at=1_000, shows=2),
    )


@pytest.mark.parametrize(
    ("done_by", "moved", "at", "verdict"),
    [
        (6_000, False, 9_000, Verdict.ACCEPTED),  # a later moment: the feed has passed the write, the person had seen our value
        (6_000, False, 6_000, Verdict.ACCEPTED),
        (6_000, False, 5_000, Verdict.LOST),  # it may stand before the write
        (6_000, True, 9_000, Verdict.LOST),  # the feed has moved since: it can't be told what the write did
        (0, False, 9_000, Verdict.LOST),  # the answer told no time, or never came
    ],
)
def test_an_edit_after_a_write_that_changed_nothing(done_by: int, moved: bool, at: int, verdict: Verdict) -> None:
    before = field(done_by=done_by, moved=moved)
    edit = Edit(side=System.SALESFORCE, object=LEAD, value="(650) 100-9999", at=at)
    after, ruling = judge_feed(PHONE, before, edit)
    assert ruling.verdict is verdict
    assert after.value == ("(650) 100-9999" if verdict is Verdict.ACCEPTED else "+1-650-100-4678")
    assert before == field(done_by=done_by, moved=moved), "the state that was judged is untouched"


def test_a_sum_goes_on_from_a_write_that_the_feed_has_passed() -> None:
    """The feed has lost the write: what a person adds after it is added once, to what we wrote."""
    score = replace(PHONE, key="leadScore", type=FieldType.NUMBER, rule=Rule(name=RuleName.SUM_DELTAS, default=System.MARKETO))
    write = Write(id=7, version=2, value=5, sent=5_000, look_at=25_000, answered=5_300, done_by=6_000)
    before = Field(value=5, version=2, salesforce=Side(seen=0, seen_at=1_000, shows=1, writes=(write,)), marketo=Side(seen=5, shows=2))
    after, ruling = judge_feed(score, before, Edit(side=System.SALESFORCE, object=LEAD, value=8, at=9_000))
    assert (ruling.verdict, after.value) == (Verdict.ACCEPTED, 8)
