"""Marketo as a place to write to: Sync Leads by id or as creations, 300 a call; the rest has an interface of its own."""

from collections.abc import Callable, Mapping, Sequence

from consumers.judging.meeting.introductions import created_at
from consumers.mapping.fields import SyncRules
from consumers.merge.lives.link import links_sent
from consumers.merge.pair.state import PairState
from consumers.merge.terms import match_key
from consumers.merge.writing.plan import Create, Delete, Merge, Update
from consumers.settle.writers.marketo.activities import MarketoActivities
from consumers.settle.writers.marketo.records import MarketoRecords, owned
from consumers.settle.writers.marketo.uses import ASKED, MarketoUses
from consumers.settle.writers.merging import after_refusal
from consumers.settle.writers.port import Fate, Item, Outcome, Use, Visible, all_of, answered_by
from consumers.settle.writers.refused import blamed, orphaned, passes
from streams.budget.port import Lane
from streams.marketo.api.calling import BATCH_RECORDS_MAX
from streams.marketo.api.refusals import judge_item
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.wire import ItemResult, Lead
from streams.wire.errors import Reject
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import CONTACT, CREATED_FIELD, LEAD, MARKETO, PERSON, Object, System

_EXISTS, _SEVERAL = frozenset({"1005"}), frozenset({"1007"})
"""Lead exists already; several leads match (Marketo, record-level error codes)."""
_GONE = frozenset({"1004"})
_DAY_MS, _SECOND_MS = 86_400_000, 1_000


class MarketoWriter:
    """Writes to one Marketo instance."""

    system = System.MARKETO
    batch_max, merges_max = BATCH_RECORDS_MAX, 1

    def __init__(
        self, rest: MarketoRest, rules: SyncRules, own_user: str = "", visible: Visible = all_of,
        goes_back: Callable[[str], bool] = lambda _: False,
    ) -> None:  # fmt: skip
        """`own_user`: our API user, as activities name it. `goes_back`: as `MarketoRecords` has it."""
        self._rest, self._visible = rest, visible
        self._uses = MarketoUses(rest, own_user)
        self._records = MarketoRecords(rest.resources, rest.programs, rules, visible, goes_back)
        self._activities = MarketoActivities(rest, rules)
        self._rules = rules
        self._fields = sorted({CREATED_FIELD[MARKETO], *(field.marketo for mapping in rules.people.values() for field in mapping.fields)})

    async def candidates(self, wanted: Mapping[int, PairState], lane: Lane) -> dict[int, list[ChangeEvent]]:
        """By the Salesforce id stored on the person (which a creation in doubt may have stored when it was another one), else by e-mail; an
        activity by the one that it tells of; members by their names."""
        logged = {pair: state for pair, state in wanted.items() if self._activities.keeps(state.counterpart)}
        found = await self._activities.find(logged, lane) if logged else {}
        others: dict[Object, dict[int, PairState]] = {}
        for pair, state in wanted.items():
            if state.counterpart != PERSON and pair not in logged:
                others.setdefault(state.counterpart, {})[pair] = state
        for obj, some in others.items():
            found |= await self._records.candidates(obj, some, lane)
        wanted = {pair: state for pair, state in wanted.items() if state.counterpart == PERSON}
        links = self._rules.links
        for obj, name in ((LEAD, links.lead_id), (CONTACT, links.contact_id)):
            by_id = {state.salesforce.id: pair for pair, state in wanted.items() if state.object == obj}
            found |= await self._linked(name, by_id, lane)
        former = [(name, sent, pair) for pair, state in wanted.items() if pair not in found for name, sent in links_sent(state, links)]
        for name in (links.lead_id, links.contact_id):
            found |= await self._linked(name, {sent: pair for field, sent, pair in former if field == name and pair not in found}, lane)
        by_email: dict[str, list[int]] = {}
        for pair, state in wanted.items():
            email = self._email(state)
            if pair not in found and email is not None:
                by_email.setdefault(email, []).append(pair)
        if by_email:
            for lead in await self._rest.find(self._rules.email_key, sorted(by_email), self._shown(), lane):
                for pair in by_email.get(str(lead.fields[self._rules.email_key] or "").strip().lower(), []):
                    found.setdefault(pair, []).append(_reading(lead))
        return found

    async def _linked(self, name: str, by_id: Mapping[str, int], lane: Lane) -> dict[int, list[ChangeEvent]]:
        """Those who carry these ids in a link field, by the pairs whose they are."""
        found: dict[int, list[ChangeEvent]] = {}
        for lead in await self._rest.find(name, sorted(by_id), self._shown(), lane) if by_id else ():
            found.setdefault(by_id[str(lead.fields[name]).strip()], []).append(_reading(lead))
        return found

    async def read(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, ChangeEvent | None]:
        """A reading of each record; None for one that is deleted or merged away."""
        if self._activities.keeps(obj):
            return self._activities.read(obj, ids)
        if obj != PERSON:
            return await self._records.read(obj, ids, lane)
        leads = await self._rest.read(ids, self._shown(), lane)
        return {each: _reading(leads[each]) if each in leads else None for each in ids}

    async def masters(self, obj: Object, ids: Sequence[str], lane: Lane) -> Mapping[str, str | None]:
        """Its activities tell."""
        del obj, ids, lane
        return {}

    async def surely_deleted(self, obj: Object, ids: Sequence[str], lane: Lane) -> frozenset[str]:
        """All: our user sees whoever is there."""
        del obj, lane
        return frozenset(ids)

    async def uses(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, Use | None]:
        """As the port says."""
        there = {each: reading for each, reading in (await self.read(obj, ids, lane)).items() if reading is not None}
        if obj != PERSON:  # Marketo itself refuses to delete what others belong to
            return {each: Use(reading=there[each], what=(), asked="Marketo") if each in there else None for each in ids}
        made = {each: (created_at(reading) or reading.at - _DAY_MS) - _SECOND_MS for each, reading in there.items()}
        found = await self._uses.of(made, lane) if made else {}
        return {each: Use(reading=there[each], what=tuple(found[each]), asked=ASKED) if each in there else None for each in ids}

    async def write(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        """One call to Sync Leads, Delete Leads or Merge Leads, or to the list that such records are kept in."""
        first = items[0].order
        if isinstance(first, Merge):
            return [await self._merge(item, first, lane) for item in items]
        if self._activities.keeps(first.object):
            return await self._activities.write(items, lane)
        if first.object != PERSON:
            return await self._records.write(items, lane)
        await self._records.stand_in(items, lane)
        outcomes = await owned(items, lambda: self._write(items, lane))
        self._records.missed(outcomes)
        return outcomes

    async def _write(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        first = items[0].order
        if isinstance(first, Delete):
            answer = await self._rest.delete([_id(item) for item in items], lane)
        elif isinstance(first, Create):
            answer = await self._rest.sync([self._record(item) for item in items], "createOnly", None, lane)
        else:
            records = [{"id": int(_id(item)), **self._record(item)} for item in items]
            answer = await self._rest.sync(records, "updateOnly", "id", lane)
        told = (_outcome(result, item, answer.until) for item, result in zip(items, answer.results, strict=True))
        return answered_by(answer.request_id, told)

    async def _merge(self, item: Item, order: Merge, lane: Lane) -> Outcome:
        try:
            call = await self._rest.merge(order.id, order.losers, lane)
        except Reject as error:
            refused = Outcome(fate=Fate.REJECTED, reason=f"{error.code} {error}".strip())
            if error.code not in _GONE:
                return refused
            return after_refusal(item, await self._rest.read([order.id, *order.losers], ["id"], lane), refused)
        return Outcome(fate=Fate.DONE, id=order.id, call=call)

    def together(self, item: Item) -> str:
        """As the port says."""
        return self._records.together(item)

    def alike(self, state: PairState) -> str:
        """As the port says."""
        return self._records.alike(state)

    def _shown(self) -> list[str]:
        return self._visible(self.system, PERSON, self._fields)

    def _record(self, item: Item) -> dict[str, Value]:
        order = item.order
        assert isinstance(order, (Create, Update))  # noqa: S101 - for the type checker; `write` has sent the others another way
        record: dict[str, Value] = {out.name: out.value for out in order.fields}
        if self._rules.links.stamp:
            record[self._rules.links.stamp] = str(item.write)
        return record

    def _email(self, state: PairState) -> str | None:
        """What people can be looked up by: Marketo takes a list of values, in ASCII."""
        key = match_key(state, self._rules)
        return key if key is not None and key.isascii() and "," not in key else None


def _id(item: Item) -> str:
    return item.order.id if isinstance(item.order, (Update, Delete)) else ""


def _reading(lead: Lead) -> ChangeEvent:
    return ChangeEvent(
        system=System.MARKETO,
        object=PERSON,
        id=lead.id,
        kind=Happened.READ,
        source="read",
        at=lead.at,
        until=lead.until,
        fields=lead.fields,
    )


def _outcome(result: ItemResult, item: Item, until: int) -> Outcome:
    if result.status in ("created", "updated", "deleted"):
        return Outcome(fate=Fate.DONE, id=result.id or _id(item), until=until)
    if result.status == "unknown":
        return Outcome(fate=Fate.UNKNOWN, reason=result.message)
    if (missed := orphaned(item, result.code, result.message)) is not None:
        return missed
    reason = f"{result.code} {result.message}".strip()
    if result.code in _GONE:
        return Outcome(fate=Fate.GONE, reason=reason, until=until)
    if isinstance(item.order, Create) and result.code in _EXISTS:
        return Outcome(fate=Fate.EXISTS, reason=reason)
    if isinstance(item.order, Create) and result.code in _SEVERAL:
        return Outcome(fate=Fate.SEVERAL, reason=reason)
    passing = passes([judge_item(result.code, result.message)], reason)
    return passing or Outcome(fate=Fate.REJECTED, reason=reason, fields=blamed(item, result.message))
