"""The org: its types, rights, rules, rows, events and sessions, rebuilt from the journal and changed only together with it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.journal import Entry, Journal
from infra.sandbox.kernel.meters import Meters
from infra.sandbox.salesforce.access.caller import Caller
from infra.sandbox.salesforce.access.sessions import Session
from infra.sandbox.salesforce.events.changes import as_gap
from infra.sandbox.salesforce.events.channels import EVERY_ENTITY
from infra.sandbox.salesforce.events.log import Event, EventLog, entry_of
from infra.sandbox.salesforce.events.publishing import bodies_of, told
from infra.sandbox.salesforce.events.schemas import EventSchemas
from infra.sandbox.salesforce.jobs.book import JobBook
from infra.sandbox.salesforce.org.faults import CdcFaults
from infra.sandbox.salesforce.org.recyclebin import RecycleBin
from infra.sandbox.salesforce.saving.memberships import member_formulas
from infra.sandbox.salesforce.saving.transaction import Transaction
from infra.sandbox.salesforce.setup.actions import apply_setup
from infra.sandbox.salesforce.setup.channels import sync_members
from infra.sandbox.salesforce.setup.firstrows import fill
from infra.sandbox.salesforce.state.state import State

FIRST_COMMIT_NUMBER = 1_721_136_551_405_445_123
"""Real ones pass 2^53 (CDC guide, change event header): clients must not read them as floats."""


class Org(State):
    """One Salesforce org: its state, and the journal with which it changes. Everything is synchronous: nothing else runs while a change is
    applied and journaled."""

    def __init__(self, journal: Journal, clock: Clock, faults: CdcFaults, meters: Meters, files: Path | None = None) -> None:
        """`files` is a folder for what bulk jobs bring and yield; without one that goes with the process."""
        super().__init__(clock)
        self.journal = journal
        self.faults = faults
        self.meters = meters
        self.jobs = JobBook(journal, clock, files)
        self.event_schemas = EventSchemas(self.schema)
        self.log = EventLog(random.Random())
        self.bin = RecycleBin(self.store)
        self.streaming_clients: Callable[[], int] = int
        self.subscriptions: Callable[[], int] = int
        self._commits = 0
        sync_members(self, EVERY_ENTITY, self.standard_entities)
        for name, formula in member_formulas().items():
            self.store.add_formula(self.schema.objects["CampaignMember"], name, formula)
        fill(self)

    # -- reading

    def session_of(self, token: str | None) -> Session | None:
        """The live session of a token, expiry faults included."""
        if token is None:
            return None
        known = self.sessions.known(token)
        actor = self.user_name(known.user_id) if known is not None else ""
        fault = self.faults.peek(("token_expiry",), actor=actor)
        age_max_ms = None if fault is None else int(float(fault.action.get("seconds", 60)) * 1000)
        return self.sessions.of(token, self.clock.now_ms(), age_max_ms=age_max_ms)

    # -- changing

    def transaction(self, caller: Caller) -> Transaction:
        return Transaction(self, caller, self._keep)

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

    def _keep(self, caller: Caller, entries: Sequence[Entry], now_ms: int, also: Sequence[Entry]) -> None:
        """Commits what a transaction changed, with the change events of it."""
        changes = told(self, entries) if caller.captured else []
        bodies = bodies_of(self, caller, changes, now_ms, self.next_commit_number()) if changes else []
        self.commit(entries, bodies, now_ms, also)

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
