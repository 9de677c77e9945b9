"""A value that its system did not keep as it was sent is learnt and said; the next true edit goes at once; sets are compared as sets."""

import msgspec
import pytest

from consumers.mapping.fields import FieldMapping, FieldType, ObjectMapping, Rule, RuleName
from consumers.merge.edits.judge import judge_feed
from consumers.merge.edits.verdicts import ALTERED, Edit
from consumers.merge.events.fold import fold
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import Field, PairState, Side, Write
from consumers.merge.writing.plan import Create, owed
from consumers.observe.observer import Observer
from consumers.settle.rounds.settler import Settler
from streams.wire.events import Value
from streams.wire.systems import LEAD, System
from tests.consumers.merge.person_pair import MK, MK_USER, SF, SF_USER, T, agreed, event, mapped, paired, terms
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, lone, renamed
from tests.consumers.scripted_writer import ScriptedWriter
from tests.consumers.test_observe_batches import TOPIC_OF, messages

TERMS = terms()
USER = {SF: SF_USER, MK: MK_USER}
NAME = {SF: "Title", MK: "title"}
TOPICS: FieldMapping = mapped("topics", "Topics__c", FieldType.MULTIPICKLIST, rule=Rule(name=RuleName.UNION, default=MK))
SCORE: FieldMapping = mapped("leadScore", "Score__c", FieldType.NUMBER, rule=Rule(name=RuleName.SUM_DELTAS, default=MK))


@pytest.mark.parametrize("system", [SF, MK])
async def test_a_flow_that_rewrites_what_we_wrote_is_learnt_said_and_counted(system: System) -> None:
    write = Write(id=7, version=2, value="b", sent=T, look_at=T + 60_000, answered=T + 1)
    behind = Side(seen="a", seen_at=T, shows=1, writes=(write,))
    state = renamed(paired(title=agreed("b", 2, **{system.value: behind})), 1)
    ledger = ledger_with(state)
    told = event(system, {NAME[system]: "B, by a flow"}, author=USER[system], id=ids(1)[system], ref="x" if system is MK else "")
    observed = await Observer(ledger, TERMS, Clock()).observe(TOPIC_OF[system], 0, 0, messages(told))
    side = ledger.pairs[1].fields["title"].side(system)
    assert (side.learnt, side.sent, side.shown, side.shows) == (True, "b", "B, by a flow", 2)
    assert observed.altered == {system: 1}
    [ruling] = ledger.decisions[-1].fields
    assert (ruling.verdict, ruling.value, ruling.reason) == (Verdict.ECHO, "B, by a flow", ALTERED)
    assert not any(ledger.pairs[1].due[:2]), "nothing is fought over"


CREATED = "Head of \N{ROCKET} things"


@pytest.mark.parametrize("stored", ["Head of ", "Head of  things", "Head of things", None])
async def test_after_a_creation_that_marketo_alters_the_next_edit_goes_at_once(stored: Value) -> None:
    ledger, clock = ledger_with(lone(1, SF, title=agreed(CREATED))), Clock()
    writer = ScriptedWriter(MK)
    await Settler(ledger, writer, TERMS, clock).round()
    assert isinstance(writer.calls[0][0].order, Create)
    record = ledger.pairs[1].marketo.id
    told = event(MK, {"title": "Boss"}, T + 9_000, id=record, before={"title": stored})
    observed = await Observer(ledger, TERMS, clock).observe(TOPIC_OF[MK], 0, 0, messages(told))
    assert observed.verdicts == {Verdict.ACCEPTED: 1}
    assert ledger.pairs[1].fields["title"].value == "Boss"
    assert ledger.pairs[1].due[0], "owed to Salesforce at once"


async def test_what_was_not_made_of_our_text_is_somebody_s_edit_and_waited_for() -> None:
    ledger, clock = ledger_with(lone(1, SF, title=agreed(CREATED))), Clock()
    await Settler(ledger, ScriptedWriter(MK), TERMS, clock).round()
    told = event(MK, {"title": "Boss"}, T + 9_000, id=ledger.pairs[1].marketo.id, before={"title": "Chief"})
    observed = await Observer(ledger, TERMS, clock).observe(TOPIC_OF[MK], 0, 0, messages(told))
    assert observed.verdicts == {Verdict.WAITING: 1}


def judged(mapping: FieldMapping, field: Field, value: Value, system: System = MK) -> tuple[Field, Verdict]:
    new, ruling = judge_feed(mapping, field, Edit(side=system, object=LEAD, value=value, at=T + 9_000))
    return new, ruling.verdict


@pytest.mark.parametrize("system", [SF, MK])
@pytest.mark.parametrize("value", ["b;a", "a; b", " b ;a;", "a;b;a"])
def test_the_same_set_told_otherwise_is_no_write(system: System, value: str) -> None:
    field, verdict = judged(TOPICS, agreed("a;b", 3), value, system)
    assert (verdict, field.version, field.value) == (Verdict.SAME, 3, "a;b")
    assert not owed(field, system.other, TOPICS, exact=True)
    assert not owed(field, system, TOPICS, exact=True)


def test_a_set_of_which_the_other_side_already_had_more_is_owed_to_one_side_only() -> None:
    behind = Side(seen="a", seen_at=T, shows=2)
    field, verdict = judged(TOPICS, agreed("a;b", 3, marketo=behind), "a;c;b")
    assert (verdict, field.value, field.version) == (Verdict.WON, "a;b;c", 4)
    field, verdict = judged(TOPICS, agreed("a;b;c", 3, marketo=behind), "a;c")
    assert (verdict, field.value, field.version) == (Verdict.LOST, "a;b;c", 3)
    assert owed(field, MK, TOPICS, exact=True)
    assert not owed(field, SF, TOPICS, exact=True)


def test_a_sum_to_which_nothing_is_added_is_no_write() -> None:
    field, verdict = judged(SCORE, agreed(10, 3), 10.0)
    assert (verdict, field.version) == (Verdict.SAME, 3)
    assert not owed(field, SF, SCORE, exact=True)


def test_the_whole_way_for_a_union() -> None:
    mapping = ObjectMapping(object=LEAD, fields=(*TERMS.rules.objects[LEAD].fields, TOPICS))
    told = terms(objects={LEAD: mapping})
    state: PairState = paired(topics=agreed("a;b", 3))
    state, rulings = fold(state, event(MK, {"topics": "b; a"}, before={"topics": "a;b"}), told, T)
    assert [ruling.verdict for ruling in rulings] == [Verdict.SAME]
    assert msgspec.structs.asdict(state.fields["topics"])["version"] == 3
