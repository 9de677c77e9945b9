"""The configuration that comes with the stack reads nothing but what the stack tells its workers."""

from pathlib import Path

from consumers.configuration.loading import load
from infra.stack.endpoints import tell_tandem
from infra.stack.stack import CONFIG

SANDBOX = {
    "tandem": {
        "salesforce": {"url": "http://localhost:1", "client_id": "s", "client_secret": "sf", "username": "t@x", "user_id": "005"},
        "marketo": {"url": "http://localhost:2", "client_id": "m", "client_secret": "mk"},
    }
}


def test_what_the_stack_tells_is_enough(tmp_path: Path) -> None:
    told = tell_tandem(tmp_path, bootstrap="127.0.0.1:9092", dsn="postgresql://tandem:x@127.0.0.1:5/tandem", sandbox=SANDBOX)
    settings = load(CONFIG, told | {"TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "4321"})
    assert settings.salesforce.url == "http://localhost:1"
    assert settings.marketo.client_secret.reveal() == "mk"
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9092"
    assert settings.postgres.dsn.reveal() == "postgresql://tandem:x@127.0.0.1:5/tandem"
    assert (settings.console.host, settings.console.port) == ("127.0.0.1", int(told["TANDEM_CONSOLE_PORT"]))
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 4321)
