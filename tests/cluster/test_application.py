"""The application as a config file builds it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from service.cluster.application import application, build, deployments
from service.cluster.start import cpus, worker_settings
from service.errors import InvalidSettings
from service.settings import Settings

CONFIG = Path(__file__).parents[2] / "deploy" / "ray" / "serve.yaml"


def config() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return document


def test_the_config_file_is_one_that_ray_reads() -> None:
    schema = ServeDeploySchema.model_validate(config())
    [deployed] = schema.applications
    assert deployed.import_path == f"{application.__module__}:{application.__name__}"


def test_the_config_file_names_every_deployment_and_reserves_its_cores() -> None:
    [deployed] = config()["applications"]
    settings = worker_settings(Settings(**deployed["args"]))
    named = {deployment["name"]: deployment for deployment in deployed["deployments"]}
    assert list(named) == ["ingress", *deployments(settings)]
    for name in deployments(settings):
        assert named[name]["ray_actor_options"]["num_cpus"] == cpus(settings)
    assert application(deployed["args"])


def test_a_setting_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="beam_size"):
        application({"beam_size": 70})


def test_a_profile_without_a_summarization_model_has_no_deployment_for_it() -> None:
    assert list(deployments(Settings(profile="light"))) == ["translator"]
    assert list(deployments(Settings(profile="standard"))) == ["translator", "summarizer"]
    assert build(Settings(profile="light"))
