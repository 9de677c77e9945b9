"""The sandbox systems as a part: their addresses and credentials stay the same over a restart and a `kill -9`."""

import stat
from typing import Any

import pytest

from infra.ports import is_free
from infra.stack.sandbox import Sandbox

pytestmark = pytest.mark.integration


def test_everything_stays_over_a_restart_and_a_kill(sandbox: dict[str, Any], sandbox_part: Sandbox) -> None:
    sandbox_part.stop()
    assert not sandbox_part.ready()
    sandbox_part.start()
    assert sandbox_part.endpoints() == sandbox
    sandbox_part.kill()
    places = [sandbox[system]["url"] for system in ("salesforce", "marketo", "sandbox")]
    for place in (*places, sandbox["salesforce"]["pubsub"]):
        assert is_free(int(place.rpartition(":")[2])), f"{place} outlived the kill"
    sandbox_part.start()
    assert sandbox_part.endpoints() == sandbox
    assert stat.S_IMODE((sandbox_part.home / "endpoints.json").stat().st_mode) == 0o600
