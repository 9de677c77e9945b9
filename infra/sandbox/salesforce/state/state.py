"""What an org holds and what can be read from it: types, rights, rules, rows, set-up, sessions. Who changes it journals that: `org`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.salesforce.access.apps import Apps
from infra.sandbox.salesforce.access.caller import Caller
from infra.sandbox.salesforce.access.sessions import Sessions
from infra.sandbox.salesforce.access.views import Permissions, View
from infra.sandbox.salesforce.records.store import Store
from infra.sandbox.salesforce.rules.automation import Automation
from infra.sandbox.salesforce.rules.duplicates import DuplicateRule
from infra.sandbox.salesforce.rules.rollups import Rollups
from infra.sandbox.salesforce.schema.standard.objects import standard_objects
from infra.sandbox.salesforce.schema.statuses import Statuses
from infra.sandbox.salesforce.schema.types import Row, Schema
from infra.sandbox.salesforce.soql.binding import Binding
from infra.sandbox.salesforce.soql.grammar.parser import parse_condition
from infra.sandbox.salesforce.state.limits import Allowance
from infra.sandbox.salesforce.state.members import ManagedSubscription, Member
from infra.sandbox.salesforce.state.options import Options
from infra.sandbox.salesforce.wire.stamps import stamp_of

DEFAULT_ENTITIES = ("Lead", "Contact", "Account", "Opportunity", "CampaignMember")
SYSTEM = ""


class State:
    """All state of one org, with nothing in it yet but its types."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.schema = Schema(standard_objects())
        self.schema_ms = 0
        """When the types or rights last changed."""
        self.store = Store(self.schema)
        self.statuses: dict[str, Statuses] = {}
        """By object (LeadStatus, ...) and label."""
        self.permissions = Permissions()
        self.sessions = Sessions()
        self.apps = Apps()
        self.automation = Automation(self._compile)
        self.rollups = Rollups()
        self.duplicate_rules: dict[str, DuplicateRule] = {}
        self.lead_mapping: dict[str, list[tuple[str, str]]] = {}
        """By object: (lead's custom field, field there) that a conversion hands on."""
        self.locks: dict[str, tuple[str, int]] = {}
        """Record id -> (status code, until when in ms): records that someone holds."""
        self.options = Options()
        self.api_calls = Allowance(self.options.api_calls_per_day)
        self.delivered = Allowance(self.options.delivered_events_per_day)
        self.bulk_queries = Allowance(self.options.bulk_jobs_per_day)
        self.standard_entities: set[str] = set(DEFAULT_ENTITIES)
        self.selected_entities: set[str] = set(DEFAULT_ENTITIES)
        self.channels: dict[str, set[str]] = {}
        self.members: dict[str, Member] = {}
        self.members_made = 0
        self.managed: dict[str, ManagedSubscription] = {}
        self._views: dict[str, View] = {}

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
