"""Ray, started on this machine or joined, and what its processes are given."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from service.errors import StartupError, one_line
from service.machine import usable_cores
from service.settings import Settings


@contextmanager
def ray_cluster(settings: Settings, models: int) -> Iterator[bool]:
    """Join the cluster that ``RAY_ADDRESS`` names, or start Ray on this machine for the body.

    A cluster started here asks for a token, sends no usage statistics and has no dashboard; its
    ports, which Ray chooses, are open on all addresses. A cluster that is joined is its operator's.

    Args:
        settings: :func:`worker_settings`.
        models: processes with one model each that there must be room for. A started Ray counts
            with cores enough for them, also where there are fewer.

    Yields:
        Whether Ray was started here.

    Raises:
        StartupError: the cluster can't be started or joined, or this machine lacks the GPUs.
    """
    address = os.environ.get("RAY_ADDRESS") or "local"
    is_own = address == "local"
    own: dict[str, Any] = {
        "num_cpus": max(models * cpus(settings), usable_cores()),
        "include_dashboard": False,
    }
    try:
        ray.init(address, namespace="kortom", logging_level="warning", **(own if is_own else {}))
    except (ConnectionError, OSError, RuntimeError, ValueError) as exc:
        raise StartupError(f"Ray can't be started or joined: {one_line(exc)}") from exc
    try:
        # A cluster that is joined may get a machine with a GPU when one is asked for.
        there = int(ray.cluster_resources().get("GPU", 0))
        if is_own and there < models * gpus(settings):
            raise StartupError(f"every model takes a CUDA device: {models}, and Ray sees {there}")
        yield is_own
    finally:
        ray.shutdown()


def worker_settings(settings: Settings) -> Settings:
    """The settings of a process that Ray starts: an engine, and as many threads as are reserved."""
    return settings.model_copy(
        update={"engine": "ctranslate2", "inter_threads": settings.inter_threads or 1}
    )


def cpus(settings: Settings) -> int:
    """Cores that a process with one model of these :func:`worker_settings` keeps busy."""
    return (settings.inter_threads or 1) * settings.intra_threads


def gpus(settings: Settings) -> int:
    """GPUs that such a process has to itself: 0 or 1."""
    return int(settings.device == "cuda")


def processes(settings: Settings) -> int:
    """How many such processes the cluster has room for now, at least 1."""
    there = ray.cluster_resources()
    room = there.get("CPU", 0) // cpus(settings)
    if gpus(settings):
        room = min(room, there.get("GPU", 0))
    return max(1, int(room))
