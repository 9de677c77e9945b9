"""The record types of the common interface: what identifies a record, what may be stored, by what it is found (REST API, lead database).

Companies, sales people, opportunities and roles are described here; a custom object's kind is made from its approved type.
"""

from collections.abc import Mapping
from functools import cache

import msgspec

from infra.sandbox.marketo.state.fields import Field, standard_fields

COMPANY, SALES_PERSON, OPPORTUNITY, ROLE = "Company", "SalesPerson", "Opportunity", "OpportunityRole"
NAMED_ACCOUNT = "NamedAccount"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """In the journal and the history."""
    display: str
    id_field: str
    dedupe: tuple[str, ...]
    searchable: tuple[str, ...]
    """Beside the id field and the dedupe fields."""
    fields: Mapping[str, Field]
    required: tuple[str, ...] = ()
    """May not be null on creation, beside the dedupe fields."""
    links: Mapping[str, tuple[str, str]] = {}
    """Field -> (object, field there) of what has to exist: `("Lead", "id")`."""
    relationships: tuple[Mapping[str, object], ...] = ()
    fixed: tuple[str, ...] = ()
    """Shown as not updateable, like the dedupe fields, though a sync takes them."""
    said: str = ""
    """What describe calls it, where that is not `name`."""
    custom: bool = False
    activity_type: int | None = None
    """Of the activity "Add to ..." that a linked custom object leaves."""


def _field(name: str, kind: str = "string", length: int | None = None, *, read_only: bool = False, display: str | None = None) -> Field:
    shown = display or "".join(f" {letter}" if letter.isupper() else letter for letter in name).strip().capitalize()
    if length is None and kind in {"string", "email", "phone", "url"}:
        length = 255
    return Field(id=0, name=name, display=shown, type=kind, length=length, read_only=read_only)


def _table(*fields: Field) -> dict[str, Field]:
    stamps = (_field("createdAt", "datetime", read_only=True), _field("updatedAt", "datetime", read_only=True))
    return {one.name: one for one in (*fields, *stamps)}


def with_fields(kind: Kind, made: Mapping[str, Field]) -> Kind:
    """The kind with an administrator's fields; opportunities are found by those that are texts or whole numbers (REST API,
    opportunities)."""
    found = tuple(name for name, one in made.items() if one.type in {"string", "integer"}) if kind.name == OPPORTUNITY else ()
    return msgspec.structs.replace(kind, fields={**kind.fields, **made}, searchable=(*kind.searchable, *found))


def _guid() -> Field:
    return _field("marketoGUID", length=36, read_only=True, display="Marketo GUID")


def _number() -> Field:
    return _field("id", "integer", read_only=True)


def _companies() -> Kind:
    company_fields = [one for one in standard_fields().values() if one.company]
    return Kind(
        name=COMPANY,
        display="Company",
        id_field="id",
        dedupe=("externalCompanyId",),
        searchable=("company",),
        fields=_table(_number(), _field("externalCompanyId", length=100), _field("externalSalesPersonId"), *company_fields),
        links={"externalSalesPersonId": (SALES_PERSON, "externalSalesPersonId")},
    )


def _sales_persons() -> Kind:
    return Kind(
        name=SALES_PERSON,
        display="Sales Person",
        id_field="id",
        dedupe=("externalSalesPersonId",),
        searchable=("email",),
        fixed=("email",),
        fields=_table(
            _number(),
            _field("externalSalesPersonId"),
            _field("email", "email"),
            *(_field(name) for name in ("firstName", "lastName", "title", "department")),
            *(_field(name, "phone") for name in ("phone", "mobilePhone", "fax")),
        ),
    )


def _opportunities() -> Kind:
    return Kind(
        name=OPPORTUNITY,
        display="Opportunity",
        id_field="marketoGUID",
        dedupe=("externalOpportunityId",),
        searchable=(),
        said="opportunity",
        fields=_table(
            _guid(),
            _field("externalOpportunityId", length=50),
            _field("name"),
            _field("description", length=2000),
            *(_field(name) for name in ("type", "stage", "forecastCategoryName", "leadSource", "nextStep", "fiscal")),
            _field("amount", "currency"),
            _field("expectedRevenue", "currency"),
            _field("probability", "integer"),
            _field("quantity", "float"),
            _field("closeDate", "date"),
            _field("lastActivityDate", "date"),
            _field("fiscalQuarter", "integer"),
            _field("fiscalYear", "integer"),
            _field("isClosed", "boolean"),
            _field("isWon", "boolean"),
            _field("externalCompanyId", length=100),
            _field("externalSalesPersonId"),
            _field("externalCreatedDate", "datetime"),
        ),
        required=("name",),
    )


def _roles() -> Kind:
    return Kind(
        name=ROLE,
        display="Opportunity Role",
        id_field="marketoGUID",
        dedupe=("externalOpportunityId", "leadId", "role"),
        searchable=("externalOpportunityId", "leadId"),
        said="opportunityRole",
        fields=_table(
            _guid(),
            _field("externalOpportunityId", length=50),
            _field("leadId", "integer"),
            _field("role", length=50),
            _field("isPrimary", "boolean"),
            _field("externalCreatedDate", "datetime"),
        ),
        links={"leadId": ("Lead", "id"), "externalOpportunityId": (OPPORTUNITY, "externalOpportunityId")},
    )


def _named_accounts() -> Kind:
    return Kind(
        name=NAMED_ACCOUNT,
        display="Named Account",
        said="Named Account",
        id_field="marketoGUID",
        dedupe=("name",),
        searchable=("annualRevenue", "city", "country", "domainName", "industry", "logoUrl", "numberOfEmployees", "sicCode", "state"),
        fields=_table(
            _guid(),
            *(_field(name) for name in ("name", "domainName", "industry", "city", "state", "country")),
            _field("sicCode", length=40),
            _field("logoUrl", "url"),
            _field("annualRevenue", "currency"),
            _field("numberOfEmployees", "integer"),
        ),
    )


@cache
def standard_kinds() -> Mapping[str, Kind]:
    """By name. Lengths and keys as documented for each type (REST API: companies, sales persons, opportunities, roles)."""
    return {kind.name: kind for kind in (_companies(), _sales_persons(), _opportunities(), _roles(), _named_accounts())}
