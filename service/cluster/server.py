"""``kortom serve --engine ray``: the application run on a cluster until it is told to stop."""

import logging
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from types import FrameType

from ray import serve as ray_serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from service.cluster.application import build, deployments
from service.cluster.start import processes, ray_cluster, worker_settings
from service.errors import StartupError, one_line
from service.serving import server
from service.settings import Settings

logger = logging.getLogger(__name__)

NAME = "kortom"
"""Of the application."""
POLL_SECONDS = 0.1
ROUTE_SECONDS = 60.0
"""How long Ray's proxy may take to learn of an application that runs."""
CALL_SECONDS = 5.0
"""How long an ingress may take to say how many requests it works on."""


def serve(settings: Settings) -> None:
    """Run the application until SIGTERM or SIGINT; accepted requests are finished first.

    Raises:
        StartupError: the address is taken, Ray can't be started or joined, or a model is missing
            or damaged.
    """
    # Ray's proxy opens the port, in another process; a taken one is found before anything starts.
    with server.bind(settings.host, settings.port) as probe:
        host, port = probe.getsockname()[:2]
    settings = settings.model_copy(update={"port": port})
    stopping = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    models = len(deployments(settings))
    with ray_cluster(worker_settings(settings), models) as is_own:
        max_replicas = max(1, processes(settings) // models)
        ingress = _start(settings, max_replicas=max_replicas, is_own=is_own)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        _await_route(f"{address}/livez")
        print(f"ready on {address}", flush=True)
        stopping.wait()
        _drain(ingress, settings)
        ray_serve.delete(NAME)
        if is_own:
            ray_serve.shutdown()


def _start(settings: Settings, *, max_replicas: int, is_own: bool) -> DeploymentHandle:
    """The running application's ingress."""
    try:
        ray_serve.start(
            proxy_location="HeadOnly" if is_own else "EveryNode",
            http_options={
                "host": settings.host,
                "port": settings.port,
                "keep_alive_timeout_s": server.KEEP_ALIVE_SECONDS,
            },
            logging_config={"enable_access_log": False, "log_level": "WARNING"},
        )
        return ray_serve.run(build(settings, max_replicas=max_replicas), name=NAME)
    except (RayError, RayServeException, RuntimeError) as exc:
        ray_serve.delete(NAME)  # in a cluster that is joined Ray would try again and again
        raise StartupError(f"the application does not start: {one_line(exc)}") from exc


def _await_route(url: str) -> None:
    """Wait until Ray's proxy sends requests to the application.

    Raises:
        StartupError: it does not.
    """
    deadline = time.monotonic() + ROUTE_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=CALL_SECONDS):  # noqa: S310 - http
                return
        except (OSError, urllib.error.URLError):
            time.sleep(POLL_SECONDS)
    raise StartupError("Ray's proxy does not send requests to the application")


def _drain(ingress: DeploymentHandle, settings: Settings) -> None:
    """Let accepted requests finish while every model still runs.

    Ray would stop all deployments of an application together, and a model that has nothing to do
    at that moment would be gone when an article needs it.
    """

    def requests(*, closed: bool) -> int:
        counts = ingress.broadcast("drain", closed=closed).results(timeout_s=CALL_SECONDS)
        return sum(counts)

    try:
        requests(closed=False)
        time.sleep(settings.drain_delay_seconds)
        ends = time.monotonic() + settings.drain_seconds
        logger.info("draining: %d requests to finish", requests(closed=True))
        while (left := requests(closed=True)) and time.monotonic() < ends:
            time.sleep(POLL_SECONDS)
        if left:
            logger.warning("%d requests outlived the drain and are cancelled", left)
    except (RayError, RayServeException, TimeoutError) as exc:
        logger.warning("an ingress does not answer: %s", type(exc).__name__)
