"""The control verbs of the org: what a person or an administrator does in the user interface, and what only a sandbox can do."""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import orjson

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.kernel.system import Verb, VerbRefusedError
from infra.sandbox.salesforce.access.caller import Caller
from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.control.archiving import archive, told
from infra.sandbox.salesforce.control.fieldtypes import NAME, change_type
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.rest.input import read_values
from infra.sandbox.salesforce.saving.conversion import Conversion, convert, converted_status, merge
from infra.sandbox.salesforce.saving.transaction import Transaction
from infra.sandbox.salesforce.schema.types import Row
from infra.sandbox.salesforce.setup.actions import PUBLIC_SETUP
from infra.sandbox.salesforce.setup.firstrows import ADMINISTRATOR, profile_id
from infra.sandbox.salesforce.state.state import SYSTEM
from infra.sandbox.salesforce.wire import ids
from infra.sandbox.salesforce.wire.errors import ApiError, RecordError

USER_INTERFACE = "com/salesforce/api/soap/66.0;client=SfdcInternalAPI/"
"""The change origin of an edit in Lightning (CDC guide, change event header)."""
LOAD_CHUNK = 500
Args = dict[str, Any]
OVERFLOW_ID = ids.DUMMY_ID


class Verbs:
    """Each method takes the arguments as an object and returns what is answered. Refusals are `VerbRefusedError`.

    Verbs that change records take `as`: the user name of the person who does it (default: the ordinary user), and `late_seconds`: the
    records are stamped so long ago, as after a transaction that was open for long.
    """

    def __init__(self, org: Org, person: str) -> None:
        self._org = org
        self._person = person

    def table(self) -> Mapping[str, Verb]:
        verbs: dict[str, Callable[[Args], Any]] = {
            "create": self.create, "edit": self.edit, "delete": self.delete, "undelete": self.undelete, "convert": self.convert,
            "merge": self.merge, "empty_recycle_bin": self.empty_recycle_bin, "expire_sessions": self.expire_sessions,
            "create_user": self.create_user, "issue_refresh_token": self.issue_refresh_token, "lock": self.lock,
            "add_record_type": self.add_record_type, "gap": self.gap, "overflow": self.overflow,
            "corrupt": self.corrupt, "archive": self.archive, NAME: self.change_field_type,
        }  # fmt: skip
        for name in PUBLIC_SETUP:
            verbs[name] = functools.partial(self.set_up, name)
        return {**{name: _verb(call) for name, call in verbs.items()}, "load": self.load}

    # -- records

    def create(self, args: Args) -> Any:
        """{object, fields} or {object, records: [fields, ...]} -> {ids}; all in one transaction, all or none."""
        seen = self._seen(args)
        records = args["records"] if "records" in args else [args.get("fields", {})]
        with _all_or_none(self._org, self._caller(args)) as transaction:
            made = [transaction.create(seen.kind.name, read_values(seen, fields, "create")) for fields in records]
        return {"id": made[0], "ids": made} if made else {"ids": made}

    def edit(self, args: Args) -> Any:
        """{object, id, fields} or {object, records: [{id, fields}, ...]} -> {edited}; all in one transaction, all or none."""
        seen = self._seen(args)
        records = args.get("records", [args])
        with _all_or_none(self._org, self._caller(args)) as transaction:
            for record in records:
                transaction.update(_id(record.get("id")), read_values(seen, record.get("fields", {}), "update"))
        return {"edited": len(records)}

    def corrupt(self, args: Args) -> Any:
        """{object, records: [{id, fields}, ...]} -> {corrupted}: other values than were saved, as after a damaged disk.
        No stamp, no author, no rule, no event: only the history says so (`corrupt`)."""
        seen, now_ms = self._seen(args), self._org.clock.now_ms()
        rows, entries = self._org.store.tables[seen.kind.name].rows, []
        for record in args.get("records", [args]):
            record_id = _id(record.get("id"))
            values = read_values(seen, record.get("fields", {}), "update")
            before = {name: rows[record_id].get(name) for name in values}
            entries.append(Entry(now_ms, "sandbox", "corrupt", seen.kind.name, record_id, before, dict(values), extra={}))
        self._org.journal.append(entries)
        for entry in entries:
            self._org.apply(entry)
        return {"corrupted": len(entries)}

    def archive(self, args: Args) -> Any:
        """{object, id / ids}; see `archiving`."""
        return {"archived": archive(self._org, self._seen(args).kind, _ids(args))}

    def delete(self, args: Args) -> Any:
        with _all_or_none(self._org, self._caller(args)) as transaction:
            for record_id in _ids(args):
                transaction.delete(record_id)
        return {"deleted": len(_ids(args))}

    def undelete(self, args: Args) -> Any:
        self._org.expire_bin()
        with _all_or_none(self._org, self._caller(args)) as transaction:
            for record_id in _ids(args):
                transaction.undelete(record_id)
        return {"undeleted": len(_ids(args))}

    def convert(self, args: Args) -> Any:
        """{lead, account, contact, opportunity, status}; see `Conversion`. Without a status it is the first of converted leads, as the user
        interface offers it."""
        wanted = msgspec.convert({name: value for name, value in args.items() if name not in ("as", "late_seconds")}, Conversion)
        named = {name: _id(value) for name in ("lead", "account", "contact") if (value := getattr(wanted, name)) is not None}
        with _all_or_none(self._org, self._caller(args)) as transaction:
            status = wanted.status or converted_status(self._org)
            return convert(self._org, transaction, msgspec.structs.replace(wanted, **named, status=status), self._org.today)

    def merge(self, args: Args) -> Any:
        """{object, master, victims: [ids], fields}: `fields` are the values that the master gets."""
        seen = self._seen(args)
        master, victims = _id(args.get("master")), [_id(each) for each in args.get("victims", [])]
        with _all_or_none(self._org, self._caller(args)) as transaction:
            merge(self._org, transaction, master, victims, read_values(seen, args.get("fields", {}), "update"))
        return {"id": master, "mergedRecordIds": victims}

    def empty_recycle_bin(self, args: Args) -> Any:
        """Purges the records named by `ids`, or all deleted ones (of `object` where given)."""
        if "ids" in args or "id" in args:
            return {"purged": self._org.purge(_ids(args))}
        tables = [self._seen(args).kind.name] if "object" in args else list(self._org.store.tables)
        gone = [str(row["Id"]) for name in tables for row in self._org.store.tables[name].rows.values() if "IsDeleted" in row]
        return {"purged": self._org.purge(gone)}

    async def load(self, body: bytes) -> Any:
        """NDJSON, one `{"object", "fields"}` a line, into the org at once: no API calls, no change events -> {loaded, ids}.

        A line that is refused ends the load with its number; the lines before it are in.
        """
        caller = self._caller({}, captured=False)
        seen: dict[str, VisibleObject] = {}
        made: list[str] = []
        lines = [line for line in body.split(b"\n") if line.strip()]
        for start in range(0, len(lines), LOAD_CHUNK):
            with _all_or_none(self._org, caller) as transaction:
                for number, line in enumerate(lines[start : start + LOAD_CHUNK], start=start + 1):
                    try:
                        made.append(self._load_line(transaction, orjson.loads(line), seen))
                    except (RecordError, ApiError, ValueError, LookupError, AttributeError) as problem:
                        raise VerbRefusedError(f"line {number}: {problem}") from problem
            await asyncio.sleep(0)
        return {"loaded": len(made), "ids": made}

    def _load_line(self, transaction: Transaction, record: Args, known: dict[str, VisibleObject]) -> str:
        name = record["object"]
        if name not in known:
            known[name] = self._seen({"object": name})
        return transaction.create(name, read_values(known[name], record["fields"], "create"))

    def lock(self, args: Args) -> Any:
        """{id / ids, seconds, code: UNABLE_TO_LOCK_ROW | ENTITY_IS_LOCKED}: someone holds the records so long, by the sandbox's clock."""
        code = str(args.get("code", "UNABLE_TO_LOCK_ROW"))
        if code not in ("UNABLE_TO_LOCK_ROW", "ENTITY_IS_LOCKED"):
            raise VerbRefusedError("code is UNABLE_TO_LOCK_ROW or ENTITY_IS_LOCKED")
        until_ms = self._org.clock.now_ms() + int(float(args.get("seconds", 60)) * 1000)
        self._org.hold(_ids(args), code, until_ms)
        return {"locked": len(_ids(args))}

    def add_record_type(self, args: Args) -> Any:
        """{object, name, person?}: a record type, and RecordTypeId for the object."""
        seen = self._seen(args)
        name = str(args.get("name", ""))
        self._org.set_up("use_record_types", {"object": seen.kind.name})
        values: Row = {
            "Name": name, "DeveloperName": name.replace(" ", "_"), "SobjectType": seen.kind.name, "IsPersonType": bool(args.get("person")),
        }  # fmt: skip
        with _all_or_none(self._org, self._caller(args)) as transaction:
            return {"id": transaction.create("RecordType", values)}

    # -- set-up

    def change_field_type(self, args: Args) -> Any:
        """{object, field, type, ...}; see `fieldtypes`."""
        caller, seen = self._caller(args), self._seen(args)
        return {"told": change_type(self._org, caller.user_name, caller.user_id, {**args, "object": seen.kind.name})}

    def set_up(self, verb: str, args: Args) -> Any:
        self._org.set_up(verb, args)
        return {"done": verb}

    def create_user(self, args: Args) -> Any:
        """{username, first_name, last_name, email, password} -> {id}"""
        username = str(args.get("username", ""))
        user_id = add_user(self._org, username, args.get("first_name"), str(args.get("last_name") or username), args.get("email"))
        if args.get("password"):
            self._org.set_up("set_password", {"username": username, "password": args["password"]})
        return {"id": user_id}

    def issue_refresh_token(self, args: Args) -> Any:
        """{client_id, username} -> {refresh_token}: stands for the browser part of the web server flow."""
        if self._org.user_named(str(args.get("username"))) is None or args.get("client_id") not in self._org.apps.apps:
            raise VerbRefusedError("client_id and username must be known")
        token = f"5Aep861{secrets.token_urlsafe(40)}"
        self._org.set_up("add_refresh_token", {"token": token, "client_id": args["client_id"], "username": args["username"]})
        return {"refresh_token": token}

    def expire_sessions(self, args: Args) -> Any:
        """{user}: revokes all access tokens of that user."""
        user = self._org.user_named(str(args.get("user", "")))
        if user is None:
            raise VerbRefusedError(f"no user {args.get('user')!r}")
        return {"revoked": self._org.revoke(user_id=str(user["Id"]))}

    # -- events that no change made

    def gap(self, args: Args) -> Any:
        """{object, ids, change_type: GAP_UPDATE}: a gap event about these records (CDC guide, gap events)."""
        return self._event(args, _ids(args), str(args.get("change_type", "GAP_UPDATE")))

    def overflow(self, args: Args) -> Any:
        """{object}: more changes in one transaction than the bus takes (CDC guide, overflow events)."""
        return self._event(args, [OVERFLOW_ID], "GAP_OVERFLOW")

    def _event(self, args: Args, record_ids: list[str], change_type: str) -> Any:
        if not change_type.startswith("GAP_"):
            raise VerbRefusedError("change_type begins with GAP_")
        seen, caller = self._seen(args), self._caller(args)
        return {"replay_ids": self._org.publish(seen.kind.name, [told(self._org, seen.kind.name, record_ids, change_type, caller.user_id)])}

    # -- parts

    def _seen(self, args: Args) -> VisibleObject:
        seen = self._org.view(SYSTEM).object(str(args.get("object", "")))
        if seen is None:
            raise VerbRefusedError(f"no object {args.get('object')!r}")
        return seen

    def _caller(self, args: Args, *, captured: bool = True) -> Caller:
        user: Row | None = self._org.user_named(str(args.get("as", self._person)))
        if user is None:
            raise VerbRefusedError(f"no user {args.get('as')!r}")
        late = float(args.get("late_seconds", 0))
        request_id = f"ui-{secrets.token_hex(8)}"
        return self._org.caller(user, request_id=request_id, origin=USER_INTERFACE, captured=captured, late_seconds=late)


class _all_or_none:  # noqa: N801 - reads as a statement
    """A transaction that a refusal undoes as a whole."""

    def __init__(self, org: Org, caller: Caller) -> None:
        self._transaction = org.transaction(caller)

    def __enter__(self) -> Transaction:
        return self._transaction

    def __exit__(self, problem: type[BaseException] | None, *_: object) -> None:
        if problem is None:
            self._transaction.commit()
        else:
            self._transaction.rollback()


def add_user(org: Org, username: str, first_name: object, last_name: str, email: object = None) -> str:
    """Creates an active user, who is its own author when it is the first; returns the id."""
    first_id = org.store.tables["User"].new_id()
    author = next(iter(org.store.live("User")), None)
    caller = Caller(user_id=first_id, user_name="sandbox") if author is None else org.caller(author)
    transaction = org.transaction(caller)
    user_id = transaction.create("User", {
        "Username": username, "FirstName": None if first_name is None else str(first_name), "LastName": last_name,
        "Email": str(email or username), "Alias": username[:8], "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US",
        "LanguageLocaleKey": "en_US", "EmailEncodingKey": "UTF-8", "ProfileId": profile_id(org, ADMINISTRATOR),
    })  # fmt: skip
    transaction.commit()
    return user_id


def _verb(call: Callable[[Args], Any]) -> Callable[[bytes], Awaitable[Any]]:
    async def verb(body: bytes) -> Any:
        try:
            return call(msgspec.json.decode(body or b"{}", type=dict[str, Any]))
        except VerbRefusedError:
            raise
        except (RecordError, ApiError, ValueError, LookupError, TypeError, AttributeError) as problem:
            raise VerbRefusedError(f"{type(problem).__name__}: {problem}") from problem

    return verb


def _ids(args: Args) -> list[str]:
    return [_id(each) for each in (args["ids"] if "ids" in args else [args.get("id")])]


def _id(value: object) -> str:
    if not ids.well_formed(value):
        raise VerbRefusedError(f"not a record id: {value!r}")
    return ids.normalise(str(value))
