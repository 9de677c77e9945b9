"""What the stream's server says, and what is done about it: the error table of the Streaming API guide as cases."""

from typing import Any

import pytest

from streams.salesforce.sources.bayeux import ending, remedy
from streams.salesforce.sources.endings import Ending

C, H, S = "/meta/connect", "/meta/handshake", "/meta/subscribe"
TOO_BUSY = "503::Server is too busy.  Please try your request again later."


@pytest.mark.parametrize(
    ("channel", "error", "reason", "kind"),
    [
        (H, "400::API version in the URI is mandatory. URI format: '/cometd/43.0'", "", Ending.REFUSED),
        (H, "400::Unsupported API version. Only API versions '23.0' and above are supported", "", Ending.REFUSED),
        (C, "400::Invalid connection type {websocket}", "", Ending.REFUSED),
        (S, "400::The channel you requested to subscribe to does not exist {/data/Nope}", "", Ending.REFUSED),
        (S, "400::Channel name not specified", "", Ending.REFUSED),
        (C, "400::Client abc has established a session, but no sfdc-stream cookie present", "", Ending.RECONNECT),
        (S, "400::The replayId {7} you provided was invalid.  Please provide a valid ID, -2 to replay all", "", Ending.REPLAY_LOST),
        (C, "400::Authenticated user id does not match the session's user id", "", Ending.RECONNECT),
        (C, "401::Authentication invalid", "", Ending.LOG_IN),
        (H, "403::Handshake denied", "401::Authentication invalid", Ending.LOG_IN),
        (H, "403::Handshake denied", "401::Request requires authentication", Ending.LOG_IN),
        (H, "403::Handshake denied", "403::To protect all customers from excessive use of the system, blocked", Ending.BUSY),
        (H, "403::Handshake denied", "", Ending.BUSY),
        (C, "401::Authentication invalid", TOO_BUSY, Ending.BUSY),
        (S, "403::Unknown client", TOO_BUSY, Ending.BUSY),
        (C, TOO_BUSY, "", Ending.BUSY),
        (C, "403::Unknown client", "", Ending.RECONNECT),
        (C, "402::Unknown client", "", Ending.RECONNECT),
        (S, "403::Unknown client", "", Ending.RECONNECT),
        (S, "403::Client has not completed handshake", "", Ending.RECONNECT),
        (H, "403::Organization concurrent user limit exceeded", "", Ending.LIMIT),
        (C, "403::Organization total events daily limit exceeded", "", Ending.LIMIT),
        (S, "403::User not allowed to subscribe CDC without View All Data permissions", "", Ending.REFUSED),
        (S, "403::Restricted channel", "", Ending.REFUSED),
        (S, "403::Cannot create channel {/data/x}", "", Ending.REFUSED),
        (C, "413::Maximum Request Size Exceeded", "", Ending.RECONNECT),
        (C, "", "", Ending.RECONNECT),
    ],
)
def test_errors(channel: str, error: str, reason: str, kind: Ending) -> None:
    message: dict[str, Any] = {"channel": channel, "successful": False, "error": error}
    if reason:
        message["ext"] = {"sfdc": {"failureReason": reason}}
    end = ending(message)
    assert end is not None
    assert end.kind is kind
    assert error in end.words


@pytest.mark.parametrize("message", [{"channel": C, "successful": True}, {"channel": S, "successful": True}, {"channel": C}])
def test_success_ends_nothing(message: dict[str, Any]) -> None:
    assert ending(message) is None


def test_a_disconnect_of_the_server_ends() -> None:
    end = ending({"channel": "/meta/disconnect"})
    assert end is not None
    assert end.kind is Ending.RECONNECT


def test_remedies_are_specific() -> None:
    assert "View All Data" in remedy("403::User not allowed to subscribe CDC without View All Data permissions")
    assert "api_version" in remedy("400::Unsupported API version")
    assert remedy("whatever").startswith("Check")
