"""From a path to its endpoint."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from infra.sandbox.marketo.border import permissions
from infra.sandbox.marketo.border.call import Answer, Call, Raw
from infra.sandbox.marketo.border.errors import MESSAGES, ApiError

Endpoint = Callable[[Call], Answer | Raw]
Routes = list[tuple[str, str, Endpoint]]
"""Method, path with `{id}` (a number) or `{name}` (anything), endpoint. The first that fits is taken."""


@dataclass(slots=True)
class Router:
    table: Sequence[tuple[str, str, Endpoint]]
    needed: dict[str, frozenset[str]] = field(default_factory=dict)
    """By an endpoint's name, the permissions of which a user needs one; empty: none."""
    _patterns: list[tuple[re.Pattern[str], str, str, Endpoint]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for method, path, endpoint in self.table:
            pattern = re.escape(path).replace(r"\{id\}", r"(\d+)").replace(r"\{name\}", r"([^/]+)")
            self._patterns.append((re.compile(pattern), method, f"{method} {path}", endpoint))
            self.needed[f"{method} {path}"] = permissions.needed(f"{method} {path}")

    def find(self, call: Call) -> tuple[str, Endpoint]:
        """The name for the meters, and the endpoint; the path's parts go into the call. ApiError 605 for another method, 610 for a path
        that is not served."""
        known = False
        for pattern, method, name, endpoint in self._patterns:
            match = pattern.fullmatch(call.path)
            if match is None:
                continue
            known = True
            if method == call.method:
                call.path_args = match.groups()
                return name, endpoint
        if known:
            raise ApiError("605", f"HTTP Method '{call.method}' is not supported")
        raise ApiError("610", f"{MESSAGES['610']} (not in the sandbox)")
