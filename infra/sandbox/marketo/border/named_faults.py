"""Scripted faults of the Marketo side by name: every refusal of the error table, without its number (REST API, error codes)."""

from infra.sandbox.kernel.faults import CALL_TYPES

CODES = {
    "internal_error": "500",
    "bad_gateway": "502",
    "access_token_empty": "600",
    "access_token_invalid": "601",
    "access_token_expired": "602",
    "access_denied": "603",
    "request_timed_out": "604",
    "method_not_supported": "605",
    "rate_limit": "606",
    "daily_quota": "607",
    "temporarily_unavailable": "608",
    "invalid_json": "609",
    "resource_not_found": "610",
    "system_error": "611",
    "invalid_content_type": "612",
    "invalid_multipart": "613",
    "invalid_subscription": "614",
    "concurrency_limit": "615",
    "invalid_subscription_type": "616",
    "cannot_be_blank": "701",
    "no_data_found": "702",
    "feature_not_enabled": "703",
    "invalid_date_format": "704",
    "business_rule": "709",
    "parent_folder_not_found": "710",
    "incompatible_folder_type": "711",
    "person_account_merge": "712",
    "transient_error": "713",
    "no_default_record_type": "714",
    "sales_person_not_found": "718",
    "lock_wait_timeout": "719",
    "too_many_jobs": "1029",
    "crm_enabled": "1018",
}
"""Fault type -> the code that the whole call is refused with."""

RECORD_CODES = {
    "type_mismatch": "1001",
    "value_missing": "1002",
    "invalid_data": "1003",
    "field_not_found": "1006",
    "in_other_partition": "1010",
    "lead_not_found": "1004",
    "lead_exists": "1005",
    "multiple_leads_match": "1007",
    "no_partition_access": "1008",
    "partition_required": "1009",
    "object_not_found": "1013",
    "failed_to_create": "1014",
    "company_update_not_allowed": "1021",
    "object_in_use": "1022",
    "status_not_in_channel": "1025",
    "duplicate_in_input": "1036",
    "already_in_status": "1037",
}
"""Fault type -> the code with which every k-th record of a batch is skipped."""

STREAM_TYPES = frozenset(
    {"stream_mute", "stream_duplicate", "stream_reorder", "stream_malformed", "stream_bad_signature", "stream_foreign"}
)
"""What happens to the next batch of a data stream: lost, sent twice, its events in reverse, cut off, wrongly signed, of another instance
of the same Adobe organisation. `path` of the match is `/events/` and the registration's id. The journal stays as it is."""

OWN_TYPES = frozenset({"marketo_error", "record_errors", "token_expiry", "late_activity", "short_page"})
FAULT_TYPES = CALL_TYPES | OWN_TYPES | CODES.keys() | RECORD_CODES.keys()
