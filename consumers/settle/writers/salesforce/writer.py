"""Salesforce as a place to write to: sObject Collections, 200 a call; creations are upserts by an external id."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from consumers.kinds.registry import SORTS
from consumers.mapping.fields import ObjectMapping, SyncRules
from consumers.merge.pair.state import PairState
from consumers.merge.terms import match_key
from consumers.merge.writing.plan import Create, Delete, Merge, Update
from consumers.settle.writers.merging import after_refusal
from consumers.settle.writers.port import Fate, Item, Outcome, Use, Visible, all_of
from consumers.settle.writers.refused import passes
from consumers.settle.writers.salesforce.members import named_by_parents
from consumers.settle.writers.salesforce.money import in_their_currency, with_currency
from consumers.settle.writers.salesforce.uses import ASKED, FIELDS, SalesforceUses
from streams.budget.port import Lane
from streams.salesforce.api.access.refusals import judge_item
from streams.salesforce.api.answers import Page, Record
from streams.salesforce.api.entity import MODIFIED, Entity, last_change
from streams.salesforce.api.records import RECORDS_MAX, ItemResult
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.api.soap.merging import MERGES_MAX
from streams.salesforce.api.soql import any_of, select, text
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import CREATED_FIELD, LEAD, SALESFORCE, Object, System, salesforce_id

_GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"})
_EXISTS = frozenset({"DUPLICATE_VALUE"})
"""Of a record that its parents name: they have one already."""
_CLOSED = "INSUFFICIENT_ACCESS"
"""Begins the codes for a record that our user may not write, or not even see (SOAP API guide, StatusCode)."""
_VALUES_A_QUERY = 100


class SalesforceWriter:
    """Writes leads and contacts to one org."""

    system = System.SALESFORCE
    batch_max, merges_max = RECORDS_MAX, MERGES_MAX

    def __init__(self, rest: SalesforceRest, rules: SyncRules, visible: Visible = all_of) -> None:
        self._rest, self._visible = rest, visible
        self._uses = SalesforceUses(rest)
        self._rules = rules
        self._fields = {obj: _read_of(mapping, rules) for obj, mapping in rules.objects.items()}

    async def candidates(self, wanted: Mapping[int, PairState], lane: Lane) -> dict[int, list[ChangeEvent]]:
        """By the Marketo id stored on the record, else by e-mail; leads that were converted are not leads any more. Others by what they
        belong to."""
        found: dict[int, list[ChangeEvent]] = {}
        for obj, mapping in self._rules.objects.items():
            some = {pair: state for pair, state in wanted.items() if mapping.is_derived and state.object == obj}
            if some:
                named = partial(_told, obj)
                found |= await named_by_parents(self._rest, mapping, self._shown(obj), some, lane, reading=named)
        wanted = {pair: state for pair, state in wanted.items() if self._rules.objects[state.object].is_person}
        if not wanted:
            return found
        by_id = {state.marketo.id: pair for pair, state in wanted.items()}
        by_email: dict[str, list[int]] = {}
        for pair, state in wanted.items():
            email = match_key(state, self._rules)
            if email:
                by_email.setdefault(email, []).append(pair)
        rows: list[tuple[Object, Record, Page]] = []
        for obj in self._rules.people:
            rows += await self._matching(obj, sorted(by_id), sorted(by_email), lane)
        for obj, row, page in rows:
            stored = by_id.get(str(row.get(self._rules.links.salesforce_key) or ""))
            if stored is not None:
                found[stored] = [self._reading(obj, row, page.at, page.until)]
        for obj, row, page in rows:
            email = str(row.get(self._email_name(obj)) or "").strip().lower()
            for pair in by_email.get(email, []):
                if not any(event.id == row["Id"] for event in found.get(pair, [])):
                    found.setdefault(pair, []).append(self._reading(obj, row, page.at, page.until))
        return found

    async def read(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, ChangeEvent | None]:
        """A reading of each record; None for one that is deleted or out of our sight."""
        rows, at, until = await self._rest.read_timed(self._rules.objects[obj].api_name, ids, self._shown(obj), lane)
        return {each: self._reading(obj, row, at, until) if row else None for each, row in zip(ids, rows, strict=True)}

    async def behind(self, obj: Object, after: str, most: int, lane: Lane, where: Sequence[str] = ()) -> list[ChangeEvent]:
        """Readings of the next live records by id, `most` of them; fewer: they are the last. `where`: conditions more, as SOQL has them."""
        conditions = [*where, *([f"Id > {text(after)}"] if after else [])]
        page = await self._rest.page(
            select(self._rules.objects[obj].api_name, self._shown(obj), conditions, order=["Id"], limit=most), lane
        )
        rows = list(page.rows)
        while page.next_url is not None:
            page = await self._rest.next_page(page.next_url, lane)
            rows += page.rows
        return [self._reading(obj, row, page.at, page.until) for row in rows]

    async def masters(self, obj: Object, ids: Sequence[str], lane: Lane) -> Mapping[str, str | None]:
        """By what the recycle bin tells."""
        entity = SORTS[obj].entity if obj in SORTS else None
        if entity is None or not entity.merges:
            return dict.fromkeys(ids)
        return await self._rest.masters(entity, ids, lane)

    async def surely_deleted(self, obj: Object, ids: Sequence[str], lane: Lane) -> frozenset[str]:
        """Those in the recycle bin or in the delete log; whoever is in neither may not be shared with our user any more."""
        known = SORTS[obj].entity if obj in SORTS else Entity(object=obj, name=self._rules.objects[obj].api_name)
        return await self._rest.gone(known, ids, lane)

    async def uses(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, Use | None]:
        """As the port says."""
        names = sorted({*self._shown(obj), *FIELDS})
        rows, at, until = await self._rest.read_timed(self._rules.objects[obj].api_name, ids, names, lane)
        there = {each: row for each, row in zip(ids, rows, strict=True) if row}
        found = await self._uses.of(self._rules.objects[obj].api_name, list(there), there, lane) if there else {}
        return {
            each: Use(reading=self._reading(obj, there[each], at, until), what=tuple(found[each]), asked=ASKED) if each in there else None
            for each in ids
        }

    def together(self, item: Item) -> str:
        """As the port says."""
        del item
        return ""

    def alike(self, state: PairState) -> str:
        """As the port says."""
        del state
        return ""

    async def write(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        """One call to a collection resource, or to the SOAP API's merge."""
        first = items[0].order
        name = self._rules.objects[first.object].api_name
        if isinstance(first, Merge):
            return await self._merge(name, items, lane)
        if isinstance(first, Delete):
            results = await self._rest.delete([_id(item) for item in items], lane)
        elif isinstance(first, Create) and self._rules.objects[first.object].is_derived:
            results = await self._rest.create(name, [_record(item) for item in items], lane)
        elif isinstance(first, Create):
            key = self._rules.links.salesforce_key
            made = [with_currency(self._rules.money, item, {**_record(item), key: item.key}) for item in items]
            results = await self._rest.upsert(name, key, made, lane)
        else:
            return await self._update(name, items, lane)
        return [self._outcome(item, result) for item, result in zip(items, results, strict=True)]

    async def _update(self, name: str, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        """Each record in its own currency; what has no rate is refused."""
        written, refused = await in_their_currency(self._rest, self._rules.money, name, items, lane)
        sent = [item for place, item in enumerate(written) if place not in refused]
        results = await self._rest.update(name, [{"Id": _id(item), **_record(item)} for item in sent], lane) if sent else []
        told = [self._outcome(item, result) for item, result in zip(sent, results, strict=True)]
        outcomes = iter(await self._out_of_sight(name, sent, told, lane))
        return [
            Outcome(fate=Fate.REJECTED, reason=refused[place][1], fields=refused[place][0]) if place in refused else next(outcomes)
            for place in range(len(items))
        ]

    async def _out_of_sight(self, name: str, items: Sequence[Item], outcomes: list[Outcome], lane: Lane) -> list[Outcome]:
        """The outcomes, in which records that our user may not write are `GONE` where it can't even read them: those are looked for."""
        closed = [place for place, outcome in enumerate(outcomes) if outcome.fate is Fate.REJECTED and outcome.reason.startswith(_CLOSED)]
        if not closed:
            return outcomes
        rows = await self._rest.read(name, [_id(items[place]) for place in closed], ["Id"], lane)
        unseen = {place for place, row in zip(closed, rows, strict=True) if not row}
        return [replace(outcome, fate=Fate.GONE) if place in unseen else outcome for place, outcome in enumerate(outcomes)]

    async def _merge(self, name: str, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        orders = [item.order for item in items if isinstance(item.order, Merge)]
        results = await self._rest.merge(name, [(order.id, order.losers) for order in orders], lane)
        outcomes = [self._outcome(item, result) for item, result in zip(items, results, strict=True)]
        doubtful = [order for order, outcome in zip(orders, outcomes, strict=True) if outcome.fate is Fate.GONE]
        if not doubtful:
            return outcomes
        asked = sorted({each for order in doubtful for each in (order.id, *order.losers)})
        there: set[str] = set()
        for start in range(0, len(asked), RECORDS_MAX):
            part = asked[start : start + RECORDS_MAX]
            there |= {each for each, row in zip(part, await self._rest.read(name, part, ["Id"], lane), strict=True) if row}
        pairs = zip(items, outcomes, strict=True)
        return [after_refusal(item, there, outcome) if outcome.fate is Fate.GONE else outcome for item, outcome in pairs]

    async def _matching(self, obj: Object, ids: Sequence[str], emails: Sequence[str], lane: Lane) -> list[tuple[Object, Record, Page]]:
        open_only = ["IsConverted = false"] if obj == LEAD else []
        found: list[tuple[Object, Record, Page]] = []
        for column, values in ((self._rules.links.salesforce_key, ids), (self._email_name(obj), emails)):
            for start in range(0, len(values), _VALUES_A_QUERY):
                part = values[start : start + _VALUES_A_QUERY]
                soql = select(self._rules.objects[obj].api_name, self._shown(obj), [*open_only, any_of(column, part)])
                page = await self._rest.page(soql, lane)
                found += [(obj, row, page) for row in page.rows]
                while page.next_url:
                    page = await self._rest.next_page(page.next_url, lane)
                    found += [(obj, row, page) for row in page.rows]
        return list({str(row["Id"]): (obj, row, page) for obj, row, page in found}.values())

    def _shown(self, obj: Object) -> list[str]:
        return self._visible(self.system, obj, self._fields[obj])

    def _email_name(self, obj: Object) -> str:
        mapping = self._rules.objects[obj].by_key.get(self._rules.email_key)
        return mapping.salesforce if mapping else "Email"

    def _reading(self, obj: Object, row: Record, at: int, until: int) -> ChangeEvent:
        return _reading(obj, self._rules.money.told(obj, row) if self._rules.money else row, at, until)

    def _outcome(self, item: Item, result: ItemResult) -> Outcome:
        if result.success:
            return Outcome(fate=Fate.DONE, id=salesforce_id(result.id) if result.id else _id(item), until=result.until)
        reason = "; ".join(f"{error.code}: {error.message}" for error in result.errors) or "refused without a reason"
        codes = {error.code for error in result.errors}
        names = {field for error in result.errors for field in error.fields}
        if codes & _EXISTS and isinstance(item.order, Create) and self._rules.objects[item.order.object].is_derived:
            return Outcome(fate=Fate.EXISTS, reason=reason)
        if codes & _GONE and not names and not isinstance(item.order, Create):
            return Outcome(fate=Fate.GONE, reason=reason, until=result.until)
        passing = passes([judge_item(error) for error in result.errors], reason)
        if passing is not None:
            return passing
        mapping = self._rules.objects[item.order.object] if isinstance(item.order, (Create, Update)) else None
        keys = frozenset(mapping.by_salesforce[each].key for each in names if each in mapping.by_salesforce) if mapping else frozenset()
        return Outcome(fate=Fate.REJECTED, reason=reason, fields=keys)


def _read_of(mapping: ObjectMapping, rules: SyncRules) -> list[str]:
    key = [rules.links.salesforce_key] if mapping.is_person else []
    more = SORTS[mapping.object].entity.conversion if mapping.object in SORTS else ()
    mapped = (field.salesforce for field in mapping.fields if field.salesforce)
    return sorted({"Id", *MODIFIED, CREATED_FIELD[SALESFORCE], *key, *more, *mapped})


def _id(item: Item) -> str:
    return item.order.id if not isinstance(item.order, Create) else ""


def _record(item: Item) -> dict[str, Value]:
    if isinstance(item.order, (Delete, Merge)):
        return {}
    row = {out.name: out.value for out in item.order.fields}
    sort = SORTS.get(item.order.object)
    return sort.entity.written(row) if sort is not None else row


def _told(obj: Object, row: Record, page: Page) -> ChangeEvent:
    return _reading(obj, row, page.at, page.until)


def _reading(obj: Object, row: Record, at: int, until: int) -> ChangeEvent:
    fields = {name: value for name, value in row.items() if name != "Id"}
    into, into_object = SORTS[obj].entity.into(row) if obj in SORTS else ("", "")
    modified_by, modified_at = last_change(row)
    return ChangeEvent(
        system=System.SALESFORCE,
        object=obj,
        id=salesforce_id(str(row["Id"])),
        kind=Happened.READ,
        source="read",
        at=at,
        until=until,
        fields=fields,
        into=into,
        into_object=into_object,
        modified_by=modified_by,
        modified_at=modified_at,
    )
