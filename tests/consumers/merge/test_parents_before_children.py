"""Parents before children: a reference waits for its parent, the rest goes; a required one keeps all waiting."""

from dataclasses import replace

from consumers.merge.pair.state import NEVER, Field, PairState, Record, Side
from consumers.merge.writing.parents import Reference, named_by, references, with_parents
from consumers.merge.writing.plan import Create, Nothing, Out, Update
from consumers.merge.writing.witness import released
from streams.wire.systems import MARKETO, PERSON

ACCOUNT, USER = "001000000000001AAA", "005000000000001AAA"
TITLE = Out(key="title", name="title", value="a", version=1)
COMPANY = Out(key="externalCompanyId", name="externalCompanyId", value=ACCOUNT, version=1, parent="account")
OWNER = Out(key="externalSalesPersonId", name="externalSalesPersonId", value=USER, version=1, parent="user")
UPDATE = Update(object=PERSON, id="1", fields=(TITLE, COMPANY, OWNER))


def test_the_parents_of_a_plan() -> None:
    assert named_by(UPDATE) == {ACCOUNT: "account", USER: "user"}
    assert named_by(Nothing()) == {}
    assert references(UPDATE, {USER: "u"}) == (
        Reference(role="externalCompanyId", parent=ACCOUNT, waiting=True),
        Reference(role="externalSalesPersonId", parent=USER, waiting=False),
    )


def test_what_has_its_parents_is_written_with_their_ids() -> None:
    planned, why = with_parents(UPDATE, {ACCOUNT: "c", USER: "u"})
    assert isinstance(planned, Update)
    assert ([out.value for out in planned.fields], planned.refused, why) == (["a", "c", "u"], (), "")


def test_a_reference_waits_and_the_rest_goes() -> None:
    planned, why = with_parents(UPDATE, {USER: "u"})
    assert isinstance(planned, Update)
    assert ([out.key for out in planned.fields], why) == (["title", "externalSalesPersonId"], "")
    assert planned.refused == (
        ("externalCompanyId", f"waits for account {ACCOUNT}, which is not in Marketo yet; it is written once it is"),
    )  # fmt: skip


def test_nothing_but_waiting_references_is_nothing() -> None:
    planned, why = with_parents(replace(UPDATE, fields=(COMPANY,)), {})
    assert (type(planned), why) == (Nothing, "")


def test_a_required_parent_keeps_all_waiting() -> None:
    needed = replace(COMPANY, parent_required=True)
    planned, why = with_parents(Create(object=PERSON, fields=(TITLE, needed)), {})
    assert (type(planned), why) == (Nothing, f"waits for account {ACCOUNT}, which is not in Marketo yet; it is written once it is")
    planned, why = with_parents(Update(object=PERSON, id="1", fields=(TITLE, needed)), {})
    assert (type(planned), why) == (Nothing, "")


def test_what_waited_is_owed_again_and_nothing_else_is() -> None:
    side = Side(refused=1, reason="waits for account 1")
    fields = {"a": Field(version=1, marketo=side), "b": Field(version=1, marketo=Side(refused=1, reason="1006 no such field"))}
    state = PairState(fields=fields, marketo=Record(refused="waits for account 1", refused_mark=7))
    told = released(state, MARKETO, frozenset({"a", "b", "c"}))
    assert (told.fields["a"].marketo.refused, told.fields["b"].marketo.refused, told.marketo.refused) == (NEVER, 1, "")
    assert released(told, MARKETO, frozenset({"a"})) is told
