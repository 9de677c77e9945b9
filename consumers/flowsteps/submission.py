"""What Marketo submits, as errands: each person once, under a name that a repeated call has too. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from urllib.parse import urlsplit

import msgspec

from consumers.errands.catalogue import STEPS, Wrong, request_of
from consumers.errands.errand import What
from consumers.errands.store import Asked, Callback

INVALID = "INVALID_INPUT"
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Subscription(msgspec.Struct, frozen=True, rename="camel"):
    """Who asks."""

    munchkin_id: str


class Context(msgspec.Struct, frozen=True):
    """Where it is asked from."""

    subscription: Subscription


class ObjectData(msgspec.Struct, frozen=True, rename="camel"):
    """One person."""

    object_type: str
    object_context: Mapping[str, object]
    flow_step_context: Mapping[str, object] | None = None


class Submission(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a call, as far as it is needed; whatever else Marketo sends is left unread."""

    token: str
    batchid: str | int
    api_call_back_key: str
    campaign_id: int
    callback_url: str
    context: Context
    object_data: list[ObjectData]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A submission, to be kept."""

    name: str
    asked_by: str
    errands: tuple[Asked, ...]
    callback: Callback


class Refused(ValueError):  # noqa: N818 - an answer to whoever calls
    """The call can't be taken; the message says why. `status`: of the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


_decoder = msgspec.json.Decoder(Submission)


def batch_of(what: What, body: bytes, today: date, *, hosts: str, munchkin_id: str | None) -> Batch:
    """The batch that a call asks for. `hosts`: who may be called back. Raises `Refused`.

    A token is Marketo's for one call, so whatever has the same token, campaign and person is the same call once more.
    """
    try:
        told = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Refused(f"the request can't be read: {error}") from None
    munchkin = told.context.subscription.munchkin_id
    if munchkin_id and munchkin.casefold() != munchkin_id.casefold():
        raise Refused("this subscription is not the one that the service is for (flow_steps.munchkin_id)", 403)
    if not told.token or not told.api_call_back_key:
        raise Refused("token and apiCallBackKey must not be empty: the outcome could not be given back")
    if not may_be_called(told.callback_url, hosts):
        raise Refused("callbackUrl is not at a host that may be called back (flow_steps.callback_hosts)")
    secret = blake2b(told.token.encode(), digest_size=16).hexdigest()
    name = f"flow/{what}/{munchkin}/{told.campaign_id}/{told.batchid}/{secret}"
    errands: dict[str, Asked] = {}
    for each in told.object_data:
        asked = _asked(what, name, each, today)
        errands.setdefault(asked.person, asked)
    if not errands:
        raise Refused("objectData is empty")
    callback = Callback(url=told.callback_url, munchkin_id=munchkin, api_key=told.api_call_back_key, token=told.token)
    asked_by = f"the flow step {STEPS[what].name!r} of smart campaign {told.campaign_id}"
    return Batch(name=name, asked_by=asked_by, errands=tuple(errands.values()), callback=callback)


def may_be_called(url: str, hosts: str) -> bool:
    """Whether an address is at one of these hosts, over https (or on this machine)."""
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").casefold(), parts.port
    except ValueError:
        return False
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOCAL):
        return False
    if parts.username or parts.password:
        return False
    allowed = [each.strip().casefold() for each in hosts.split(",")]
    return any(host == each or (each.startswith(".") and host.endswith(each)) for each in allowed)


def _asked(what: What, name: str, told: ObjectData, today: date) -> Asked:
    number = told.object_context.get("id")
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise Refused("objectContext.id is not a person's id")
    person = str(number)
    if told.object_type != "lead":
        return Asked(name=f"{name}/{person}", person=person, request=None, wrong=(INVALID, "only people can be asked for"))
    try:
        request = request_of(what, told.flow_step_context or {}, today)
    except Wrong as error:
        return Asked(name=f"{name}/{person}", person=person, request=None, wrong=(INVALID, str(error)))
    return Asked(name=f"{name}/{person}", person=person, request=request)
