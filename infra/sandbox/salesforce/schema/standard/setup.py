"""Users, queues, roles, profiles, the organisation, record types, and the status values as rows (Object Reference).

None of them has an IsDeleted: what can be deleted is gone at once. Change data capture covers User alone.
"""

from __future__ import annotations

from typing import Any

from infra.sandbox.salesforce.schema.shapes import (
    address,
    area,
    email,
    field,
    fixed,
    flag,
    number,
    object_type,
    person_name,
    phone,
    pick,
    ref,
    text,
)
from infra.sandbox.salesforce.schema.types import Field, Kind, ObjectType

PREFERENCES: dict[str, tuple[str, ...]] = {
    "EmailPreferences": ("AutoBcc", "AutoBccStayInTouch", "StayInTouchReminder"),
    "UserPermissions": (
        "MarketingUser", "OfflineUser", "CallCenterAutoLogin", "SFContentUser", "KnowledgeUser", "InteractionUser", "SupportUser",
    ),
    "UserPreferences": (
        "ActivityRemindersPopup", "EventRemindersCheckboxDefault", "TaskRemindersCheckboxDefault", "ReminderSoundOff",
        "DisableAllFeedsEmail", "DisableFollowersEmail", "DisableProfilePostEmail", "DisableLikeEmail", "DisableMentionsPostEmail",
        "ApexPagesDeveloperMode", "LightningExperiencePreferred", "PreviewLightning", "HideCSNDesktopTask",
        "ShowTitleToExternalUsers", "ShowEmailToExternalUsers", "ShowTitleToGuestUsers", "UserDebugModePref",
    ),
}  # fmt: skip
"""Flags that change events carry as an array of the names that are set (CDC guide, change events for users)."""
_ENABLED = frozenset({
    "EmailPreferencesAutoBcc", "EmailPreferencesStayInTouchReminder", "UserPermissionsOfflineUser", "UserPreferencesActivityRemindersPopup",
    "UserPreferencesEventRemindersCheckboxDefault", "UserPreferencesTaskRemindersCheckboxDefault",
    "UserPreferencesLightningExperiencePreferred", "UserPreferencesShowTitleToExternalUsers",
})  # fmt: skip
LOCALES, LANGUAGES = ("en_US", "en_GB", "de_DE", "fr_FR", "ja_JP"), ("en_US", "de", "fr", "ja", "es")
ZONES = ("GMT", "America/Los_Angeles", "America/New_York", "Europe/London", "Europe/Berlin", "Asia/Tokyo")
_SETUP: dict[str, Any] = {"owners": (), "deleted": False, "captured": False, "undeletable": False}
_NO_RIGHTS: dict[str, Any] = {"creatable": False, "editable": False, "deletable": False}


def user() -> ObjectType:
    flags = [
        flag(f"{group}{name}", default=f"{group}{name}" in _ENABLED, gathered=group)
        for group, names in PREFERENCES.items() for name in names
    ]  # fmt: skip
    return object_type("User", "005", [
        text("Username", 80, nillable=False, unique=True, id_lookup=True), *person_name()[:2], *person_name()[3:],
        email("Email", nillable=False), text("Alias", 8, nillable=False), text("CommunityNickname", 40), text("Title", 80),
        text("Department", 80), text("Division", 80), text("CompanyName", 80), phone("Phone"), phone("MobilePhone"), phone("Fax"),
        phone("Extension"), flag("IsActive", default=True), *address(""), text("EmployeeNumber", 20),
        fixed(pick("UserType", "Standard", "PowerPartner", "CspLitePortal", "Guest", default="Standard")),
        ref("ProfileId", "Profile", nillable=False), ref("UserRoleId", "UserRole"),
        pick("TimeZoneSidKey", *ZONES, nillable=False, restricted=True), pick("LocaleSidKey", *LOCALES, nillable=False, restricted=True),
        pick("LanguageLocaleKey", *LANGUAGES, nillable=False, restricted=True),
        pick("EmailEncodingKey", "UTF-8", "ISO-8859-1", "Shift_JIS", "ISO-2022-JP", nillable=False, restricted=True),
        text("FederationIdentifier", 512), ref("ManagerId", "User", relationship="Manager"), ref("DelegatedApproverId", "Group", "User"),
        fixed(ref("ContactId", "Contact")), fixed(ref("AccountId", "Account")), area("AboutMe", 1000), area("Signature", 1333),
        email("SenderEmail"), text("SenderName", 80), flag("ForecastEnabled"), flag("ReceivesInfoEmails"),
        flag("ReceivesAdminInfoEmails"), pick("DigestFrequency", "D", "W", "N", default="N"),
        pick("DefaultGroupNotificationFrequency", "P", "D", "W", "N", default="N"), *flags,
        *(fixed(field(name, Kind.DATETIME)) for name in ("LastLoginDate", "LastPasswordChangeDate")),
    ], owners=(), deleted=False, deletable=False, personal=True, undeletable=False, address_prefixes=(("Address", ""),))  # fmt: skip


def group() -> ObjectType:
    types = ("Queue", "Regular", "Role", "RoleAndSubordinates", "Organization")
    return object_type("Group", "00G", [
        text("Name", 40, nillable=False), text("DeveloperName", 80), email("Email"),
        pick("Type", *types, default="Regular", updateable=False),
        flag("DoesSendEmailToMembers"), flag("DoesIncludeBosses", default=True), fixed(ref("RelatedId", "User", "UserRole")),
        fixed(ref("OwnerId", "Organization", "User")), area("Description", 255),
    ], **_SETUP)  # fmt: skip


def queue_sobject() -> ObjectType:
    return object_type("QueueSobject", "03g", [
        ref("QueueId", "Group", nillable=False, updateable=False), text("SobjectType", 40, nillable=False, updateable=False),
    ], stamps=("CreatedById", "SystemModstamp"), **{**_SETUP, "editable": False})  # fmt: skip


def group_member() -> ObjectType:
    return object_type("GroupMember", "011", [
        ref("GroupId", "Group", nillable=False, updateable=False), ref("UserOrGroupId", "Group", "User", nillable=False, updateable=False),
    ], stamps=("SystemModstamp",), **{**_SETUP, "editable": False})  # fmt: skip


def user_role() -> ObjectType:
    access = [pick(f"{name}AccessForAccountOwner", "None", "Read", "Edit", default="Edit") for name in ("Opportunity", "Case", "Contact")]
    return object_type("UserRole", "00E", [
        text("Name", 80, nillable=False), ref("ParentRoleId", "UserRole", relationship=None), text("RollupDescription", 80),
        text("DeveloperName", 80), ref("ForecastUserId", "User", relationship=None), flag("MayForecastManagerShare"), *access,
    ], stamps=("LastModifiedDate", "SystemModstamp", "LastModifiedById"), **_SETUP)  # fmt: skip


def profile() -> ObjectType:
    permissions = ("ModifyAllData", "ViewAllData", "ApiEnabled", "ApiUserOnly", "ViewSetup", "ManageUsers", "ViewAllUsers")
    return object_type("Profile", "00e", [
        text("Name", 255, nillable=False), text("Description", 255), pick("UserType", "Standard", "Guest", default="Standard"),
        text("UserLicenseId", 18), *(flag(f"Permissions{name}") for name in permissions),
        *(field(name, Kind.DATETIME) for name in ("LastViewedDate", "LastReferencedDate")),
    ], **_SETUP, **_NO_RIGHTS)  # fmt: skip


def organization() -> ObjectType:
    return object_type("Organization", "00D", [
        text("Name", 80, nillable=False), text("Division", 80), *address(""), phone("Phone"), phone("Fax"), text("PrimaryContact", 80),
        pick("DefaultLocaleSidKey", *LOCALES), pick("LanguageLocaleKey", *LANGUAGES), pick("TimeZoneSidKey", *ZONES),
        flag("ReceivesInfoEmails"), flag("ReceivesAdminInfoEmails"), number("FiscalYearStartMonth", 9, 0, Kind.INT),
        flag("UsesStartDateAsFiscalYearName"), text("OrganizationType", 40), text("NamespacePrefix", 15), text("InstanceName", 5),
        flag("IsSandbox"), flag("IsReadOnly"), field("TrialExpirationDate", Kind.DATETIME),
        *(pick(f"Default{name}Access", "None", "Read", "Edit", "ReadEditTransfer", "ControlledByParent") for name in (
            "Account", "Contact", "Opportunity", "Lead", "Case", "Campaign",
        )),
    ], **_SETUP, **{**_NO_RIGHTS, "editable": True})  # fmt: skip


def record_type() -> ObjectType:
    return object_type("RecordType", "012", [
        text("Name", 80, nillable=False), text("DeveloperName", 80, nillable=False), text("SobjectType", 40, nillable=False),
        area("Description", 255), flag("IsActive", default=True), flag("IsPersonType"), text("NamespacePrefix", 15),
    ], **_SETUP, deletable=False)  # fmt: skip


def status_object(name: str, first_number: int, extra: list[Field]) -> ObjectType:
    return object_type(name, "01J", [
        text("MasterLabel", 255), text("ApiName", 255), number("SortOrder", 9, 0, Kind.INT), *extra,
    ], first_number=first_number, **_SETUP, **_NO_RIGHTS)  # fmt: skip


def setup_objects() -> list[ObjectType]:
    default = flag("IsDefault")
    stage = [
        flag("IsActive"), flag("IsClosed"), flag("IsWon"), text("ForecastCategory", 40), text("ForecastCategoryName", 255),
        number("DefaultProbability", 3, 0, Kind.PERCENT), text("Description", 255),
    ]  # fmt: skip
    return [
        user(), group(), queue_sobject(), group_member(), user_role(), profile(), organization(), record_type(),
        status_object("LeadStatus", 1, [default, flag("IsConverted")]), status_object("OpportunityStage", 1001, stage),
        status_object("TaskStatus", 2001, [default, flag("IsClosed")]),
        status_object("TaskPriority", 3001, [default, flag("IsHighPriority")]),
    ]  # fmt: skip
