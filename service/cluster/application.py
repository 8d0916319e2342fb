"""The Ray Serve application: an ingress, and one deployment for each model."""

import asyncio
from functools import partial
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle

from service import logs
from service.app import create_app
from service.cluster.remote import RemoteLoader, RemoteModel
from service.cluster.replicas import (
    MAX_ONGOING_CALLS,
    SUMMARIZER,
    TRANSLATOR,
    GeneratorReplica,
    TranslatorReplica,
)
from service.cluster.start import cpus, gpus, worker_settings
from service.models.profiles import PROFILES
from service.settings import Settings, load_settings

MAX_REPLICAS = 4
"""Most replicas of a model unless a config file says otherwise."""
TARGET_ONGOING_CALLS = 8
"""Calls in a replica, on average, above which another one is started: enough of them that a batch
of its engine is full, few enough that nobody waits for many batches."""
HEALTH_SECONDS = 5.0
"""Between two looks at the health of a replica."""
HEALTH_TIMEOUT_SECONDS = 30.0
SPARE_REQUESTS = 1_000
"""Requests that an ingress has at the same time over ``max_queued_requests``: they are health
checks and refusals in words. More wait in Ray's proxy."""


class Ingress:
    """The HTTP service in front of the models: the same application as the plain server's.

    Args:
        settings: what the operator set.
        translator: handle of the translation model.
        summarizer: handle of the summarization model, where the profile has one.
    """

    def __init__(
        self,
        settings: Settings,
        translator: DeploymentHandle,
        summarizer: DeploymentHandle | None = None,
    ) -> None:
        logs.configure(settings.log_level, json_lines=True)
        self._settings = settings
        self._handles = [translator] if summarizer is None else [translator, summarizer]
        self._models: dict[str, RemoteModel] = {}
        self._app: FastAPI

    async def __serve_build_asgi_app__(self) -> FastAPI:
        """The application, made where it runs, once every model has a replica that answers.

        Raises:
            StartupError: see ``create_app``.
        """
        loop = asyncio.get_running_loop()
        for handle in self._handles:
            engine = await handle.engine.remote()
            self._models[handle.deployment_name] = RemoteModel(handle, engine, loop)
        loader = partial(RemoteLoader, models=self._models)
        self._app = await asyncio.to_thread(create_app, self._settings, loader=loader)
        return self._app

    async def check_health(self) -> None:
        """Asked by Ray every few seconds: the moment to note which models have no replica.

        A model without one is told by ``/livez`` and ``/readyz``; another ingress would not help.
        """
        applications = (await asyncio.to_thread(serve.status)).applications
        own = applications.get(serve.get_replica_context().app_name)
        running = own.deployments if own else {}
        for name, model in self._models.items():
            is_there = name in running and running[name].replica_states.get("RUNNING")
            model.dead = None if is_there else f"no replica of the {name} runs"

    async def drain(self, *, closed: bool) -> int:
        """Tell balancers to send nothing more; refuse new work, too, once ``closed``.

        Returns:
            The requests that are still worked on.
        """
        health = self._app.state.health
        health.draining = True
        health.closed = closed
        busy = self._app.state.metrics.registry.get_sample_value("kortom_inflight_requests")
        return int(busy)


def application(args: dict[str, Any]) -> Application:
    """Builds the application for a config file of ``serve run`` and ``serve deploy``.

    The file's ``deployments`` may set what Ray knows of each: ``ingress``, ``translator`` and
    ``summarizer``.

    Args:
        args: settings by their names, over those of the environment. ``host`` and ``port`` are
            the file's own ``http_options``; as those may be open to other machines, requests need
            keys unless ``require_keys`` is false.

    Raises:
        InvalidSettings: a setting is unknown or has a value that it can't have.
    """
    return build(load_settings(**({"host": "0.0.0.0"} | args)))  # noqa: S104 - binds nothing


def build(settings: Settings, *, max_replicas: int = MAX_REPLICAS) -> Application:
    """The application over the settings' profile.

    Args:
        settings: of all replicas.
        max_replicas: of each model, started and ended as there is work; at least 1.
    """
    settings = worker_settings(settings)
    common: dict[str, Any] = {
        "health_check_period_s": HEALTH_SECONDS,
        "health_check_timeout_s": HEALTH_TIMEOUT_SECONDS,
        "graceful_shutdown_timeout_s": settings.drain_seconds,
        "graceful_shutdown_wait_loop_s": 0.1,
        "logging_config": {"enable_access_log": False, "log_level": "WARNING"},
    }
    models = [
        serve.deployment(
            replica,
            name=name,
            max_ongoing_requests=MAX_ONGOING_CALLS,
            autoscaling_config={
                "min_replicas": 1,
                "max_replicas": max_replicas,
                "target_ongoing_requests": TARGET_ONGOING_CALLS,
            },
            ray_actor_options={
                "num_cpus": cpus(settings),
                "num_gpus": gpus(settings),
            },
            **common,
        )
        for name, replica in deployments(settings).items()
    ]
    ingress = serve.deployment(
        serve.ingress()(Ingress),
        name="ingress",
        max_ongoing_requests=settings.max_queued_requests + SPARE_REQUESTS,
        ray_actor_options={"num_cpus": 0},  # it waits for the models nearly all the time
        **common,
    )
    return ingress.bind(settings, *(model.bind(settings) for model in models))


def deployments(settings: Settings) -> dict[str, type[TranslatorReplica | GeneratorReplica]]:
    """The profile's models: what runs each, by the name of its deployment."""
    if PROFILES[settings.profile].summarization == "extractive":
        return {TRANSLATOR: TranslatorReplica}
    return {TRANSLATOR: TranslatorReplica, SUMMARIZER: GeneratorReplica}
