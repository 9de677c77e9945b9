"""What the server of the change stream means by a message that isn't an event. Pure.

After the Streaming API guide, "Streaming API error codes" and "handling Streaming API errors". The texts are compared by code and
telling words; `ext.sfdc.failureReason` goes before `error`, which may say "401::Authentication invalid" while the server is only busy.
"""

from collections.abc import Mapping
from typing import Any

from streams.salesforce.sources.endings import End, Ending

_BUSY = ("503::", "too busy", "excessive use")
_LIMIT = ("concurrent user limit", "daily limit exceeded")
_REMEDY = (
    ("view all data", "Give the integration user View All Data, or View All Records on each streamed object."),
    ("restricted channel", "Check the integration user's permissions on the channel."),
    ("cannot create channel", "Check the channel's name."),
    ("does not exist", "Select the objects for Change Data Capture in Setup, and check the channel's name."),
    ("api version", "Set api_version to a version that the org supports."),
    ("connection type", "The stream is served by long polling only: check for a proxy that changes requests."),
)


def ending(message: Mapping[str, Any]) -> End | None:
    """What a message of a `/meta/` channel ends, if anything: failed answers, and a disconnect that the server sent by itself."""
    channel = message.get("channel")
    if message.get("successful", channel != "/meta/disconnect"):
        return None
    if channel == "/meta/disconnect" and not message.get("error"):
        return End(kind=Ending.RECONNECT, words="the server closed the session")
    error, reason = str(message.get("error") or ""), failure_reason(message)
    words = f"{channel}: {error}" + (f" ({reason})" if reason else "")
    kind = _kind(channel, error, reason, message.get("advice"))
    return End(kind=kind, words=words[:300], remedy=remedy(words) if kind is Ending.REFUSED else "")


def failure_reason(message: Mapping[str, Any]) -> str:
    """Salesforce's own reason beside the Bayeux error: `ext.sfdc.failureReason`, or empty."""
    ext = message.get("ext")
    sfdc = ext.get("sfdc") if isinstance(ext, dict) else None
    return str(sfdc.get("failureReason") or "") if isinstance(sfdc, dict) else ""


def remedy(words: str) -> str:
    """What a person can do about a refusal."""
    low = words.lower()
    return next(
        (advice for key, advice in _REMEDY if key in low), "Check the stream's channel, the API version and the user's permissions."
    )


def _kind(channel: object, error: str, reason: str, advice: object) -> Ending:
    told = (reason or error).lower()
    if any(key in told for key in _BUSY) or "too busy" in error.lower():
        return Ending.BUSY
    if any(key in told for key in _LIMIT):
        return Ending.LIMIT
    if "replayid" in told.replace(" ", ""):
        return Ending.REPLAY_LOST
    if any(key in told for key, _ in _REMEDY):
        return Ending.REFUSED
    if told.startswith("401"):
        return Ending.LOG_IN
    if told.startswith("403::handshake denied"):
        return Ending.BUSY
    if channel == "/meta/subscribe" and told.startswith("403") and "unknown client" not in told and "handshake" not in told:
        return Ending.REFUSED
    if told.startswith("400::the channel") or "channel name not specified" in told:
        return Ending.REFUSED
    if isinstance(advice, dict) and advice.get("reconnect") == "none" and not told.startswith(("402", "403", "400")):
        return Ending.LOG_IN if told.startswith("401") else Ending.BUSY
    return Ending.RECONNECT
