"""What the sources of Salesforce are told of an object: a declaration of whoever keeps it in step, none of their own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streams.salesforce.api.soql import count, moment_ms, name, select
from streams.wire.events import Value
from streams.wire.systems import Object, salesforce_id

MASTER = "MasterRecordId"
"""Of a record that lost a merge, while it is in the recycle bin: the winner."""
CONVERTED, CONVERTED_INTO, CONVERTED_AT = "IsConverted", "ConvertedContactId", "ConvertedAccountId"
MODIFIED = ("LastModifiedById", "LastModifiedDate")
"""Who changed a record last, whichever of its fields, and when."""
LIFECYCLE = (CONVERTED, "ConvertedDate", CONVERTED_AT, CONVERTED_INTO, "ConvertedOpportunityId")
"""Fields that tell a conversion: always kept, mapped or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One Salesforce object as the sources read it. Raises ValueError for what no source can do."""

    object: Object
    """As on the topics: `account`."""
    name: str
    """Its API name: `Account`, `Custom__c`."""
    stream: bool = True
    """Change Data Capture can tell of it; else only the poll brings it."""
    bin: bool = True
    """Deleted records stay in the recycle bin and in the delete log. Not so a user, who can't be deleted at all, and a group."""
    merges: bool = False
    """Its records can be merged (leads, contacts, accounts)."""
    converts: Object | None = None
    """What a conversion makes of its records: of a lead, a contact."""
    archives: bool = False
    """Old records go into an archive, which a plain query passes over (Object Reference, Task.IsArchived). They are there, and are read."""
    where: tuple[str, ...] = ()
    """SOQL conditions of every query: `Type = 'Queue'`. The stream knows none, so an object that has some is polled only."""

    scope: str = ""
    """The column whose record says whether this one is of interest at all: `CampaignId` of a campaign's members. Empty: all are."""
    either: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Columns that show one of several others, by how the id in it begins: of a member, its lead or contact. Salesforce works them out,
    so they can be read but not written, and change events have only the others."""

    def __post_init__(self) -> None:
        name(self.name)
        if self.where and self.stream:
            raise ValueError(f"{self.name}: the stream can't be told conditions ({', '.join(self.where)}): declare it with stream=False")
        if self.merges and not self.bin:
            raise ValueError(f"{self.name}: merges are told by the recycle bin, which it is said not to have")

    def select(self, fields: Iterable[str], where: Iterable[str] = (), *, order: tuple[str, ...] = (), limit: int | None = None) -> str:
        """A query of its records, those of them that meet `where`, too."""
        return select(self.name, fields, (*self.where, *where), order=order, limit=limit)

    @property
    def alive(self) -> tuple[str, ...]:
        """What a query of its live records says beside its conditions where it must ask for everything to get those in the archive."""
        return ("IsDeleted = FALSE",) if self.archives else ()

    def worked_out(self, told: Mapping[str, Value]) -> dict[str, Value]:
        """What an event tells, with the columns that it leaves to be worked out: the first of those behind it that is filled."""
        shown = dict(told)
        for column, behind in self.either.items():
            found = [told[each] for each in behind.values() if told.get(each)]
            if found:
                shown.setdefault(column, found[0])
            for each in behind.values():
                shown.pop(each, None)
        return shown

    def written(self, row: Mapping[str, Value]) -> dict[str, Value]:
        """A row as it is written: a worked out column as the one behind it that takes such an id."""
        return {self._behind(column, value): value for column, value in row.items()}

    def _behind(self, column: str, value: Value) -> str:
        behind = self.either.get(column, {})
        return next((each for prefix, each in behind.items() if str(value).startswith(prefix)), column)

    def count(self) -> str:
        """How many live records there are."""
        return count(self.name, self.where)

    def into(self, told: Mapping[str, Value]) -> tuple[str, str]:
        """The record that one is part of from now on, by what was told of it, and that record's object where it is another one; of most
        none. Both as an event has them (`ChangeEvent.into`)."""
        merged, converted = told.get(MASTER), told.get(CONVERTED_INTO)
        if self.merges and merged:
            return _id_in(merged), ""
        if self.converts and converted and told.get(CONVERTED) is True:
            into = _id_in(converted)
            return into, self.converts if into else ""
        return "", ""

    @property
    def conversion(self) -> tuple[str, ...]:
        """The columns that tell a conversion, where there is one."""
        return (CONVERTED, CONVERTED_INTO, CONVERTED_AT) if self.converts else ()

    @property
    def master(self) -> tuple[str, ...]:
        """The column that tells a merge, where there is one."""
        return (MASTER,) if self.merges else ()


def last_change(row: Mapping[str, Value]) -> tuple[str | None, int]:
    """Who changed a record last, and when (ms), as its row tells; both as an event has them (`modified_by`, `modified_at`)."""
    by, at = (row.get(name) for name in MODIFIED)
    return _id_in(by) or None, moment_ms(at) if isinstance(at, str) else 0


def _id_in(value: Value) -> str:
    try:
        return salesforce_id(str(value))
    except ValueError:
        return ""
