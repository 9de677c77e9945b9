"""What tells of changes in Marketo at once, in this process: calls taken in, the journal read, hints heard by whoever reads activities."""

import asyncio
from collections.abc import Mapping

import aiohttp

from consumers.configuration.groups.pushes import DataStream, PushSettings
from consumers.configuration.loading import Settings
from consumers.intake.passing import Passing
from consumers.intake.service import Service
from consumers.worker.assembly.relaying import Relaying
from consumers.worker.process.process import Process, Work
from consumers.worker.tools.opening import Tools
from streams.marketo.sources.push.journal import JournalSettings, JournalSource


class TakingIn:
    """The server that webhooks and the data stream call, where one is configured."""

    def __init__(self, process: Process, settings: Settings) -> None:
        self._process, self._settings = process, settings

    def works(self) -> Mapping[str, Work]:
        """By role: what it does."""
        return {"intake.serve": self._serve} if self._settings.pushes.served else {}

    async def _serve(self, tools: Tools, stop: asyncio.Event) -> None:
        def heard(source: str, outcome: str) -> None:
            self._process.metrics.deliveries.labels(source, outcome).inc()

        async with aiohttp.ClientSession() as http:
            await Service(tools.settings.pushes, http, Passing(tools.pool), heard).run(stop)


def journal_of(settings: Settings, relaying: Relaying) -> Mapping[str, Work]:
    """By role: the source that reads Adobe's journal, where that is wanted."""

    async def read(tools: Tools, stop: asyncio.Event) -> None:
        async with aiohttp.ClientSession() as http:
            await relaying.carry("relay.journal", JournalSource(http, _journal(tools.settings.pushes), Passing(tools.pool)), tools, stop)

    return {"relay.journal": read} if settings.pushes.data_stream is DataStream.JOURNAL else {}


def _journal(pushes: PushSettings) -> JournalSettings:
    return JournalSettings(
        url=pushes.journal_url or "",
        token_url=pushes.login_url,
        client_id=pushes.adobe_client_id or "",
        client_secret=pushes.adobe_client_secret.reveal() if pushes.adobe_client_secret else "",
        organisation=pushes.adobe_organisation or "",
        munchkin_id=pushes.munchkin_id or "",
    )
