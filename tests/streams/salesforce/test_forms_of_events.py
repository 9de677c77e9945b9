"""Change events of another form than before are noticed, once."""

from typing import Any

from streams.salesforce.sources.forms import Forms


def message(schema: str, entity: str = "Lead") -> dict[str, Any]:
    return {"data": {"schema": schema, "payload": {"ChangeEventHeader": {"entityName": entity}}}}


def test_the_first_form_of_each_object_is_how_it_was() -> None:
    forms = Forms()
    assert [forms.is_new(message("a")), forms.is_new(message("b", "Contact")), forms.is_new(message("a"))] == [False, False, False]


def test_another_form_is_told_until_it_was_taken_in() -> None:
    forms = Forms()
    forms.differs(message("a"))
    assert [forms.differs(message("b")), forms.differs(message("b")), forms.is_new(message("b"))] == [True, True, True]
    assert [forms.differs(message("b")), forms.is_new(message("b")), forms.is_new(message("a"))] == [False, False, False]


def test_what_tells_no_form_is_none() -> None:
    forms = Forms()
    strange: list[dict[str, Any]] = [
        {},
        {"data": None},
        {"data": {"payload": 1}},
        {"data": {"schema": None, "payload": {"ChangeEventHeader": {}}}},
    ]
    assert not any(forms.is_new(each) for each in strange)
