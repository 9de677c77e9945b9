"""What each role may do. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Each may do what those before it may."""

    VIEWER = "viewer"
    """Looks; personal data is masked."""
    OPERATOR = "operator"
    """Also has personal data shown, which is written down, and acts on records."""
    ADMIN = "admin"
    """Also changes what concerns all records, and reads the audit log."""

    def may(self, needed: "Role") -> bool:
        """Whether this role includes that one."""
        return _ORDER.index(self) >= _ORDER.index(needed)


_ORDER = tuple(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who sends a request. `revealed`: personal data is shown to them; `form_key`: what their forms must carry (empty: a program)."""

    who: str
    role: Role
    revealed: bool = False
    form_key: str = ""
