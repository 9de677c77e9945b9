"""The org: its types, rights, rules, rows, events and sessions, rebuilt from the journal and changed only together with it."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.journal import Entry, Journal
from infra.sandbox.kernel.meters import Meters
from infra.sandbox.salesforce.access import Permissions, View
from infra.sandbox.salesforce.automation import Automation
from infra.sandbox.salesforce.board import CdcFaults
from infra.sandbox.salesforce.bulk.book import JobBook
from infra.sandbox.salesforce.caller import Caller
from infra.sandbox.salesforce.changes import as_gap
from infra.sandbox.salesforce.channels import EVERY_ENTITY, Member
from infra.sandbox.salesforce.duplicates import DuplicateRule
from infra.sandbox.salesforce.eventlog import Event, EventLog, entry_of
from infra.sandbox.salesforce.eventschema import EventSchemas
from infra.sandbox.salesforce.firstrows import fill
from infra.sandbox.salesforce.identity import Apps
from infra.sandbox.salesforce.limits import Allowance
from infra.sandbox.salesforce.memberships import member_formulas
from infra.sandbox.salesforce.recyclebin import RecycleBin
from infra.sandbox.salesforce.rollups import Rollups
from infra.sandbox.salesforce.schema import Row, Schema
from infra.sandbox.salesforce.sessions import Session, Sessions
from infra.sandbox.salesforce.setup import Options, apply_setup
from infra.sandbox.salesforce.setup_channels import ManagedSubscription, sync_members
from infra.sandbox.salesforce.soql.binding import Binding
from infra.sandbox.salesforce.soql.parser import parse_condition
from infra.sandbox.salesforce.stamps import stamp_of
from infra.sandbox.salesforce.standard import standard_objects
from infra.sandbox.salesforce.statuses import Statuses
from infra.sandbox.salesforce.store import Store
from infra.sandbox.salesforce.transaction import Transaction

FIRST_COMMIT_NUMBER = 1_721_136_551_405_445_123
"""Real ones pass 2^53 (CDC guide, change event header): clients must not read them as floats."""
DEFAULT_ENTITIES = ("Lead", "Contact", "Account", "Opportunity", "CampaignMember")
SYSTEM = ""


class Org:
    """All state of one Salesforce org. Everything is synchronous: nothing else runs while a change is applied and journaled."""

    def __init__(self, journal: Journal, clock: Clock, faults: CdcFaults, meters: Meters, files: Path | None = None) -> None:
        """`files` is a folder for what bulk jobs bring and yield; without one that goes with the process."""
        self.journal = journal
        self.clock = clock
        self.faults = faults
        self.meters = meters
        self.schema = Schema(standard_objects())
        self.store = Store(self.schema)
        self.permissions = Permissions()
        self.automation = Automation(self._compile)
        self.rollups = Rollups()
        self.duplicate_rules: dict[str, DuplicateRule] = {}
        self.lead_mapping: dict[str, list[tuple[str, str]]] = {}
        """By object: (lead's custom field, field there) that a conversion hands on."""
        self.locks: dict[str, tuple[str, int]] = {}
        """Record id -> (status code, until when in ms): records that someone holds."""
        self.jobs = JobBook(journal, clock, files)
        self.schema_ms = 0
        """When the types or rights last changed."""
        self.sessions = Sessions()
        self.apps = Apps()
        self.options = Options()
        self.standard_entities: set[str] = set(DEFAULT_ENTITIES)
        self.selected_entities: set[str] = set(DEFAULT_ENTITIES)
        self.channels: dict[str, set[str]] = {}
        self.members: dict[str, Member] = {}
        self.members_made = 0
        self.managed: dict[str, ManagedSubscription] = {}
        self.event_schemas = EventSchemas(self.schema)
        self.log = EventLog(random.Random())
        self.api_calls = Allowance(self.options.api_calls_per_day)
        self.delivered = Allowance(self.options.delivered_events_per_day)
        self.statuses: dict[str, Statuses] = {}
        """By object (LeadStatus, ...) and label."""
        sync_members(self, EVERY_ENTITY, self.standard_entities)
        for name, formula in member_formulas().items():
            self.store.add_formula(self.schema.objects["CampaignMember"], name, formula)
        fill(self)
        self.bulk_queries = Allowance(self.options.bulk_jobs_per_day)
        self.streaming_clients: Callable[[], int] = int
        self._views: dict[str, View] = {}
        self._commits = 0
        self.bin = RecycleBin(self.store)

    # -- reading

    def view(self, user_id: str) -> View:
        """What that user sees. SYSTEM sees everything."""
        if user_id not in self._views:
            self._views[user_id] = View(self.schema, self.permissions, user_id)
        return self._views[user_id]

    def forget_views(self) -> None:
        self._views.clear()

    @property
    def today(self) -> date:
        return datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC).date()

    @property
    def setup_stamp(self) -> str:
        """The stamp of rows that a change of the set-up makes: the same when it is carried out again at start."""
        return stamp_of(self.schema_ms)

    def member_of(self, channel: str, entity: str) -> Member | None:
        return next((each for each in self.members.values() if each.channel == channel and each.entity == entity), None)

    def managed_of(self, subscription_id: str, developer_name: str) -> ManagedSubscription | None:
        """By id, or by name where there is no id."""
        if subscription_id:
            return next((each for each in self.managed.values() if each.id.startswith(subscription_id)), None)
        return self.managed.get(developer_name)

    def user_named(self, username: str) -> Row | None:
        found = [row for row in self.store.tables["User"].find("Username", username) if "IsDeleted" not in row]
        return found[0] if found else None

    def caller(self, user: Row, **options: Any) -> Caller:
        return Caller(user_id=str(user["Id"]), user_name=str(user["Username"]), **options)

    def session_of(self, token: str | None) -> Session | None:
        """The live session of a token, expiry faults included."""
        if token is None:
            return None
        known = self.sessions.known(token)
        actor = self.user_name(known.user_id) if known is not None else ""
        fault = self.faults.peek(("token_expiry",), actor=actor)
        age_max_ms = None if fault is None else int(float(fault.action.get("seconds", 60)) * 1000)
        return self.sessions.of(token, self.clock.now_ms(), age_max_ms=age_max_ms)

    def user_name(self, user_id: str) -> str:
        row = self.store.row(user_id)
        return "" if row is None else str(row.get("Username", ""))

    def is_person_account(self, values: Row) -> bool:
        """Whether an account made of these values is a person: it has a last name, or a person record type."""
        if "PersonContactId" not in self.schema.objects["Account"].fields:
            return False
        kind = self.store.row(str(values.get("RecordTypeId", "")))
        return "LastName" in values or (kind is not None and "IsPersonType" in kind)

    def dump(self, object_name: str) -> Iterator[Mapping[str, Any]]:
        """Live records, with the false of each boolean that rows leave out."""
        unticked = self.schema.objects[object_name].unticked
        return ({**unticked, **row} for row in self.store.live(object_name))

    # -- changing

    def transaction(self, caller: Caller) -> Transaction:
        return Transaction(self, caller)

    def next_commit_number(self) -> int:
        self._commits += 1
        return FIRST_COMMIT_NUMBER + self._commits * 10 + len(self.log) % 7

    def commit(self, entries: Sequence[Entry], bodies: Sequence[tuple[str, bytes]], now_ms: int, also: Sequence[Entry] = ()) -> None:
        """Journals changes that are already applied, with their events, as one block, and in the same block `also`, which is applied then;
        then the events go out. OSError: nothing happened."""
        events = self._events(bodies, now_ms)
        self.journal.append([*entries, *(entry_of(event) for event in events), *also])
        for entry in entries:
            self.bin.note(entry)
        for entry in also:
            self.apply(entry)
        self._publish(events, now_ms)

    def publish(self, entity: str, bodies: Sequence[bytes]) -> list[int]:
        """Puts events on the bus that no change made (gap and overflow events)."""
        now_ms = self.clock.now_ms()
        events = self._events([(entity, body) for body in bodies], now_ms)
        self.journal.append([entry_of(event) for event in events])
        self._publish(events, now_ms)
        return [event.replay_id for event in events]

    def set_up(self, verb: str, args: Mapping[str, Any]) -> None:
        """Changes the org's set-up and journals that. Raises ValueError or `ApiError`, and changes nothing, when it makes no sense."""
        before, self.schema_ms = self.schema_ms, self.clock.now_ms()
        try:
            apply_setup(self, verb, args)
        except BaseException:
            self.schema_ms = before
            raise
        self.journal.append([Entry(self.schema_ms, "sandbox", "_setup", verb, "", None, dict(args))])

    def open_session(self, user_id: str, client_id: str) -> Session:
        session = self.sessions.open(user_id, client_id, self.clock.now_ms())
        extra = [session.token, user_id, client_id, session.issued_ms]
        self.journal.append([Entry(session.issued_ms, "sandbox", "_session", "Session", "", extra=extra)])
        self.sessions.add(session)
        return session

    def revoke(self, *, token: str | None = None, user_id: str | None = None) -> int:
        """Ends one session, or all of a user; says how many."""
        tokens = (
            self.sessions.of_user(user_id) if user_id is not None else [token] if token is not None and self.sessions.known(token) else []
        )
        if tokens:
            entry = Entry(self.clock.now_ms(), "sandbox", "_revoke", "Session", "", extra=tokens)
            self.journal.append([entry])
            self.apply(entry)
        return len(tokens)

    def hold(self, record_ids: Sequence[str], code: str, until_ms: int) -> None:
        """Locks the records until then: who changes one is refused with that code."""
        entry = Entry(self.clock.now_ms(), "sandbox", "_lock", "Lock", "", extra=[list(record_ids), code, until_ms])
        self.journal.append([entry])
        self.apply(entry)

    def purge(self, record_ids: Sequence[str]) -> int:
        """Takes deleted records out of the recycle bin for good, without any event (CDC guide, general considerations)."""
        entries = self.purges(record_ids)
        self.journal.append(entries)
        for entry in entries:
            self.bin.purge(entry)
        return len(entries)

    def purges(self, record_ids: Sequence[str]) -> list[Entry]:
        """The entries with which deleted records leave the recycle bin."""
        entries = []
        for record_id in dict.fromkeys(record_ids):
            row, kind = self.store.row(record_id), self.schema.of_id(record_id)
            if row is not None and kind is not None and "IsDeleted" in row:
                extra = {"deleted": str(row["SystemModstamp"]), "owner": row.get("OwnerId")}
                entries.append(Entry(self.clock.now_ms(), "sandbox", "_purge", kind.name, record_id, extra=extra))
        return entries

    def expire_bin(self) -> None:
        """Purges what has lain in the recycle bin for too long."""
        due = self.bin.expired(self.clock.now_ms())
        if due:
            self.purge(due)

    # -- rebuilding

    def apply(self, entry: Entry) -> None:
        """One journal entry into memory, at start."""
        match entry.op:
            case "_event":
                self.log.add(Event(entry.extra[0], entry.at_ms, entry.object, entry.extra[1]))
                self._commits += 1
            case "_setup":
                self.schema_ms = entry.at_ms
                apply_setup(self, entry.object, entry.after or {})
            case "_session":
                token, user_id, client_id, issued_ms = entry.extra
                self.sessions.add(Session(token, user_id, client_id, issued_ms, issued_ms))
            case "_purge":
                self.bin.purge(entry)
            case "_revoke":
                for token in entry.extra:
                    self.sessions.revoke(token)
            case "_lock":
                record_ids, code, until_ms = entry.extra
                self.locks = {each: held for each, held in self.locks.items() if held[1] > entry.at_ms}
                self.locks |= dict.fromkeys(record_ids, (code, until_ms))
            case "_job":
                self.jobs.apply(entry)
            case _:
                self.store.apply(entry)
                self.bin.note(entry)

    # -- parts

    def _compile(self, object_name: str, text: str) -> Callable[[Row], bool]:
        """The condition as a function of a row; relative dates follow the clock. Raises `ApiError`."""
        parsed = parse_condition(text)

        @functools.lru_cache(maxsize=1)
        def bound(today: date) -> Callable[[Row], bool]:
            return Binding(text, self.view(SYSTEM), object_name, self.store.row, today).predicate(parsed)

        bound(self.today)

        def holds(row: Row) -> bool:
            return bound(self.today)(row)

        return holds

    def _events(self, bodies: Sequence[tuple[str, bytes]], now_ms: int) -> list[Event]:
        kept = []
        for entity, body in bodies:
            channel = f"/data/{self.schema.objects[entity].change_event}"
            if self.faults.loses_event(channel):
                continue
            fault = self.faults.take(("gap",), path=channel)
            kept.append((entity, body if fault is None else as_gap(body), self.faults.visibility(channel)))
        ids = self.log.next_replay_ids(len(kept))
        return [Event(id_, now_ms, entity, body, visible) for id_, (entity, body, visible) in zip(ids, kept, strict=True)]

    def _publish(self, events: Sequence[Event], now_ms: int) -> None:
        self.log.forget_before(now_ms)
        for event in events:
            self.log.add(event)
        if events:
            self.log.wake()
