"""What every org holds from its first day: the organisation, profiles, a role, the status values. No journal line tells of it."""

from __future__ import annotations

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.salesforce.schema.statuses import STANDARD
from infra.sandbox.salesforce.schema.types import Row
from infra.sandbox.salesforce.setup.statuses import put_statuses
from infra.sandbox.salesforce.state.state import State
from infra.sandbox.salesforce.wire import ids

BORN = "2026-01-01T00:00:00.000+0000"
ADMINISTRATOR = "System Administrator"
_EVERYTHING = ("ModifyAllData", "ViewAllData", "ApiEnabled", "ViewSetup", "ManageUsers", "ViewAllUsers")
_PROFILES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (ADMINISTRATOR, _EVERYTHING), ("Standard User", ("ApiEnabled",)),
    ("Minimum Access - API Only Integrations", ("ApiEnabled", "ApiUserOnly")),
)  # fmt: skip


def fill(org: State) -> None:
    for name, values in STANDARD.items():
        put_statuses(org, name, values, BORN)
    for name, permissions in _PROFILES:
        add_profile(org, name, permissions, BORN)
    _put(org, "UserRole", org.store.tables["UserRole"].new_id(), {"Name": "CEO", "DeveloperName": "CEO", "RollupDescription": "CEO"})
    _put(org, "Organization", ids.ORG_ID, {
        "Name": "Sandbox", "OrganizationType": "Enterprise Edition", "InstanceName": "SBX1", "DefaultLocaleSidKey": "en_US",
        "LanguageLocaleKey": "en_US", "TimeZoneSidKey": "GMT", "FiscalYearStartMonth": 1, "PrimaryContact": "Ann Operator",
        "DefaultAccountAccess": "Edit", "DefaultContactAccess": "ControlledByParent", "DefaultOpportunityAccess": "Edit",
        "DefaultLeadAccess": "ReadEditTransfer", "DefaultCampaignAccess": "Edit",
    })  # fmt: skip


def add_profile(org: State, name: str, permissions: tuple[str, ...], stamp: str) -> None:
    values: Row = {"Name": name, "UserType": "Standard", **{f"Permissions{each}": True for each in permissions}}
    _put(org, "Profile", org.store.tables["Profile"].new_id(), values, stamp)


def profile_id(org: State, name: str) -> str:
    """Raises LookupError for a profile that isn't there."""
    for row in org.store.tables["Profile"].rows.values():
        if row["Name"] == name:
            return str(row["Id"])
    raise LookupError(f"no profile {name!r}")


def _put(org: State, name: str, record_id: str, values: Row, stamp: str = BORN) -> None:
    author = ids.make("005", 1)
    row: Row = {
        "Id": record_id, **values, "CreatedDate": stamp, "CreatedById": author, "LastModifiedDate": stamp, "LastModifiedById": author,
        "SystemModstamp": stamp,
    }  # fmt: skip
    org.store.apply(Entry(0, "sandbox", "create", name, record_id, None, row))
