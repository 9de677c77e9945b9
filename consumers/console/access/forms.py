"""What a request must carry before it changes anything: it comes from a page of ours, of this very session, by somebody who may."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from consumers.console.access.guard import visitor_of
from consumers.console.access.roles import Role

_FORM_BYTES_MAX = 65_536
Form = Mapping[str, str]
Handler = Callable[[Request], Awaitable[Response]]


class TooLong(ValueError):  # noqa: N818 - it says what is wrong
    """A form larger than any of ours."""


def acting(needed: Role, handler: Callable[[Request, Form], Awaitable[Response]]) -> Handler:
    """The handler of a form, for those who have that role."""

    async def checked(request: Request) -> Response:
        visitor = visitor_of(request)
        if not same_origin(request):
            return PlainTextResponse("This form was sent from another site.", 403)
        try:
            form = await form_of(request)
        except TooLong:
            return PlainTextResponse("This form is too long.", 413)
        if not visitor.form_key or not secrets.compare_digest(form.get("form_key", "").encode(), visitor.form_key.encode()):
            return PlainTextResponse("This form is of another session: load the page again.", 403)
        if not visitor.role.may(needed):
            return PlainTextResponse(f"That takes the role {needed}; yours is {visitor.role}.", 403)
        return await handler(request, form)

    return checked


def same_origin(request: Request) -> bool:
    """Whether the browser says that a page of ours sent it. Without a word from the browser it is none: ours all say so."""
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == request.headers.get("host", "")


async def form_of(request: Request) -> Form:
    """Its fields; of one that comes twice the last. Raises `TooLong`."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _FORM_BYTES_MAX:
            raise TooLong
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
