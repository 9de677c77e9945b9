"""What an administrator sets up, and which of two behaviours the instance shows where the published sources contradict each other."""

from typing import Literal

import msgspec

from infra.sandbox.marketo.state.normalisers import Normaliser

DEFAULT_PARTITION = "Default"


class BulkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How slow bulk jobs are, by the sandbox's clock, and what they may cost (REST API, bulk extract)."""

    queued_seconds: float = 1.0
    running_seconds: float = 1.0
    status_seconds: float = 60.0
    """A job's status is told anew no more often than this."""
    export_bytes_daily: int = 500 << 20


class Settings(msgspec.Struct, kw_only=True):
    """What an administrator sets up; each change is journaled whole."""

    deliver_attributes: bool = True
    """Whether activities carry API Method Name, Modifying User and Request Id."""
    blocked: list[str] = []
    normalisers: list[Normaliser] = []
    native_sync: bool = False
    """With the native CRM sync on, what it owns can't be written through the API (1018)."""
    corona: bool = True
    """Whether bulk extract takes the filters `updatedAt` and smart list (1035 without)."""
    object_schema_api: bool = True
    """Whether the subscription has the schema API of custom objects (616 without)."""
    activity_ids: bool = True
    """Whether activities carry `id` beside `marketoGUID`."""
    people_pages_say_more: bool = True
    """Whether a page of people carries `moreResult` beside its token: the guide to paging tokens says so, samples of pages lack it."""
    score_changes: Literal["flow", "always", "never"] = "flow"
    """Which changes of a score leave Change Score beside Change Data Value: those of flow steps (observed), of the API and of people too,
    or none."""
    equal_status: Literal["skipped", "written"] = "skipped"
    """What becomes of a status at the step where the member is already: skipped with 1037 (error codes: "already in or past"), or written,
    with an activity, since only a greater step is to be skipped (program members)."""
    merged_scores: Literal["winner", "summed"] = "winner"
    """A score that both have, after a merge: the winner's (REST API, leads), or the sum."""
    company_fields_by_lead: Literal["refused", "applied"] = "refused"
    """What becomes of a company's fields in a sync of a person linked to it: 1021 (white paper), or the company has them (KB 28156)."""
    unknown_companies: Literal["kept", "refused"] = "kept"
    """What becomes of a person's externalCompanyId that no company has; nothing published tells."""
    roles: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """By an API user's name what it is permitted; who is not here may do everything."""
    bulk_deletions: Literal["refused", "left_out"] = "refused"
    """What becomes of a bulk extract of deleted people: not supported by the guide, while users of the taps of others do get files."""
    partitions: dict[str, int] = msgspec.field(default_factory=lambda: {DEFAULT_PARTITION: 1})
    bulk: BulkSettings = BulkSettings()
    limits: dict[str, int] = msgspec.field(default_factory=dict)
    """Those that are not the vendor's own."""
