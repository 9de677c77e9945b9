"""What hangs on a record that is to be withdrawn: people are asked about, the rest is not, as Marketo itself keeps what is in use."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from consumers.settle.writers.marketo.writer import MarketoWriter
from streams.budget.port import Lane
from streams.marketo.api.rest import MarketoRest
from streams.wire.events import ChangeEvent
from streams.wire.systems import Object
from tests.consumers.merge.person_pair import MK, reading, rules

GUID, GONE = "b2be72d9-cb56-40c0-9e40-bed1e591652f", "9f3c0000-cb56-40c0-9e40-bed1e5916000"


class NoRest:
    """Whoever is asked for here is asked as a person is."""

    resources: Any = None
    programs: Any = None


async def test_no_record_but_a_person_is_asked_for_its_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = MarketoWriter(cast(MarketoRest, NoRest()), rules())

    async def read(obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, ChangeEvent | None]:
        return {each: reading(MK, {}, id=each, object=obj) if each == GUID else None for each in ids}

    monkeypatch.setattr(writer, "read", read)
    uses = await writer.uses(Object("role"), [GUID, GONE], Lane.LIVE)
    found = uses[GUID]
    assert found is not None
    assert (found.reading.id, found.what, uses[GONE]) == (GUID, (), None)
