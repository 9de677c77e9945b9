"""Why things wait, in plain words: one cause for what is one, whatever numbers and names it holds."""

import pytest

from consumers.desk.causes import of_field, of_hold, of_letter, of_refusal
from consumers.judging.meeting.candidates import AMBIGUOUS
from consumers.merge.lives.aside import left_out, lost_event, out_of_sight, set_aside, stuck
from consumers.merge.pair.state import PairState
from consumers.merge.writing.witness import WAITS
from streams.wire.systems import LEAD, System


@pytest.mark.parametrize(
    ("hold", "name"),
    [
        (f"{AMBIGUOUS}: the same e-mail as marketo 7 (Lovelace)", "ambiguous"),
        (out_of_sight(PairState(), System.MARKETO, "it can't be read").hold, "out-of-sight"),
        (lost_event(PairState(), System.SALESFORCE, "judging failed", reread=True).hold, "lost-event"),
        (stuck(PairState(), "planning failed").hold, "fault"),
        (set_aside(PairState(object=LEAD)).hold, "left-out"),
        (left_out(LEAD), "left-out"),
    ],
)
def test_each_way_of_being_held_has_a_cause_with_a_remedy(hold: str, name: str) -> None:
    cause = of_hold(hold)
    assert (cause.name, bool(cause.remedy), cause.what != hold) == (name, True, True)


def test_refusals_that_differ_in_values_alone_are_one() -> None:
    one, other = (
        of_refusal("salesforce", f"STRING_TOO_LONG: Title: data value too large: '{word}' (max length=5)") for word in ("ab", "cd")
    )
    assert one == other
    assert of_refusal("marketo", one.what) != one
    assert of_refusal("marketo", f"{WAITS} its account").name == "waits-for-parent"


def test_letters_that_differ_in_places_alone_are_one() -> None:
    one, other = (of_letter("observe", f"not a change event: malformed at byte {place}") for place in (3, 40))
    assert one == other
    assert of_letter("marketo.activities", "not a change event: malformed at byte 3") != one
    assert "failed" in of_letter("observe", "judging failed (ValueError at judge.py:7)").what


def test_fields_wait_for_a_decision_or_for_an_end_of_the_quarrel() -> None:
    assert [of_field(hold).name for hold in ("review: the rule asks", "contested: marketo undoes our write")] == ["review", "contested"]
