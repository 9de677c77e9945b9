"""A whole stack on the sandbox whose stream falls silent and speaks again: meanwhile the poll is the feed, and nobody has to say so."""

from pathlib import Path
from typing import Any

import pytest

from infra.stack.stack import Lent
from tests.infra.stack.both import POLLS, STREAMS, Both, a_stack, plays

pytestmark = [pytest.mark.integration, pytest.mark.slow]


async def put_back_by_hand(both: Both) -> None:
    """Somebody puts back what Tandem has replaced, before anything has told of Tandem's own write."""
    lead = await both.lead("PutBack", Title="first", City="Paris")
    person = await both.person("PutBack", title="first", city="Paris")
    await both.touch(person, title="second", city=None)
    await both.record("salesforce/Lead", lead, Title="second", City=None)
    await both.edit("Lead", lead, Title="first", City="Paris")
    await both.person("PutBack", title="first", city="Paris")
    await both.record("salesforce/Lead", lead, Title="first", City="Paris")


async def left_as_it_was_written(both: Both) -> None:
    """Beside it: whoever edits another field has put nothing back."""
    lead = await both.lead("LeftAlone", Title="first")
    person = await both.person("LeftAlone", title="first")
    await both.touch(person, title="second")
    await both.record("salesforce/Lead", lead, Title="second")
    await both.edit("Lead", lead, Phone="4711")
    await both.person("LeftAlone", title="second", phone="4711")
    await both.record("salesforce/Lead", lead, Title="second", Phone="4711")


async def test_the_polls_alone_tell_what_was_put_back(tmp_path: Path, lent: Lent) -> None:
    async with a_stack(tmp_path, POLLS, lent=lent) as both:
        await plays(both, put_back_by_hand, left_as_it_was_written)


async def test_a_stream_that_falls_silent_and_speaks_again_on_one_ledger(tmp_path: Path, lent: Lent) -> None:
    async with a_stack(tmp_path, STREAMS, lent=lent) as both:
        lead = await both.lead("OnAndOff", Title="first")
        person: dict[str, Any] = await both.person("OnAndOff", title="first")
        await both.touch(person, title="second")
        await both.record("salesforce/Lead", lead, Title="second")
        fault = await both.silenced()
        await plays(both, put_back_by_hand, left_as_it_was_written)
        await both.edit("Lead", lead, Title="first")
        await both.person("OnAndOff", title="first")
        await both.lifted(fault)
        await both.touch(person, title="third")
        await both.record("salesforce/Lead", lead, Title="third")
        await both.edit("Lead", lead, Title="first")
        await both.person("OnAndOff", title="first")
