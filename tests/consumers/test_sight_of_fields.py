"""A right on a field that is taken away costs that field and nothing else, and is noticed when it is given back."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from consumers.fitting.sight import Returned, Sight
from consumers.mapping.describes import Describes, FieldFacts
from consumers.mapping.fields import FieldMapping, FieldType
from consumers.merge.writing.plan import Create, Delete, Nothing, Out, Update
from consumers.troubles.trouble import Grade
from streams.wire.errors import Reject, Retry
from streams.wire.systems import CONTACT, LEAD, PERSON, Object, System
from tests.consumers.merge.person_pair import MK, SF, terms

_LEADS = terms().rules
RULES = replace(_LEADS, objects={LEAD: _LEADS.objects[LEAD], CONTACT: replace(_LEADS.objects[LEAD], object=CONTACT, api_name="Contact")})
TITLE = {SF: "Title", MK: "title"}


class Systems:
    """What both systems describe, and how often they were asked."""

    def __init__(self) -> None:
        self.hidden: set[tuple[System, str]] = set()
        self.closed: set[tuple[System, str]] = set()
        self.shut: set[Object] = set()
        self.types: dict[tuple[System, str], FieldType] = {}
        self.values: dict[str, tuple[str, ...]] = {}
        self.asked, self.now, self.seconds = 0, 1_000, 0.0
        self.returned: list[Returned] = []
        self.trouble: Exception | None = None

    async def survey(self) -> Describes:
        self.asked += 1
        return self.describes()

    async def back(self, returned: list[Returned]) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.returned += returned

    def describes(self) -> Describes:
        marketo = {name: item for mapping in RULES.objects.values() for name, item in mapping.by_name(MK).items()}
        objects = {obj: mapping for obj, mapping in RULES.objects.items() if obj not in self.shut}
        salesforce = {obj: self._facts(SF, mapping.by_name(SF)) for obj, mapping in objects.items()}
        return Describes(salesforce=salesforce, marketo=self._facts(MK, marketo))

    def _facts(self, system: System, items: Mapping[str, FieldMapping]) -> dict[str, FieldFacts]:
        return {name: self._fact(system, name, item) for name, item in items.items() if (system, name) not in self.hidden}

    def _fact(self, system: System, name: str, item: FieldMapping) -> FieldFacts:
        kind, updateable = self.types.get((system, name), item.type), (system, name) not in self.closed
        values = self.values.get(name, ())
        return FieldFacts(name=name, wire_type=str(kind), type=kind, updateable=updateable, picklist=values, restricted=bool(values))

    def sight(self) -> Sight:
        return Sight(RULES, self.describes(), self.survey, self.back, lambda: self.now, monotonic=lambda: self.seconds, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def out(key: str, name: str) -> Out:
    return Out(key=key, name=name, value="x", version=1)


def refusal(system: System) -> Reject:
    return Reject("No such column", code="INVALID_FIELD" if system is SF else "1006")


@pytest.mark.parametrize("system", [SF, MK])
async def test_a_field_that_is_hidden_is_left_out_and_said(system: System) -> None:
    systems = Systems()
    sight = systems.sight()
    obj = LEAD if system is SF else PERSON
    assert sight.visible(system, obj, [TITLE[system], "Other"]) == [TITLE[system], "Other"]
    systems.hidden.add((system, TITLE[system]))
    assert not await sight.doubts(Reject("a trigger", code="CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"))
    assert systems.asked == 0
    assert await sight.doubts(refusal(system))
    assert sight.visible(system, obj, [TITLE[system], "Other"]) == ["Other"]
    assert sight.visible(system.other, LEAD, [TITLE[system.other]]) == [TITLE[system.other]]
    troubles = sight.troubles()
    assert {(trouble.where, trouble.grade, trouble.since_ms) for trouble in troubles} == {(f"fields.{system}", Grade.ATTENTION, 1_000)}
    assert TITLE[system] in troubles[0].what


@pytest.mark.parametrize("right", ["hidden", "closed"])
@pytest.mark.parametrize("system", [SF, MK])
async def test_what_is_planned_goes_without_it(system: System, right: str) -> None:
    systems = Systems()
    sight = systems.sight()
    obj = LEAD if system is SF else PERSON
    title, other = out("title", TITLE[system]), out("lastName", "Other")
    update, create = Update(object=obj, id="1", fields=(title, other)), Create(object=obj, fields=(title, other))
    assert sight.fitting(system, update) is update
    getattr(systems, right).add((system, TITLE[system]))
    assert await sight.doubts(refusal(system))
    for planned in (update, create):
        fitting: Any = sight.fitting(system, planned)
        assert (type(fitting), fitting.fields, [key for key, _ in fitting.refused]) == (type(planned), (other,), ["title"])
        assert TITLE[system] in fitting.refused[0][1]
    nothing = sight.fitting(system, replace(update, fields=(title,)))
    assert isinstance(nothing, Nothing)
    assert [key for key, _ in nothing.refused] == ["title"]
    delete = Delete(object=obj, id="1")
    assert sight.fitting(system, delete) is delete


async def test_many_who_doubt_at_once_ask_once() -> None:
    systems = Systems()
    sight = systems.sight()
    many = await asyncio.gather(*(sight.doubts(refusal(SF)) for _ in range(5)))
    assert many == [False] * 5, "nothing is hidden: the refusal is about something else"
    assert systems.asked == 1


async def test_who_doubts_after_a_look_is_not_told_what_it_found_but_asks_again_a_little_later() -> None:
    """What was refused after that look, the look can't have seen."""
    systems = Systems()
    sight = systems.sight()
    assert not await sight.look()
    systems.hidden.add((SF, "Title"))
    systems.seconds += 1
    assert await sight.doubts(refusal(SF))
    assert (systems.asked, systems.seconds) == (2, 5.0)
    await sight.noticed()
    assert systems.asked == 2, "rows are refused all the time: the next look is soon"


async def test_it_is_told_once_the_field_is_back_and_told_again_where_that_failed() -> None:
    systems = Systems()
    sight = systems.sight()
    systems.hidden.add((SF, "Title"))
    await sight.look()
    systems.hidden.clear()
    systems.now, systems.seconds = 900_000, 900.0
    systems.trouble = Retry("PostgreSQL is away")
    with pytest.raises(Retry):
        await sight.look()
    assert sight.visible(SF, LEAD, ["Title"]) == [], "not used again before the gap is recorded"
    systems.trouble, systems.seconds = None, 960.0
    assert await sight.look()
    assert sight.visible(SF, LEAD, ["Title"]) == ["Title"]
    assert {(each.system, each.object, each.name, each.since_ms) for each in systems.returned} == {
        (SF, obj, "Title", 1_000) for obj in RULES.objects
    }
    assert sight.troubles() == []


async def test_a_right_to_write_that_is_back_is_told_too() -> None:
    systems = Systems()
    sight = systems.sight()
    systems.closed.add((MK, "title"))
    await sight.look()
    assert ["can't be written" in trouble.what for trouble in sight.troubles()] == [True] * len(RULES.objects)
    assert sight.visible(MK, PERSON, ["title"]) == ["title"], "it can still be read"
    systems.closed.clear()
    systems.seconds += 60
    await sight.look()
    assert {(each.system, each.name) for each in systems.returned} == {(MK, "title")}


async def test_what_is_hidden_from_the_start_is_left_out_too() -> None:
    systems = Systems()
    systems.hidden.add((SF, "Title"))
    sight = systems.sight()
    assert sight.visible(SF, LEAD, ["Title"]) == []
    systems.hidden.clear()
    await sight.look()
    assert {each.since_ms for each in systems.returned} == {0}


@pytest.mark.parametrize("system", [SF, MK])
async def test_a_field_of_another_type_is_held_alone_until_it_is_as_it_was(system: System) -> None:
    systems = Systems()
    sight = systems.sight()
    obj = LEAD if system is SF else PERSON
    number = sight.number
    systems.types[system, TITLE[system]] = FieldType.NUMBER
    assert await sight.look()
    assert sight.visible(system, obj, [TITLE[system], "Other"]) == ["Other"], "not even read"
    assert sight.number != number, "whoever keeps a list of what is read is told"
    fitting: Any = sight.fitting(system, Update(object=obj, id="1", fields=(out("title", TITLE[system]), out("lastName", "Other"))))
    assert [each.key for each in fitting.fields] == ["lastName"]
    assert all("is of type number now and mapped as text" in trouble.what for trouble in sight.troubles())
    systems.types.clear()
    systems.seconds += 60
    assert await sight.look()
    assert {(each.name, each.values) for each in systems.returned} == {(TITLE[system], False)}, "what changed meanwhile is read"


async def test_an_object_that_is_hidden_stands_still_and_the_others_go_on() -> None:
    systems = Systems()
    sight = systems.sight()
    systems.shut.add(CONTACT)
    assert await sight.doubts(Reject("sObject type 'Contact' is not supported.", code="INVALID_TYPE"))
    assert (sight.is_open(SF, CONTACT), sight.is_open(SF, LEAD), sight.is_open(MK, PERSON)) == (False, True, True)
    title = out("title", "Title")
    kept: Any = sight.fitting(SF, Update(object=CONTACT, id="1", fields=(title,)))
    assert isinstance(kept, Nothing)
    assert ("Contact records" in kept.refused[0][1], kept.uncreatable) == (True, "")
    lead = Update(object=LEAD, id="1", fields=(title,))
    assert sight.fitting(SF, lead) is lead
    assert sight.fitting(MK, lead) is lead
    made: Any = sight.fitting(SF, Create(object=LEAD, fields=(title,)))
    assert "Contact records" in made.uncreatable, "nobody knows whether that person is a contact already"
    troubles = sight.troubles()
    assert [(trouble.where, trouble.grade, trouble.since_ms) for trouble in troubles] == [("fields.salesforce", Grade.ATTENTION, 1_000)]
    systems.shut.clear()
    systems.seconds += 60
    assert await sight.look()
    assert [(each.object, each.name, each.since_ms) for each in systems.returned] == [(CONTACT, "", 1_000)]
    assert sight.troubles() == []


async def test_what_was_made_up_before_somebody_else_found_out_is_worth_another_try() -> None:
    systems = Systems()
    sight = systems.sight()
    systems.shut.add(CONTACT)
    refused = Reject("sObject type 'Contact' is not supported.", code="INVALID_TYPE")
    assert await sight.doubts(refused)
    assert await sight.doubts(refused), "asked before it was found out, answered after"
    systems.seconds += 60
    assert not await sight.doubts(refused), "but not for ever"


async def test_what_a_picklist_takes_again_is_sent_again() -> None:
    systems = Systems()
    systems.values["Title"] = ("Web", "Phone")
    sight = systems.sight()
    systems.values["Title"] = ("Web",)
    await sight.look()
    assert systems.returned == []
    systems.values["Title"] = ("Web", "Phone")
    systems.seconds += 60
    await sight.look()
    assert {(each.system, each.name, each.values) for each in systems.returned} == {(SF, "Title", True)}
    assert sight.troubles() == []
