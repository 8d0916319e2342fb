"""The Compose project: valid, closed up, and of one piece with the image and the settings."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import DEPLOY, find_program, output_of

COMPOSE = DEPLOY / "compose"
PROJECT = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = PROJECT["services"]
EXAMPLE = (COMPOSE / ".env.example").read_text(encoding="utf-8")


def test_the_project_is_what_the_specification_of_compose_allows() -> None:
    checker = find_program("check-jsonschema", "pip install check-jsonschema")
    output_of(checker, "--builtin-schema", "vendor.compose-spec", COMPOSE / "compose.yaml")


def test_one_server_alone_starts_unless_profiles_are_asked_for() -> None:
    profiles = {name: service.get("profiles") for name, service in SERVICES.items()}
    assert profiles == {
        "kortom": None,
        "postgres": ["postgres"],
        "prometheus": ["observability"],
        "grafana": ["observability"],
    }
    assert SERVICES["kortom"]["depends_on"]["postgres"]["required"] is False


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_may_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"pids_limit", "mem_limit", "cpus"} <= service.keys()
    # Compose copies secrets from the environment into a container that is made already.
    assert service.get("read_only", False) is not bool(service.get("secrets"))
    assert not {"privileged", "network_mode", "pid", "ipc", "user"} & service.keys()


def test_ports_are_published_on_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_images_of_others_have_a_version() -> None:
    for name, service in SERVICES.items():
        if name != "kortom":
            assert re.search(r":v?\d+\.\d+", service["image"]), name


def test_volumes_and_mounted_files_are_there() -> None:
    for service in SERVICES.values():
        for source in (mount.partition(":")[0] for mount in service["volumes"]):
            if source.startswith("."):
                assert (COMPOSE / source).is_file(), source
            else:
                assert source in PROJECT["volumes"]


def test_the_example_names_every_variable_of_the_project() -> None:
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{(\w+)", text)) | {PROJECT["secrets"]["metrics_key"]["environment"]}
    assert used <= set(re.findall(r"^#?(\w+)=", EXAMPLE, re.MULTILINE))
    assert not re.search(r"^(?!#)\w", EXAMPLE, re.MULTILINE)  # no secret, no choice made


def test_prometheus_loads_its_configuration(tmp_path: Path) -> None:
    promtool = find_program("promtool", "Debian: apt-get install prometheus")
    text = (COMPOSE / "prometheus.yml").read_text(encoding="utf-8")
    (tmp_path / "key").write_text("a key")
    (tmp_path / "prometheus.yml").write_text(
        text.replace("/run/secrets/metrics_key", str(tmp_path / "key"))
    )
    (tmp_path / "alerts.yml").symlink_to(DEPLOY / "prometheus" / "alerts.yml")
    assert "1 rule files found" in output_of(
        promtool, "check", "config", tmp_path / "prometheus.yml"
    )
    (job,) = yaml.safe_load(text)["scrape_configs"]
    assert job["job_name"] == "kortom"
    assert job["static_configs"] == [{"targets": ["kortom:8000"]}]
    assert SERVICES["prometheus"]["secrets"] == ["metrics_key"]


def test_grafana_finds_its_dashboard() -> None:
    (provider,) = yaml.safe_load((COMPOSE / "grafana" / "dashboards.yaml").read_text())["providers"]
    mounts = [mount.split(":")[1] for mount in SERVICES["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/kortom.json" in mounts
