"""Why a client of the change stream has come to its end, whichever protocol it speaks. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """Why a client of the stream has come to its end, by what to do next."""

    RECONNECT = "reconnect"
    """The session on the stream is gone: a new client from the position, soon."""
    LOG_IN = "log_in"
    """The token is dead: a new one, then a new client."""
    BUSY = "busy"
    """The server asks for some minutes of quiet; a new log-in would only add to its load."""
    LIMIT = "limit"
    """The org's allocation (events of the day, concurrent clients) is used up."""
    REPLAY_LOST = "replay_lost"
    """The position is too old or unknown: a gap."""
    REFUSED = "refused"
    """Configuration or permission: a person must act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of a client, and the server's words for it."""

    kind: Ending
    words: str
    remedy: str = ""
    """Of a refusal: what a person can do about it."""
