"""What is remembered of the systems' fields: what has appeared, vanished, changed, and what was kept in step when anybody looked last."""

from collections.abc import Mapping
from pathlib import Path

import asyncpg
import pytest

from consumers.configuration.mapping.defaults import build
from consumers.fitting.remembered import Knowledge, Known, Look, Memory, difference, learnt, recall, resumed, told_of
from consumers.fitting.sight import Returned
from consumers.mapping.fields import FieldType
from streams.wire.errors import Retry
from streams.wire.systems import Object, System
from tests.consumers.fitting.test_visibility import MK, SF, Org, fact, settings

LEAD = Object("lead")


def after(known: Knowledge, org: Org, folder: Path, now: int, unread: Mapping[tuple[System, Object], list[str]] | None = None) -> Knowledge:
    return learnt(known, build(settings(folder)), org.describes(), unread or {}, now)


def test_the_first_look_takes_all_for_known_and_nothing_for_new(tmp_path: Path) -> None:
    org = Org(settings(tmp_path))
    first = after({}, org, tmp_path, 1_000)
    assert {each.since_ms for each in first.values()} == {0}
    rules = build(settings(tmp_path))
    assert {key: each.kept for key, each in first.items()} == {key: key[2] in rules.objects[key[1]].by_name(key[0]) for key in first}
    assert resumed({}, first, build(settings(tmp_path))) == []
    assert {told_of(None, each) for each in first.values()} == {""}
    assert after(first, org, tmp_path, 2_000) == {}, "nothing is written where nothing is new"


def test_fields_appear_vanish_and_change(tmp_path: Path) -> None:
    org = Org(settings(tmp_path))
    known = dict(after({}, org, tmp_path, 1_000))
    leads = org.sides[SF][LEAD]
    leads["Band__c"] = fact("Band__c")
    leads["Rating"] = fact("Rating", FieldType.PICKLIST, picklist=("Hot", "Cold"))
    del leads["Website"]
    changed = after(known, org, tmp_path, 2_000)
    words = {key[2]: told_of(known.get(key), new) for key, new in changed.items()}
    assert words == {"Band__c": "has appeared", "Website": "has vanished", "Rating": "takes new values: Hot, Cold"}
    assert changed[SF, LEAD, "Band__c"].since_ms == 2_000
    known |= changed
    leads["Rating"] = fact("Rating", FieldType.NUMBER, picklist=("Hot",))
    leads["Website"] = fact("Website")
    again = after(known, org, tmp_path, 3_000)
    assert told_of(known[SF, LEAD, "Rating"], again[SF, LEAD, "Rating"]) == "was of type string, is of type double; no longer takes: Cold"
    assert again[SF, LEAD, "Website"].gone_ms == 0
    assert told_of(known[SF, LEAD, "Website"], again[SF, LEAD, "Website"]) == "has appeared"


def test_an_object_that_is_hidden_has_lost_no_field(tmp_path: Path) -> None:
    org = Org(settings(tmp_path))
    known = after({}, org, tmp_path, 1_000)
    del org.sides[SF][LEAD]
    assert after(known, org, tmp_path, 2_000) == {}


@pytest.mark.parametrize("system", [SF, MK])
def test_what_was_left_out_while_nobody_ran_is_read_back(tmp_path: Path, system: System) -> None:
    org, rules = Org(settings(tmp_path)), build(settings(tmp_path))
    name = rules.objects[LEAD].by_key["title"].name_on(system)
    known = dict(after({}, org, tmp_path, 1_000))
    known |= after(known, org, tmp_path, 2_000, {(system, LEAD): [name]})
    assert not known[system, LEAD, name].kept
    back = after(known, org, tmp_path, 9_000)
    assert resumed(known, back, rules) == [Returned(system=system, object=LEAD, name=name, since_ms=2_000)]


def test_a_field_that_is_mapped_anew_is_read_where_it_flows_one_way(tmp_path: Path) -> None:
    """Where it flows both ways nobody knows what stands on the other side: the two meet when their records change."""
    org = Org(settings(tmp_path))
    for name in ("Band__c", "Tier__c"):
        org.sides[SF][LEAD][name] = fact(name)
    known = dict(after({}, org, tmp_path, 1_000))
    lines = "lead: {fields: {band: {salesforce: Band__c, type: text, direction: to_marketo}, tier: {salesforce: Tier__c, type: text}}}\n"
    rules = build(settings(tmp_path, lines))
    changed = learnt(known, rules, org.describes(), {}, 2_000)
    assert resumed(known, changed, rules) == [Returned(system=SF, object=LEAD, name="Band__c", since_ms=0)]


def test_differences_are_told_in_words() -> None:
    assert difference(Look(type="string", length=10), Look(type="string", length=20)) == "held 10 characters, holds 20"
    assert difference(Look(type="string", label="A"), Look(type="string", label="B")) == "", "a label changes nothing"


@pytest.mark.integration
async def test_memory_outlives_the_worker_and_is_told_again_where_that_failed(tmp_path: Path, postgres: str) -> None:
    org, rules = Org(settings(tmp_path)), build(settings(tmp_path))
    pool = await asyncpg.create_pool(postgres, min_size=1, max_size=2)
    told: list[Returned] = []
    trouble: list[Exception] = []

    async def back(returned: list[Returned]) -> None:
        if trouble:
            raise trouble.pop()
        told.extend(returned)

    try:
        memory = Memory(pool, rules)
        await memory.take_in(org.describes(), {}, 1_000, back)
        await memory.take_in(org.describes(), {(SF, LEAD): ["Title"]}, 2_000, back)
        assert told == []
        trouble.append(Retry("PostgreSQL is away"))
        with pytest.raises(Retry):
            await Memory(pool, rules).take_in(org.describes(), {}, 3_000, back)
        await Memory(pool, rules).take_in(org.describes(), {}, 4_000, back)
        assert [(each.name, each.since_ms) for each in told] == [("Title", 2_000)]
        del org.sides[SF][LEAD]["Title"]
        await memory.take_in(org.describes(), {}, 5_000, back)
        async with pool.acquire() as connection:
            known: Known = (await recall(connection))[SF, LEAD, "Title"]
            assert (known.gone_ms, known.kept, known.kept_ms) == (5_000, False, 4_000)
    finally:
        await pool.close()
