"""docker-compose.yml: pinned images, health checks, no default passwords, loopback ports; where there is a client, it must agree."""

import asyncio
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.configuration.groups.services import ConsoleSettings, FlowStepSettings
from consumers.configuration.loading import ConfigurationError, load
from consumers.kinds.registry import BY_NAME, OBJECTS
from infra.compose.sandboxed import environment
from infra.kafka.admin import ensure_topics
from infra.kafka.broker import SETTINGS
from infra.setup.found import POM, ROOT
from streams.wire.topics import all_topics

FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "infra" / "compose" / "Dockerfile"
ONE_SHOT = {"migrate", "topics", "check"}
CORE = {"kafka", "postgres", "migrate", "topics", "check", "tandem", "console"}
DEMO = {"kafka", "postgres", "migrate", "topics", "sandbox", "tandem-sandboxed", "console-sandboxed"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
    return found


def _profile(services: dict[str, Any], name: str) -> set[str]:
    return {service for service, told in services.items() if name in told["profiles"]}


def test_the_profiles_hold_what_they_promise(services: dict[str, Any]) -> None:
    assert _profile(services, "core") == CORE
    assert _profile(services, "demo") == DEMO


def test_no_service_waits_for_one_that_its_profile_lacks(services: dict[str, Any]) -> None:
    for profile in ("core", "demo"):
        for service in _profile(services, profile):
            assert set(services[service].get("depends_on", {})) <= _profile(services, profile), service


def test_every_image_names_an_exact_version(services: dict[str, Any]) -> None:
    images = {told["image"] for told in services.values()}
    images |= set(re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), flags=re.MULTILINE))
    for image in images:
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+(\.\d+)?(-[a-z-]+)?", image), image


def test_kafka_is_the_version_that_runs_without_containers(services: dict[str, Any]) -> None:
    version = services["kafka"]["image"].partition(":")[2]
    assert f"<version>{version}</version>" in POM.read_text()


def test_kafka_is_set_up_as_it_is_without_containers(services: dict[str, Any]) -> None:
    told = {name.removeprefix("KAFKA_").lower().replace("_", "."): str(value) for name, value in services["kafka"]["environment"].items()}
    own = {"process.roles", "node.id", "controller.listener.names", "listener.security.protocol.map", "inter.broker.listener.name"}
    alike = (told.keys() & SETTINGS.keys()) - own
    assert "auto.create.topics.enable" in alike
    assert {key: told[key] for key in alike} == {key: SETTINGS[key] for key in alike}


def test_every_lasting_service_has_a_health_check_and_the_others_are_waited_for(services: dict[str, Any]) -> None:
    for name in services.keys() - ONE_SHOT:
        assert services[name]["healthcheck"]["test"], name
    for name, told in services.items():
        for other, how in told.get("depends_on", {}).items():
            assert how["condition"] == ("service_completed_successfully" if other in ONE_SHOT else "service_healthy"), name


def test_there_is_no_default_password() -> None:
    values = re.findall(r"\$\{(\w*(?:PASSWORD|SECRET)\w*)([^}]*)\}", FILE.read_text())
    assert {name for name, _ in values} == {
        "TANDEM_POSTGRES_PASSWORD",
        "TANDEM_SALESFORCE_CLIENT_SECRET",
        "TANDEM_MARKETO_CLIENT_SECRET",
    }
    for name, rest in values:
        assert rest == "-" or rest.startswith(":?"), f"{name} has a default"
    written_out = [line for line in FILE.read_text().splitlines() if re.match(r" *\w*(PASSWORD|SECRET)\w*: *[^$ ]", line)]
    assert written_out == []


def test_every_port_is_on_loopback(services: dict[str, Any]) -> None:
    for name, told in services.items():
        for port in told.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), name


def test_a_proxy_can_reach_the_flow_steps_of_core(services: dict[str, Any]) -> None:
    assert any(str(port).endswith(f":{FlowStepSettings().port}") for port in services["tandem"]["ports"])
    assert "TANDEM_FLOW_STEPS_KEY" in services["tandem"]["environment"]


def test_tandem_runs_without_root_and_without_powers(services: dict[str, Any]) -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE.read_text(), flags=re.MULTILINE) == ["tandem"]
    for name in ("tandem", "tandem-sandboxed", "console", "console-sandboxed", "sandbox", "migrate", "topics", "check"):
        assert services[name]["cap_drop"] == ["ALL"], name
        assert services[name]["read_only"] is True, name


def test_the_consoles_are_asked_where_they_listen(services: dict[str, Any]) -> None:
    port = ConsoleSettings().port
    assert f"TANDEM_CONSOLE_HOST=0.0.0.0 TANDEM_CONSOLE_PORT={port}" in DOCKERFILE.read_text()
    within = f"${{TANDEM_CONSOLE_PORT:-{port}}}"
    assert f"127.0.0.1:{within}:{port}" in services["console"]["ports"]
    assert f"127.0.0.1:{within}:{within}" in services["sandbox"]["ports"], "that network is the demo's console's, too"
    assert services["console-sandboxed"]["network_mode"] == "service:sandbox"
    assert services["console-sandboxed"]["environment"]["TANDEM_CONSOLE_PORT"] == within
    for name in ("console", "console-sandboxed"):
        assert "/healthz" in services[name]["healthcheck"]["test"][-1], name
        assert "--no-link" in services[name]["command"], "a log is no place for a link that signs in"


def test_the_image_is_installed_from_the_lock_with_hashes() -> None:
    assert "pip install --require-hashes -r infra/requirements/runtime.txt" in DOCKERFILE.read_text()


def test_core_never_gets_the_configuration_of_the_sandbox(services: dict[str, Any]) -> None:
    own = str(Path("infra") / "stack" / "tandem.yaml")
    for name in _profile(services, "core"):
        assert not any(own in str(volume) for volume in services[name].get("volumes", [])), name
    assert own not in DOCKERFILE.read_text(), "nor does the image bring one along"
    for name in ("tandem-sandboxed", "console-sandboxed"):
        assert [volume for volume in services[name]["volumes"] if own in volume], "the demo's is that one, whatever is named"
    assert load_problems(ROOT / "infra" / "compose" / "no-configuration.yaml")


def load_problems(file: Path) -> list[str]:
    try:
        load(file, {})
    except ConfigurationError as error:
        return [problem.message for problem in error.problems]
    return []


def test_core_starts_only_after_its_check(services: dict[str, Any]) -> None:
    for name in ("tandem", "console"):
        assert services[name]["depends_on"]["check"] == {"condition": "service_completed_successfully"}, name
        assert services["check"]["volumes"] == services[name]["volumes"], name
        assert services["check"]["environment"] == services[name]["environment"], name


@pytest.mark.parametrize(("named", "found", "ends"), [("", 0, 2), ("mine.yaml", 0, 0), ("mine.yaml", 1, 1), ("mine.yaml", 3, 3)])
def test_the_check_needs_a_configuration_and_ends_as_tandem_check_does(
    services: dict[str, Any], tmp_path: Path, named: str, found: int, ends: int
) -> None:
    stand_in = tmp_path / "tandem"
    stand_in.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nexit {found}\n')
    stand_in.chmod(0o700)
    shell, option, script = services["check"]["command"]
    command = [shell, option, script.replace("$$", "$")]
    environ = {"CONFIGURATION": named, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == ends
    asked = tmp_path / "asked"
    if named:
        assert asked.read_text().split() == ["check", "--config", "/etc/tandem/tandem.yaml"]
    else:
        assert not asked.exists()
        assert "set TANDEM_CONFIG" in done.stderr


def test_what_the_image_copies_exists() -> None:
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE.read_text(), flags=re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source


def test_the_demo_worker_signs_in_as_tandem_and_keeps_its_secrets_in_files(tmp_path: Path) -> None:
    endpoints = tmp_path / "endpoints.json"
    salesforce = {"url": "http://localhost:8081", "client_id": "s", "client_secret": "sf-secret", "username": "t@x", "user_id": "005"}
    marketo = {"url": "http://localhost:8082", "client_id": "m", "client_secret": "mk-secret"}
    endpoints.write_text(json.dumps({"tandem": {"salesforce": salesforce, "marketo": marketo}}))
    outside = {"TANDEM_KAFKA_BOOTSTRAP": "kafka:19092", "TANDEM_POSTGRES_DSN": "postgresql://tandem:pg@postgres/tandem", "PATH": "/bin"}
    told = environment(endpoints, tmp_path / "run", outside)
    assert told["TANDEM_SALESFORCE_URL"] == "http://localhost:8081"
    assert told["PATH"] == "/bin"
    assert Path(told["TANDEM_POSTGRES_DSN_FILE"]).read_text() == outside["TANDEM_POSTGRES_DSN"]
    assert stat.S_IMODE(Path(told["TANDEM_MARKETO_CLIENT_SECRET_FILE"]).stat().st_mode) == 0o600
    assert not {"sf-secret", "mk-secret", outside["TANDEM_POSTGRES_DSN"]} & set(told.values())


def test_the_demo_console_listens_where_its_container_says_and_links_sign_in(tmp_path: Path) -> None:
    """Without making fields: that is the worker's."""
    endpoints, config = tmp_path / "endpoints.json", ROOT / "infra" / "stack" / "tandem.yaml"
    salesforce = {"url": "http://localhost:8081", "client_id": "s", "client_secret": "sf-secret", "username": "t@x", "user_id": "005"}
    marketo = {"url": "http://localhost:8082", "client_id": "m", "client_secret": "mk-secret"}
    endpoints.write_text(json.dumps({"tandem": {"salesforce": salesforce, "marketo": marketo}}))
    stand_in = tmp_path / "bin" / "tandem"
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nenv -0 > {tmp_path}/told\n')
    stand_in.chmod(0o700)
    image = {"TANDEM_WEB_HOST": "0.0.0.0", "TANDEM_WEB_PORT": "6066", "TANDEM_CONSOLE_HOST": "0.0.0.0", "TANDEM_CONSOLE_PORT": "7068"}
    addresses = {"TANDEM_KAFKA_BOOTSTRAP": "kafka:19092", "TANDEM_POSTGRES_DSN": "postgresql://tandem:pg@postgres/tandem"}
    outside = {**image, **addresses, "PATH": f"{stand_in.parent}:{os.environ['PATH']}"}
    told = ["--endpoints", str(endpoints), "--secrets", str(tmp_path / "run"), "--config", str(config)]
    command = [sys.executable, "-m", "infra.compose.sandboxed", *told, "console", "--no-link"]
    done = subprocess.run(command, cwd=ROOT, env=outside, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text().split() == ["console", "--no-link", "--config", str(config)]
    within = dict(line.split("=", 1) for line in (tmp_path / "told").read_text().split("\0") if line)
    console = load(config, within).console
    assert (console.host, console.port, console.links) == ("0.0.0.0", 7068, True)
    assert "TANDEM_POSTGRES_DSN" not in within


@pytest.mark.integration
def test_the_demo_worker_makes_the_fields_before_it_becomes_tandem(
    tmp_path: Path, sandbox: dict[str, Any], postgres: str, kafka: str
) -> None:  # fmt: skip
    asyncio.run(ensure_topics(kafka, all_topics(OBJECTS, kinds=BY_NAME)))
    endpoints = tmp_path / "endpoints.json"
    endpoints.write_text(json.dumps(sandbox))
    stand_in = tmp_path / "bin" / "tandem"
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\n[ "$1" = run ] && shift && exec {sys.executable} -m consumers.cli check "$@"\n')
    stand_in.chmod(0o700)
    config = str(ROOT / "infra" / "stack" / "tandem.yaml")
    command = [
        sys.executable,
        "-m",
        "infra.compose.sandboxed",
        "--endpoints",
        str(endpoints),
        "--secrets",
        str(tmp_path),
        "--config",
        config,
    ]
    web = {"TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0"}
    outside = {"TANDEM_KAFKA_BOOTSTRAP": kafka, "TANDEM_POSTGRES_DSN": postgres, "PATH": f"{stand_in.parent}:{os.environ['PATH']}"}
    for _again in range(2):
        done = subprocess.run(command, cwd=ROOT, env=outside | web, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(
    shutil.which("docker") is None or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0,
    reason="no docker client with compose on this machine",
)
@pytest.mark.parametrize(("profile", "expected"), [("core", CORE), ("demo", DEMO)])
def test_the_client_accepts_it_and_insists_on_the_password(profile: str, expected: set[str]) -> None:
    command = ["docker", "compose", "--profile", profile, "config", "--services"]
    without = {name: value for name, value in os.environ.items() if not name.startswith("TANDEM_")}
    refused = subprocess.run(command, cwd=ROOT, env=without, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "TANDEM_POSTGRES_PASSWORD" in refused.stderr
    with_it = without | {"TANDEM_POSTGRES_PASSWORD": "x"}
    accepted = subprocess.run(command, cwd=ROOT, env=with_it, capture_output=True, text=True, check=False)
    assert accepted.returncode == 0, accepted.stderr
    assert set(accepted.stdout.split()) == expected
