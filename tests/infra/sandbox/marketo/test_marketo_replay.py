"""Random operations: the journal replays into exactly the stored state, and the history folds into exactly the people there are."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.journal import Journal
from infra.sandbox.marketo.assets import lists
from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.in_flight import InFlight
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.objects import objects
from infra.sandbox.marketo.objects.objects import ObjectSync
from infra.sandbox.marketo.people import people
from infra.sandbox.marketo.people.custom_fields import create_person_field
from infra.sandbox.marketo.people.people import Action, SyncRequest
from infra.sandbox.marketo.programs import members, programs
from infra.sandbox.marketo.state.instance import Instance, Section
from infra.sandbox.marketo.state.kinds import COMPANY, OPPORTUNITY, ROLE, standard_kinds
from infra.sandbox.marketo.state.normalisers import Normaliser
from infra.sandbox.marketo.state.store import Store

API = Origin(actor="api@example.com", source="Web service API", reason="Web service API", request_id="r#1", method="syncLead")
HAND = Origin(actor="eva@example.com", source="Lead update", reason="Manual person edit")

values = st.fixed_dictionaries(
    {},
    optional={
        "email": st.sampled_from(["a@example.com", "A@example.com", "b@example.com", None]),
        "firstName": st.sampled_from(["Ann", " ann ", "", None]),
        "leadScore": st.integers(-5, 5),
        "unsubscribed": st.booleans(),
        "externalCompanyId": st.sampled_from(["001", None]),
        "company": st.just("Acme"),
        "own": st.sampled_from(["k1", "K1", "k2"]),
    },
)
late = st.sampled_from([{}, {"late_s": 30.0}, {"late_s": 30.0, "chained": False}])
operations = st.lists(
    st.one_of(
        st.tuples(st.just("sync"), st.sampled_from(list(Action)), values, late),
        st.tuples(st.just("edit"), st.integers(1, 6), values),
        st.tuples(st.just("delete"), st.integers(1, 6)),
        st.tuples(st.just("merge"), st.integers(1, 6), st.lists(st.integers(1, 6), max_size=2)),
        st.tuples(st.just("company"), st.sampled_from(["001", "002"]), st.sampled_from(["Acme", "Beta"])),
        st.tuples(st.just("drop"), st.sampled_from([COMPANY, OPPORTUNITY]), st.sampled_from(["001", "o1"])),
        st.tuples(st.just("role"), st.sampled_from(["o1", "o2"]), st.integers(1, 6)),
        st.tuples(st.just("status"), st.integers(1, 6), st.sampled_from(["Clicked", "Influenced"])),
        st.tuples(st.just("list"), st.integers(1, 6), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([0.4, 31.0])),
    ),
    max_size=25,
)


def perform(section: Section, operation: tuple[Any, ...]) -> None:
    match operation:
        case ("sync", action, record, extra):
            flights = InFlight()
            request = SyncRequest(
                action=action, lookup="email", origin=API, hidden=lambda _: False, created=lambda _: None, extra=dict(extra)
            )
            flights.arrive()
            people.sync(section, request, record)
        case ("edit", lead_id, record):
            if section.store.person(lead_id) is not None:
                people.change(section, lead_id, people.checked(section.store, record), HAND)
        case ("delete", lead_id):
            people.delete(section, lead_id, HAND)
        case ("merge", winner, losers):
            people.merge(section, winner, losers, HAND)
        case _:
            perform_other(section, operation)


def perform_other(section: Section, operation: tuple[Any, ...]) -> None:
    match operation:
        case ("company", key, name):
            write(section, COMPANY, {"externalCompanyId": key, "company": name})
        case ("drop", name, key):
            kind = standard_kinds()[name]
            for found in objects.find(section.store, kind, kind.dedupe, (key,)):
                objects.delete(section, kind, found, API)
        case ("role", key, lead_id):
            write(section, OPPORTUNITY, {"externalOpportunityId": key, "name": "n"})
            write(section, ROLE, {"externalOpportunityId": key, "leadId": lead_id, "role": "r"})
        case ("status", lead_id, status):
            members.set_status(section, 1001, lead_id, status, API)
        case ("list", lead_id, True):
            lists.add(section, 1, lead_id, API)
        case ("list", lead_id, False):
            lists.remove(section, 1, lead_id, API)


def write(section: Section, name: str, record: dict[str, Any]) -> None:
    objects.sync(section, ObjectSync(kind=standard_kinds()[name], action="createOrUpdate", by_id=False, origin=API), record)


def state(store: Store) -> dict[str, Any]:
    return {
        "people": dict(store.people()),
        "fields": store.fields,
        "rows": store.log.rows,
        "commits": store.log.commits,
        "tables": {name: dict(table.items()) for name, table in store.tables.items() if len(table)},
        "next ids": {name: table.next_id for name, table in store.tables.items() if table.next_id > 1},
        "by lead": {name: sorted(store.table(name).find(("leadId",), (1,))) for name in (ROLE, "ProgramMember", "ListMember")},
        "late": store.late,
        "settings": store.settings,
        "next": store.next_id,
        "resolved": {number: store.resolve(number) for number in range(1, 10)},
        "found": {key: store.find("email", key) for key in ("a@example.com", "b@example.com")},
    }


@settings(max_examples=120)
@given(operations)
def test_replay_gives_the_stored_state(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, now = Path(folder) / "journal", [1_700_000_000.0]
        instance = Instance.open(Journal(path), Clock(lambda: now[0]), Store())
        with instance.section() as section:
            create_person_field(section, {"name": "own", "displayName": "Own", "dataType": "string"}, HAND)
            program = {"name": "P", "type": "Default", "channel": "Online Advertising", "folder": [15, "Folder"]}
            programs.create(section, program, HAND)
            lists.create(section, "L", HAND)
            section.store.settings.normalisers.append(Normaliser(field="firstName", how="trim"))
        instance.store.find("email", "a@example.com")  # from here on the index is kept up to date
        for step in steps:
            if step[0] == "wait":
                now[0] += step[1]
                continue
            try:
                with instance.section() as section:
                    perform(section, step)
            except (RecordError, ApiError):
                continue
        instance.store.settings.normalisers.clear()
        instance.journal.close()
        again = Instance.open(Journal(path), Clock(), Store())
        assert state(again.store) == state(instance.store)
        rest: dict[str, dict[str, Any]] = {}
        people_there = folded(again.journal, rest)
        for name, table in again.store.tables.items():
            assert rest.get(name, {}) == {key: without_stamps(row) for key, row in table.items()}
        assert people_there == {str(lead_id): without_stamps(person) for lead_id, person in again.store.people()}
        again.journal.close()


def without_stamps(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in {"createdAt", "updatedAt"}}


def folded(journal: Journal, rest: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the history alone says there is: people, and in `rest` everything else by object."""
    found: dict[str, dict[str, Any]] = {}
    for _, entry in journal.history():
        if entry.object != "Lead":
            others = rest.setdefault(entry.object, {})
            if entry.after is None:
                del others[entry.id]
            else:
                row = {**others.get(entry.id, {}), **entry.after}
                others[entry.id] = {name: value for name, value in row.items() if value is not None}
            continue
        if entry.op == "create":
            found[entry.id] = dict(entry.after or {})
        elif entry.after is None:
            del found[entry.id]
        else:
            person = found[entry.id]
            for name, value in (entry.before or {}).items():
                assert person.get(name, False if value is False else None) == value
            person.update(entry.after)
            found[entry.id] = {name: value for name, value in person.items() if value is not None}
    return found
