"""What an API user has to be allowed for each endpoint (the permissions that the published API definition names; custom services).

A user's role is a set of the permissions below. One of those that an endpoint names is enough; a call without any is refused with 603.
"""

import re
from collections.abc import Iterable

_BOTH = {
    one: (f"Read-Only {one}", f"Read-Write {one}")
    for one in ("Activity", "Activity Metadata", "Assets", "Campaign", "Company", "Custom Object", "Custom Object Type", "Lead")
} | {one: (f"Read-Only {one}", f"Read-Write {one}") for one in ("Named Account", "Opportunity", "Sales Person")}
_SCHEMA = ("Read-Write Schema Standard Field", "Read-Write Schema Custom Field")
_OTHERS = ("Approve Assets", "Activate Campaign", "Execute Campaign")
PERMISSIONS = frozenset({*(one for pair in _BOTH.values() for one in pair), *_SCHEMA, *_OTHERS})
"""All there are, by the names that an administrator sees."""


def _rule(pattern: str, *wanted: str) -> tuple[re.Pattern[str], frozenset[str]]:
    return re.compile(pattern), frozenset(wanted)


def _area(pattern: str, name: str) -> list[tuple[re.Pattern[str], frozenset[str]]]:
    """Reading takes either of the area's permissions, anything else the one to write."""
    return [_rule(f"GET {pattern}", *_BOTH[name]), _rule(f"[A-Z]+ {pattern}", _BOTH[name][1])]


_RULES = [
    _rule(r"GET /rest/v1/stats/.*"),
    _rule(r"POST /rest/v1/activities/external\.json", "Read-Write Activity"),
    *_area(r"/rest/v1/activities/external/.*", "Activity Metadata"),
    *_area(r"/rest/v1/activities.*", "Activity"),
    _rule(r"POST /rest/v1/(leads|programs/members)/schema/fields\.json", "Read-Write Schema Custom Field"),
    _rule(r"[A-Z]+ /rest/v1/(leads|programs/members|companies|opportunities|namedaccounts)/schema/fields.*", *_SCHEMA),
    _rule(r"GET /rest/v1/leads/\{id\}/(list|program|smartCampaign)Membership\.json", *_BOTH["Assets"]),
    *_area(r"/rest/v1/(leads?|lists?|programs?)[./].*", "Lead"),
    _rule(r"POST /rest/v1/campaigns/\{id\}/(trigger|schedule)\.json", "Execute Campaign"),
    *_area(r"/rest/v1/campaigns.*", "Campaign"),
    *_area(r"/rest/v1/companies.*", "Company"),
    *_area(r"/rest/v1/salespersons.*", "Sales Person"),
    *_area(r"/rest/v1/opportunities.*", "Opportunity"),
    *_area(r"/rest/v1/namedaccounts.*", "Named Account"),
    *_area(r"/rest/v1/customobjects/schema.*", "Custom Object Type"),
    *_area(r"/rest/v1/customobjects.*", "Custom Object"),
    _rule(r"POST /rest/asset/v1/smartCampaign/\{id\}/(de)?activate\.json", "Activate Campaign"),
    _rule(r"POST /rest/asset/v1/program/\{id\}/(un)?approve\.json", "Approve Assets"),
    *_area(r"/rest/asset/v1/.*", "Assets"),
    _rule(r"[A-Z]+ /bulk/v1/activities/export.*", *_BOTH["Activity"]),
    _rule(r"[A-Z]+ /bulk/v1/customobjects/\{name\}/export.*", *_BOTH["Custom Object"]),
    _rule(r"[A-Z]+ /bulk/v1/customobjects/.*", "Read-Write Custom Object"),
    _rule(r"[A-Z]+ /bulk/v1/(leads|program/members)/export.*", *_BOTH["Lead"]),
    _rule(r"[A-Z]+ /bulk/v1/.*", "Read-Write Lead"),
]


def needed(endpoint: str) -> frozenset[str]:
    """The permissions of which a call needs one, by the endpoint's name (`GET /rest/v1/leads.json`); none: every user may."""
    for pattern, wanted in _RULES:
        if pattern.fullmatch(endpoint):
            return wanted
    raise LookupError(f"nobody said who may call {endpoint}")


def unknown(names: Iterable[str]) -> list[str]:
    return sorted(set(names) - PERMISSIONS)
