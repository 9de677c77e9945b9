"""What a gRPC status of the Pub/Sub API means. Pure.

After the Pub/Sub API guide, "handle errors": the trailer `error-code` says more than the status, so it goes first.
"""

from streams.salesforce.sources.endings import End, Ending

_CODES = (
    ("replayid.corrupted", Ending.REPLAY_LOST),
    ("replayid.validation.failed", Ending.REPLAY_LOST),
    ("limit.exceeded", Ending.LIMIT),
    ("auth.error", Ending.LOG_IN),
    ("permission", Ending.REFUSED),
    ("topic.not.found", Ending.REFUSED),
)
_STATUSES = {
    "UNAUTHENTICATED": Ending.LOG_IN,
    "RESOURCE_EXHAUSTED": Ending.LIMIT,
    "PERMISSION_DENIED": Ending.REFUSED,
    "NOT_FOUND": Ending.REFUSED,
    "UNIMPLEMENTED": Ending.REFUSED,
}
"""Any other status (unavailable, a deadline, a reset connection) is waited out by a new client."""
_REMEDIES = {
    "PERMISSION_DENIED": "Give the integration user View All Data, or View All Records on each streamed object.",
    "NOT_FOUND": "Select the objects for Change Data Capture in Setup, and check the channel's name.",
}
_REMEDY = "Check salesforce.pubsub_url, the channel and the user's permissions, or go back to `stream: cometd`."


def ending(status: str, error_code: str, details: str) -> End:
    """What a call's end means: the status by name, the trailer `error-code` (empty: none), the server's words."""
    kind = next((kind for part, kind in _CODES if part in error_code), None) or _STATUSES.get(status, Ending.RECONNECT)
    words = f"{status} {error_code.rpartition('grpc.')[2]} {details}".split()
    remedy = _REMEDIES.get(status, _REMEDY) if kind is Ending.REFUSED else ""
    return End(kind=kind, words=" ".join(words)[:300], remedy=remedy)
