"""What an act is: where it is posted, what it is asked with, who may, and the function that does it. Pure."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from consumers.configuration.loading import Settings
from consumers.console.access.problems import Refused
from consumers.console.access.roles import Role
from consumers.console.api.refusals import senseless
from consumers.deliveries.addresses import shown_url

REASON_MAX = 2_000


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every act is asked with."""

    apply: Annotated[bool, msgspec.Meta(description="Do it; without it, it is only said what would be done.")] = False
    reason: Annotated[
        str, msgspec.Meta(description="Why, for whoever reads the audit log; needed with `apply`.", max_length=REASON_MAX)
    ] = ""


Most = Annotated[int, msgspec.Meta(description="Look at the newest so many.", ge=1, le=1_000_000)]
Everything = Annotated[bool, msgspec.Meta(description="All of them.")]
Name = Annotated[str, msgspec.Meta(description="A Salesforce id, a Marketo id, an e-mail address, or pair:NUMBER.", max_length=500)]
Wait = Annotated[int, msgspec.Meta(description="Wait so many seconds for its end.", ge=0, le=600)]


Do = Callable[[Settings, Any, str], Awaitable[Any]]
"""Does what is asked for (or, without `apply`, says what would be done) in the name of whoever is given last. Raises `TOLD`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One of them. `name`: as the audit log has it; `command`: that of the command line which does the same; `takes`: what it is asked
    with; `gives`: what it answers, first without `apply`, then with it; `private`: of what it is asked with, what the log must not hold."""

    name: str
    command: tuple[str, ...]
    path: str
    words: str
    takes: type[Asked]
    gives: tuple[Any, ...]
    do: Do
    role: Role = Role.OPERATOR
    private: frozenset[str] = frozenset()
    kept: Callable[[Any], Any] = lambda told: told
    """What of its answer may be kept, to be answered again: no secret."""

    def what(self, asked: Asked) -> dict[str, Any]:
        """For the audit log: what it is asked with, without personal data."""
        told = {name: getattr(asked, name) for name in asked.__struct_fields__ if name not in ("apply", "reason")}
        return {name: "(not kept)" if name in self.private and value is not None else _impersonal(value) for name, value in told.items()}


def one_way(names: Sequence[Any], cause: str, *, everything: bool) -> None:
    """Whether it is said in one way what an act is about. Raises `Refused`."""
    if sum((bool(names), bool(cause), everything)) != 1:
        raise Refused(senseless("It is not said in one way what this is about.", "Name some, or give `cause`, or `all`: one of the three."))


def _impersonal(value: Any) -> Any:
    if isinstance(value, str):
        if "://" in value:
            return shown_url(value)
        return "by e-mail" if "@" in value else value
    if isinstance(value, list | tuple):
        return [_impersonal(each) for each in value]
    return value
