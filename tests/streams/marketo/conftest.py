"""Marketo in memory, and a REST client to it."""

from collections.abc import AsyncIterator

import pytest

from streams.budget.open import OpenBudget
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from tests.streams.marketo.marketo_stub import MarketoStub


@pytest.fixture
async def stub() -> AsyncIterator[MarketoStub]:
    async with MarketoStub().running() as running:
        yield running


@pytest.fixture
async def rest(stub: MarketoStub) -> AsyncIterator[MarketoRest]:
    async with MarketoSession(stub.settings()) as session:
        yield MarketoRest(session, OpenBudget())
