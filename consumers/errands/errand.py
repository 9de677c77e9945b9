"""An errand as a value: what is asked for, of whom, how far it has come, and how it ended."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from streams.wire.systems import Object


class What(StrEnum):
    """What can be asked for, as Marketo's own flow steps have it."""

    PUSH = "push"
    ADD_TO_CAMPAIGN = "add-to-campaign"
    CHANGE_OWNER = "change-owner"
    CREATE_TASK = "create-task"
    CONVERT = "convert"


class Push(msgspec.Struct, frozen=True, tag="push", forbid_unknown_fields=True):
    """The person is to be in Salesforce."""

    note: str = ""


class AddToCampaign(msgspec.Struct, frozen=True, tag="add-to-campaign", forbid_unknown_fields=True):
    """The person is to be a member of a campaign (its id or its name). One who is a member already keeps the status."""

    campaign: str
    status: str = ""
    """Blank: the campaign's own default."""


class ChangeOwner(msgspec.Struct, frozen=True, tag="change-owner", forbid_unknown_fields=True):
    """The record is to have another owner: an id, a user name, an e-mail address or a full name of a user, or the name of a queue."""

    owner: str


class CreateTask(msgspec.Struct, frozen=True, tag="create-task", forbid_unknown_fields=True):
    """A task is to be made for the person. What is blank is Salesforce's own default."""

    subject: str
    due: str = ""
    """A day (2026-11-30)."""
    owner: str = ""
    status: str = ""
    priority: str = ""
    comments: str = ""


class Convert(msgspec.Struct, frozen=True, tag="convert", forbid_unknown_fields=True):
    """The lead is to be converted: into an existing contact or account where one is named (by id), else into new ones."""

    status: str = ""
    """Blank: the org's first status of converted leads."""
    account: str = ""
    contact: str = ""
    opportunity: str = ""
    """The name of an opportunity to be made; none is made without."""
    owner: str = ""


Request = Push | AddToCampaign | ChangeOwner | CreateTask | Convert


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """One errand that has not ended. `person`: the Marketo id. Times are ms, ours."""

    id: int
    name: str
    """What it is known by, for ever, to whoever asked: asked again under the same name, it is the same errand."""
    person: str
    request: Request
    asked_at: int
    asked_by: str = ""
    """Who asked, in words."""
    introduced: bool = False
    """The ledger knows that the person is wanted in Salesforce."""
    tried_at: int = 0
    """From when on it may have been done, since a call was made whose answer isn't known; 0: no such call."""
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An errand whose person is in Salesforce: the record there."""

    errand: Errand
    object: Object
    record: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It has been done: what came of it, in words; `id`: the record that it made or found."""

    reason: str
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It can't be done: a code for statistics, and why, in words."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Not yet: why, and how long to wait at the least. `sure`: nothing was done."""

    reason: str
    after_seconds: float = 0.0
    sure: bool = True


Outcome = Done | Failed | Later

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)


def encode(request: Request) -> bytes:
    """The request as it is stored."""
    return _encoder.encode(request)


def decode(data: bytes) -> Request:
    """The request from storage."""
    return _decoder.decode(data)


def what_of(request: Request) -> What:
    """What a request asks for."""
    return What(str(request.__struct_config__.tag))
