"""Who a token is of: what the identity URL and OpenID's userinfo answer (Salesforce help, identity URLs)."""

from __future__ import annotations

from typing import Any

from infra.sandbox.salesforce.schema.types import Row
from infra.sandbox.salesforce.wire.ids import ORG_ID

_RESOURCES = {
    "rest": "/services/data/v{version}/", "sobjects": "/services/data/v{version}/sobjects/", "query": "/services/data/v{version}/query/",
    "partner": "/services/Soap/u/{version}/" + ORG_ID[:15],
}  # fmt: skip


def identity_url(user_id: str, base: str) -> str:
    return f"{base}/id/{ORG_ID}/{user_id}"


def identity(user: Row, base: str) -> dict[str, Any]:
    user_id = str(user["Id"])
    return {
        "id": identity_url(user_id, base), "asserted_user": True, "user_id": user_id, "organization_id": ORG_ID,
        "username": user["Username"], "nick_name": user.get("CommunityNickname"), "display_name": user["Name"], "email": user["Email"],
        "email_verified": True, "first_name": user.get("FirstName"), "last_name": user["LastName"], "timezone": user.get("TimeZoneSidKey"),
        **_both(user, base), "last_modified_date": user["LastModifiedDate"],
    }  # fmt: skip


def userinfo(user: Row, base: str) -> dict[str, Any]:
    user_id = str(user["Id"])
    return {
        "sub": identity_url(user_id, base), "user_id": user_id, "organization_id": ORG_ID, "preferred_username": user["Username"],
        "nickname": user.get("CommunityNickname"), "name": user["Name"], "email": user["Email"], "email_verified": True,
        "given_name": user.get("FirstName"), "family_name": user["LastName"], "zoneinfo": user.get("TimeZoneSidKey"),
        **_both(user, base), "updated_at": user["LastModifiedDate"],
    }  # fmt: skip


def _both(user: Row, base: str) -> dict[str, Any]:
    return {
        "active": "IsActive" in user, "user_type": str(user.get("UserType", "Standard")).upper(), "is_app_installed": True,
        "language": user.get("LanguageLocaleKey"), "locale": user.get("LocaleSidKey"), "utcOffset": 0,
        "urls": {name: base + path for name, path in _RESOURCES.items()},
    }  # fmt: skip
