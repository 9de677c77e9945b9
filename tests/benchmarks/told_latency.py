"""The single edits in Marketo of `edit_latency`, where Marketo tells of them: by a webhook, or by signed calls of Adobe's data stream."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from infra.ports import free_port
from tests.benchmarks.edit_latency import MARKETO_TO_SALESFORCE, Course, latencies, quiet
from tests.benchmarks.ground import Ground

CLIENT, MUNCHKIN = "bench", "123-ABC-456"


async def told_latencies(ground: Ground, rates: Sequence[int], course: Course, say: Callable[[str], None]) -> dict[str, Any]:
    """`told_latency_ms` of `bench.json`, by source. The worker is stopped."""
    port, secret, found = free_port(), secrets.token_hex(16), dict[str, Any]()
    plain = ground.configuration.read_text()
    base = ground.ground.endpoints()["marketo"]["url"]
    file = ground.home / "push-secret"
    file.write_text(secret)
    file.chmod(0o600)
    common = {"port": port, "keys_url": base, "validation_url": f"{base}/csm/registrations/validate"}
    ways = {
        "webhook": {**common, "webhook_secret": {"file": str(file)}},
        "data_stream": {**common, "data_stream": "webhook", "munchkin_id": MUNCHKIN, "adobe_client_id": CLIENT},
    }
    try:
        for way, pushes in ways.items():
            ground.configuration.write_text(yaml.safe_dump({**yaml.safe_load(plain), "pushes": pushes}, sort_keys=False))
            await ground.start()
            await quiet(ground)  # what a worker finds at its first start is not what is measured
            async with ground.systems() as systems:
                end = await _begin(systems, way, port, secret)
                say(f"told by {way}")
                found[way] = await latencies(ground, rates, course, say, directions=(MARKETO_TO_SALESFORCE,), way=f" by {way}")
                await end()
            await ground.stop()
    finally:
        ground.configuration.write_text(plain)
    return found


async def _begin(systems: Any, way: str, port: int, secret: str) -> Callable[[], Any]:
    """What an administrator sets up; ends it."""
    if way == "webhook":
        url, payload = f"http://127.0.0.1:{port}/marketo/webhook", '{"leadId": {{lead.Id}}}'
        body = {"name": "Tandem", "url": url, "payload": payload, "headers": {"x-tandem-secret": secret}}
        hook = await systems.verb("marketo/webhook/create", body)
        campaign = {"name": "Tell Tandem", "on": "value_changed", "key": "title", "steps": [{"type": "webhook", "webhook": hook["id"]}]}
        made = await systems.verb("marketo/campaign/create", campaign)
        return lambda: systems.verb("marketo/campaign/active", {"id": made["id"], "active": False})
    made = await systems.verb("marketo/stream/create", {"client_id": CLIENT, "url": f"http://127.0.0.1:{port}/adobe/events"})
    if made["status"] != "ACTIVE":
        raise RuntimeError("the data stream's address was not validated")

    async def nothing() -> None: ...

    return nothing
