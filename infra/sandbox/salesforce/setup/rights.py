"""Who may do what, as an administrator sets it: rights of one user, profiles, permission sets, sharing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from infra.sandbox.salesforce.access.profiles import Bundle
from infra.sandbox.salesforce.access.rights import FieldRight, ObjectRight
from infra.sandbox.salesforce.schema.types import ObjectType
from infra.sandbox.salesforce.setup.firstrows import add_profile
from infra.sandbox.salesforce.state.state import State


def set_field_permission(org: State, args: Mapping[str, Any]) -> None:
    kind = object_of(org, args)
    name = str(args.get("field", ""))
    if name not in kind.fields:
        raise ValueError(f"{kind.name} has no field {name!r}")
    right = msgspec.convert({key: args[key] for key in ("readable", "editable") if key in args}, FieldRight)
    org.permissions.fields[user_id_of(org, args), kind.name, name] = right


def set_object_permission(org: State, args: Mapping[str, Any]) -> None:
    kind = object_of(org, args)
    wanted = {key: args[key] for key in ObjectRight.__struct_fields__ if key in args}
    org.permissions.objects[user_id_of(org, args), kind.name] = msgspec.convert(wanted, ObjectRight)


def set_view_all_data(org: State, args: Mapping[str, Any]) -> None:
    org.permissions.view_all_data[user_id_of(org, args)] = bool(args.get("value", True))


def define_bundle(org: State, args: Mapping[str, Any]) -> None:
    """{name, everything?, objects?, fields?, view_all_data?}: a profile or permission set."""
    bundle = msgspec.convert(dict(args), Bundle)
    unknown = [name for name in bundle.objects if name not in org.schema.objects]
    if unknown:
        raise ValueError(f"no object {unknown[0]!r}")
    org.permissions.bundles[bundle.name] = bundle


def define_profile(org: State, args: Mapping[str, Any]) -> None:
    """A bundle that is a row of Profile too."""
    define_bundle(org, args)
    name = str(args["name"])
    if all(row["Name"] != name for row in org.store.tables["Profile"].rows.values()):
        add_profile(org, name, ("ApiEnabled",), org.setup_stamp)


def assign_bundles(org: State, args: Mapping[str, Any]) -> None:
    """{user, names}: the user's profile and permission sets; none is everything."""
    names = [str(each) for each in args.get("names", [])]
    unknown = [name for name in names if name not in org.permissions.bundles]
    if unknown:
        raise ValueError(f"no profile or permission set {unknown[0]!r}")
    org.permissions.assigned[user_id_of(org, args)] = names


def set_sharing(org: State, args: Mapping[str, Any]) -> None:
    """{object, private}: whether only owners, and who has View All, see its records."""
    kind = object_of(org, args)
    (org.permissions.private.add if args.get("private", True) else org.permissions.private.discard)(kind.name)


def object_of(org: State, args: Mapping[str, Any]) -> ObjectType:
    kind = org.schema.objects.get(str(args.get("object", "")))
    if kind is None:
        raise ValueError(f"no object {args.get('object')!r}")
    return kind


def user_id_of(org: State, args: Mapping[str, Any]) -> str:
    user = org.user_named(str(args.get("user", "")))
    if user is None:
        raise ValueError(f"no user {args.get('user')!r}")
    return str(user["Id"])
