"""What programs are told when something is not done: problem documents (RFC 9457) that say what, why, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.responses import Response

MEDIA = "application/problem+json"
_TYPE = "urn:tandem:problem:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One of them. `name`: stays the same for programs; `detail`: this time; `remedy`: what to do."""

    name: str
    title: str
    status: int
    detail: str
    remedy: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def told(self, where: str) -> dict[str, Any]:
        """The document. `where`: the path that was asked for."""
        document = {"type": _TYPE + self.name, "title": self.title, "status": self.status, "detail": self.detail, "instance": where}
        return {**document, "remedy": self.remedy} if self.remedy else document


class Refused(Exception):  # noqa: N818 - an answer to the program
    """Carries a problem to where it is answered."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def answered(problem: Problem, where: str) -> Response:
    """The answer to a program."""
    return Response(orjson.dumps(problem.told(where)), problem.status, headers=dict(problem.headers), media_type=MEDIA)
