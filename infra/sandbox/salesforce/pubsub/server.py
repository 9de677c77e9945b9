"""Runs the service on a port of its own, with TLS when there is a certificate."""

from __future__ import annotations

from pathlib import Path

import grpc

from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.pubsub.service import PubSub

STOP_SECONDS = 0.2
OPTIONS = (("grpc.so_reuseport", 0),)
"""Else two servers could share a port, each with half of the calls."""


class GrpcServer:
    """Serves from `start` to `stop` on the port of `bind`."""

    def __init__(self, org: Org) -> None:
        self._service = PubSub(org)
        self._server = grpc.aio.server(options=OPTIONS)
        self._server.add_generic_rpc_handlers((self._service.handlers(),))
        self.port = 0

    def bind(self, host: str, port: int, certificate: str = "", key: str = "") -> None:
        """Takes the port (0: a free one); `certificate` and `key` are PEM files. Raises RuntimeError when it is taken."""
        address = f"{host}:{port}"
        if certificate:
            pair = [(Path(key).read_bytes(), Path(certificate).read_bytes())]
            self.port = self._server.add_secure_port(address, grpc.ssl_server_credentials(pair))
        else:
            self.port = self._server.add_insecure_port(address)

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        self._service.close()
        await self._server.stop(STOP_SECONDS)
