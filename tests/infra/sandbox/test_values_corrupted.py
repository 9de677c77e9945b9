"""A value that is corrupted is another one, and nothing but the history tells of it; it is so after a restart, too."""

from pathlib import Path
from typing import Any

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.journal import Journal
from infra.sandbox.kernel.meters import Meters
from infra.sandbox.kernel.system import restore
from infra.sandbox.marketo.border.limits import Limits
from infra.sandbox.marketo.by_hand.push_verbs import PushVerbs
from infra.sandbox.marketo.by_hand.verbs import Verbs as MarketoVerbs
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.store import Store
from infra.sandbox.salesforce.control.verbs import Verbs, add_user
from infra.sandbox.salesforce.org.faults import CdcFaults
from infra.sandbox.salesforce.org.org import Org


def org(path: Path) -> Org:
    journal, clock = Journal(path / "salesforce.journal"), Clock()
    made = Org(journal, clock, CdcFaults(), Meters(), path / "bulk")
    restore(journal, clock, made.apply)
    return made


def test_in_salesforce_there_is_no_stamp_and_no_event(tmp_path: Path) -> None:
    here = org(tmp_path)
    add_user(here, "ann@sandbox.example", "Ann", "Lee")
    verbs = Verbs(here, "ann@sandbox.example")
    lead = verbs.create({"object": "Lead", "fields": {"LastName": "Lovelace", "Company": "Acme", "Title": "first"}})["id"]
    before, events = dict(here.store.tables["Lead"].rows[lead]), len(list(here.log.after(0)))
    assert verbs.corrupt({"object": "Lead", "records": [{"id": lead, "fields": {"Title": "bent", "Company": None}}]}) == {"corrupted": 1}
    wanted = {name: value for name, value in {**before, "Title": "bent"}.items() if name != "Company"}
    assert dict(here.store.tables["Lead"].rows[lead]) == wanted
    assert len(list(here.log.after(0))) == events
    line = list(here.journal.history())[-1][1]
    assert (line.op, line.id, line.before, line.after) == (
        "corrupt",
        lead,
        {"Title": "first", "Company": "Acme"},
        {"Title": "bent", "Company": None},
    )
    assert dict(org(tmp_path).store.tables["Lead"].rows[lead]) == wanted


def test_in_marketo_there_is_no_stamp_and_no_activity(tmp_path: Path) -> None:
    here = Instance.open(Journal(tmp_path / "journal"), Clock(), Store())
    verbs = MarketoVerbs(here, Limits(meters=Meters()), _push(here))
    person = verbs.create({"fields": {"email": "ada@example.com", "title": "first"}})["id"]
    before, logged = here.store.person(person), here.store.next_activity
    assert verbs.corrupt({"records": [{"id": person, "fields": {"title": "bent", "email": None}}]}) == {"corrupted": 1}
    wanted = {name: value for name, value in {**(before or {}), "title": "bent"}.items() if name != "email"}
    assert here.store.person(person) == wanted
    assert here.store.next_activity == logged
    assert here.store.find("email", "ada@example.com") == []
    line = list(here.journal.history())[-1][1]
    assert (line.op, line.id, line.after) == ("corrupt", str(person), {"title": "bent", "email": None})
    again = Instance.open(Journal(tmp_path / "journal"), Clock(), Store())
    assert again.store.person(person) == wanted


def _push(instance: Instance) -> Any:
    return PushVerbs.__new__(PushVerbs)
