"""What scripted faults do to an HTTP exchange; the order is delay, apply, delay, answer."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from infra.sandbox.kernel.faults import CALL_TYPES, CallFaults, Fault

Apply = Callable[[], Awaitable[web.StreamResponse]]

_HTML_502 = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


async def deliver(request: web.Request, faults: CallFaults, latency_ms: float, apply: Apply) -> web.StreamResponse:
    """Runs `apply` once, or not at all, and answers as the fault wants. A fault of a type that is not in CALL_TYPES is the
    caller's business: it carries it out inside `apply`, and here the call goes its normal way.

    Half of the latency passes before the change is applied, half after it.
    """
    delay = (latency_ms + faults.delay_ms) / 2000
    if delay:
        await asyncio.sleep(delay)
    response = await _with_fault(request, faults.fault, apply)
    if delay:
        await asyncio.sleep(delay)
    return response


_APPLIED = {"lose_answer": True, "timeout": True, "half_answer": True}
"""Whether the change is made under a fault that does not say so itself (`"applied": true|false`)."""


async def _with_fault(request: web.Request, fault: Fault | None, apply: Apply) -> web.StreamResponse:
    if fault is None or fault.type not in CALL_TYPES:
        return await apply()
    whole = await apply() if fault.action.get("applied", _APPLIED.get(fault.type, False)) else web.Response()
    match fault.type:
        case "half_answer":
            return await _half(request, whole)
        case "html_502":
            return web.Response(status=502, text=_HTML_502, content_type="text/html")
        case "status" | "burst_5xx":
            return _status(fault)
        case "timeout":
            await asyncio.sleep(float(fault.action.get("seconds", 60)))
            return _hang_up(request)
        case _:  # lose_request, lose_answer, reset
            return _hang_up(request, reset=fault.type == "reset")


def _status(fault: Fault) -> web.Response:
    """`status` {status, body, headers}; `burst_5xx` {statuses: [...]} goes through its list call by call."""
    action = fault.action
    if fault.type == "burst_5xx":
        statuses = action.get("statuses") or [500, 502, 503]
        return web.Response(status=int(statuses[(fault.hits - 1) % len(statuses)]), text="")
    body = action.get("body", "")
    if isinstance(body, str):
        return web.Response(status=int(action.get("status", 500)), text=body, headers=action.get("headers"))
    return web.json_response(body, status=int(action.get("status", 500)), headers=action.get("headers"))


def _hang_up(request: web.Request, *, reset: bool = False) -> web.Response:
    """Closes the connection under the call. With `reset` the peer gets RST instead of FIN."""
    transport = request.transport
    if transport is not None:
        if reset:
            raw: socket.socket | None = transport.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()  # never arrives


async def _half(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    """Sends the headers of the whole answer and half of its body, then hangs up."""
    body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b""
    response = web.StreamResponse(status=whole.status, headers={"Content-Type": whole.headers.get("Content-Type", "application/json")})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
