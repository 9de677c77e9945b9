"""Deliveries that are listened to: server-sent events, for programs with a token and for pages of the console."""

from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from consumers.answers.logs.delivering import listened
from consumers.console.access.guard import visitor_of
from consumers.console.access.problems import Problem, answered
from consumers.console.access.roles import Role
from consumers.console.api.openapi import PREFIX
from consumers.console.api.refusals import TOLD, not_allowed, problem_of
from consumers.console.ground import Ground

LISTENERS_MAX = 100
"""Of one console: each has a consumer of Kafka's."""
_FULL = Problem(
    name="away", title="Something needed can't be reached", status=503, detail=f"{LISTENERS_MAX} listen already.",
    remedy="Come again later.", headers={"retry-after": "10"},
)  # fmt: skip


class Listening:
    """The streams of one console."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._listeners = 0

    @property
    def routes(self) -> list[Route]:
        """Where they are."""
        return [Route(f"{PREFIX}/deliveries/{{name}}/events", self.stream)]

    async def stream(self, request: Request) -> Response:
        """What is kept from the cursor on, then what comes. `Last-Event-ID`: after that event, without a hole; `reveal=1`: unmasked, which
        takes the role operator and is written down."""
        visitor, name = visitor_of(request), request.path_params["name"]
        revealed = visitor.revealed or request.query_params.get("reveal") == "1"
        if revealed and not visitor.role.may(Role.OPERATOR):
            return answered(not_allowed(Role.OPERATOR, visitor.role), request.url.path)
        if self._listeners >= LISTENERS_MAX:
            return answered(_FULL, request.url.path)
        after = request.headers.get("last-event-id", "") or request.query_params.get("after", "")
        try:
            if revealed:
                await self._ground.note(visitor, "reveal", {"where": "api", "path": request.url.path})
            told = await listened(self._ground.settings, name, last_event_id=after, revealed=revealed)
        except TOLD as error:
            return answered(problem_of(error), request.url.path)
        return StreamingResponse(self._counted(told), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def _counted(self, told: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        self._listeners += 1
        try:
            async for part in told:
                yield part
        finally:
            self._listeners -= 1
            await told.aclose()
