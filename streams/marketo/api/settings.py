"""What has to be known to talk to one Marketo instance."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketoSettings:
    """One instance and the API-only user that calls it. Built at the entry point; a value that can't be right raises ValueError.

    The time-outs are the client's: a little above the server's own, which are 30 s in general, 90 s for Sync Leads, 180 s for
    Merge and 300 s for a paging token (Marketo developer guide, "Timeouts" of each endpoint), so that the server's word comes first.
    """

    base_url: str
    """Root of the instance, `https://123-ABC-456.mktorest.com`; a trailing `/rest` is taken off."""
    client_id: str
    client_secret: str = field(repr=False)
    identity_path: str = "/identity/oauth/token"
    time_zone: str = "America/Chicago"
    """Zone in which the instance shows datetimes in activities (Admin, Location); activities carry no zone of their own."""
    connections_max: int = 10
    """Connections open at once; the instance answers 10 calls at a time (Marketo, API limits)."""
    connect_seconds: float = 10.0
    read_seconds: float = 65.0
    write_seconds: float = 100.0
    merge_seconds: float = 190.0
    token_margin_seconds: float = 30.0
    """How long before its end an access token counts as used up."""

    def __post_init__(self) -> None:
        """Checks and normalises; the messages name the setting."""
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError(f"base_url must look like https://123-ABC-456.mktorest.com, not {self.base_url!r}")
        object.__setattr__(self, "base_url", self.base_url.rstrip("/").removesuffix("/rest"))
        for name in ("client_id", "client_secret"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty: copy it from Admin > LaunchPoint > View Details of the custom service")
        if not self.identity_path.startswith("/"):
            raise ValueError(f"identity_path must begin with a slash: {self.identity_path!r}")
        for name in ("connections_max", "connect_seconds", "read_seconds", "write_seconds", "merge_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"time_zone {self.time_zone!r} is not an IANA zone such as America/Chicago") from error

    @property
    def zone(self) -> ZoneInfo:
        """The display zone."""
        return ZoneInfo(self.time_zone)
