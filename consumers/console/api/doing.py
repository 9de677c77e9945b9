"""Doing what a program asks for: who may, is it well asked, is it written down; then it is done, once.

The order of effects: the key is taken, the audit log is written, it is done, the answer is kept.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import Response

from consumers.console.access.forms import same_origin
from consumers.console.access.guard import visitor_of
from consumers.console.access.problems import Problem, Refused
from consumers.console.access.roles import Role, Visitor
from consumers.console.api.acts.act import Act, Asked
from consumers.console.api.keys import KEY_MAX, Key
from consumers.console.api.refusals import TOLD, not_allowed, senseless
from consumers.console.ground import Ground
from consumers.console.masking import masked
from streams.ground.clock import now_ms

BODY_MAX = 262_144
KEY_HEADER, REPLAYED, FORM_KEY = "idempotency-key", "idempotency-replayed", "x-form-key"


class Doing:
    """For one console."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handler(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """What answers a program that posts to this act. Raises `TOLD`."""

        async def handle(request: Request) -> Response:
            visitor = visitor_of(request)
            if not visitor.role.may(act.role):
                raise Refused(not_allowed(act.role, visitor.role))
            _look_from_where(request, visitor)
            body = await _body(request)
            asked = asked_of(act, body)
            visitor = replace(visitor, revealed=False)
            if asked.apply:
                return await self._applied(act, asked, body, visitor, request.headers.get(KEY_HEADER, "").strip())
            if request.query_params.get("reveal") == "1":
                if not visitor.role.may(Role.OPERATOR):
                    raise Refused(not_allowed(Role.OPERATOR, visitor.role))
                await self._ground.note(visitor, "reveal", {"where": "api", "path": request.url.path}, asked.reason)
                visitor = replace(visitor, revealed=True)
            return _answer(await self._done(act, asked, visitor))

        return handle

    async def _applied(self, act: Act, asked: Asked, body: bytes, visitor: Visitor, name: str) -> Response:
        if len(name) > KEY_MAX:
            raise Refused(senseless(f"The Idempotency-Key has {len(name)} characters.", f"Give one of at most {KEY_MAX}."))
        key = Key(who=visitor.who, key=name) if name else None
        if key is not None:
            async with self._ground.connection() as connection:
                before = await key.take(connection, act.name, body, now_ms())
            if before is not None:
                return Response(before, media_type="application/json", headers={REPLAYED: "true"})
        try:
            await self._ground.note(visitor, act.name, act.what(asked), asked.reason)
            told = await self._done(act, asked, visitor)
        except TOLD:
            if key is not None:
                async with self._ground.connection() as connection:
                    await key.give_back(connection)
            raise
        answer = _answer(told)
        if key is not None:
            kept = _answer({**told, "result": act.kept(told["result"])})
            async with self._ground.connection() as connection:
                await key.keep(connection, bytes(kept.body))
        return answer

    async def _done(self, act: Act, asked: Asked, visitor: Visitor) -> dict[str, Any]:
        told = await act.do(self._ground.settings, asked, visitor.who)
        return {"act": act.name, "applied": asked.apply, "who": visitor.who, "result": told if visitor.revealed else masked(told)}


def asked_of(act: Act, body: bytes) -> Asked:
    """What an act is asked with. Raises `Refused` where that makes no sense, or no reason is given for doing it. Pure."""
    try:
        asked = msgspec.json.decode(body or b"{}", type=act.takes)
    except msgspec.MsgspecError as error:
        raise Refused(senseless(f"What is asked for can't be read: {error}.")) from error
    if asked.apply and not asked.reason.strip():
        why = Problem(
            name="no-reason", title="Nobody knows why", status=422, detail="Whatever is done is written down with its reason.",
            remedy="Give `reason`: a sentence, for whoever reads the audit log.",
        )  # fmt: skip
        raise Refused(why)
    return asked


def _look_from_where(request: Request, visitor: Visitor) -> None:
    """A session of the browser's acts only from our own pages; a program has its token."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        wrong = Problem(
            name="not-json", title="Not JSON", status=415, detail="What is asked for is sent as JSON.",
            remedy="Send it with `Content-Type: application/json`.",
        )  # fmt: skip
        raise Refused(wrong)
    if not visitor.form_key:
        return
    told = request.headers.get(FORM_KEY, "")
    if not same_origin(request) or not secrets.compare_digest(told.encode(), visitor.form_key.encode()):
        elsewhere = Problem(
            name="not-ours", title="Not from a page of ours", status=403, detail="A session acts from the console's own pages alone.",
            remedy="Programs send `Authorization: Bearer` with a token of their own (console.tokens).",
        )  # fmt: skip
        raise Refused(elsewhere)


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_MAX:
            most = Problem(
                name="too-long", title="Too long", status=413, detail=f"More than {BODY_MAX} bytes were sent.",
                remedy="Ask in pieces, or by `cause` or `all`.",
            )  # fmt: skip
            raise Refused(most)
    return body


def _answer(told: dict[str, Any]) -> Response:
    return Response(orjson.dumps(told, option=orjson.OPT_NON_STR_KEYS, default=plain), media_type="application/json")


def plain(value: Any) -> Any:
    """What `orjson` doesn't know by itself."""
    return msgspec.to_builtins(value, str_keys=True) if isinstance(value, msgspec.Struct) else str(value)
