"""EntityDefinition: what objects there are, as rows to be queried (Tooling API guide, EntityDefinition)."""

from __future__ import annotations

from infra.sandbox.salesforce.access.views import View, VisibleObject
from infra.sandbox.salesforce.schema.shapes import field, text
from infra.sandbox.salesforce.schema.types import Field, Kind, ObjectType, Row
from infra.sandbox.salesforce.soql.grammar.query import And, Condition, Not, Operator, Or, Query
from infra.sandbox.salesforce.wire import ids
from infra.sandbox.salesforce.wire.errors import ApiError

ENTITY = "EntityDefinition"
PREFIX = "4ie"
_FLAGS = (
    "IsApexTriggerable", "IsCompactLayoutable", "IsCustomizable", "IsDeprecatedAndHidden", "IsEverCreatable", "IsEverDeletable",
    "IsEverUpdatable", "IsFlsEnabled", "IsLayoutable", "IsQueryable", "IsReplicateable", "IsRetrieveable", "IsSearchable", "IsTriggerable",
    "IsWorkflowEnabled",
)  # fmt: skip


def entity_definition() -> ObjectType:
    """Without the stamps and authors of a record: it is none."""
    texts = ("DurableId", "QualifiedApiName", "DeveloperName", "MasterLabel", "Label", "PluralLabel", "KeyPrefix", "NamespacePrefix",
             "InternalSharingModel", "ExternalSharingModel", "DefaultCompactLayoutId", "HelpSettingPageName")  # fmt: skip
    fields: list[Field] = [field("Id", Kind.ID, length=18), *(text(name, 255) for name in texts)]
    fields += [field(name, Kind.BOOLEAN, nillable=False) for name in _FLAGS]
    fields += [field("LastModifiedDate", Kind.DATETIME), text("LastModifiedById", 18)]
    return ObjectType(name=ENTITY, prefix=PREFIX, label="Entity Definition", fields={each.name: each for each in fields})


def check_query(query: Query) -> None:
    """What can't be asked of EntityDefinition (Tooling API guide, SOQL limitations): it is no table."""
    if query.count or query.aggregates:
        raise ApiError(400, "MALFORMED_QUERY", "EntityDefinition doesn't support COUNT() or GROUP BY")
    if query.offset:
        raise ApiError(400, "MALFORMED_QUERY", "EntityDefinition doesn't support OFFSET")
    if _has_unsupported(query.where):
        raise ApiError(400, "MALFORMED_QUERY", "EntityDefinition doesn't support !=, NOT or OR in a WHERE clause")


def rows(view: View, private: set[str], stamp: str) -> dict[str, Row]:
    """One row for each object that the user sees, by a key of the row's own."""
    return {ids.make(PREFIX, place): _row(seen, place, private, stamp) for place, seen in enumerate(view.objects().values(), start=1)}


def _row(seen: VisibleObject, place: int, private: set[str], stamp: str) -> Row:
    kind = seen.kind
    name = kind.name.removesuffix("__c")
    durable = ids.make("01I", place) if kind.custom else kind.name
    flags = dict.fromkeys(_FLAGS, True)
    flags |= {"IsDeprecatedAndHidden": False, "IsCustomizable": True, "IsQueryable": kind.queryable, "IsEverCreatable": kind.creatable}
    owned = "OwnerId" in kind.fields
    sharing = "Private" if kind.name in private else "ReadWrite" if owned else "ControlledByParent"
    return {
        "Id": ids.DUMMY_ID, "DurableId": durable, "QualifiedApiName": kind.name, "DeveloperName": name, "MasterLabel": kind.label,
        "Label": kind.label, "PluralLabel": kind.plural, "KeyPrefix": kind.prefix, "InternalSharingModel": sharing,
        "ExternalSharingModel": sharing, "LastModifiedDate": stamp, "SystemModstamp": stamp,
        **{name: True for name, value in flags.items() if value},
    }  # fmt: skip


def _has_unsupported(condition: Condition | None) -> bool:
    match condition:
        case Or() | Not():
            return True
        case And(parts):
            return any(_has_unsupported(part) for part in parts)
        case None:
            return False
        case _:
            return condition.operator in (Operator.NE, Operator.NOT_IN)
