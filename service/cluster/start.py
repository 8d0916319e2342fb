"""Ray, started on this machine or joined."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from service.errors import StartupError, one_line
from service.machine import usable_cores


@contextmanager
def ray_cluster(cores: int) -> Iterator[bool]:
    """Join the cluster that ``RAY_ADDRESS`` names, or start Ray on this machine for the body.

    A cluster started here asks for a token, sends no usage statistics and has no dashboard; its
    ports, which Ray chooses, are open on all addresses. A cluster that is joined is its operator's.

    Args:
        cores: CPU cores that a started Ray counts with at least, also where there are fewer.

    Yields:
        Whether Ray was started here.

    Raises:
        StartupError: the cluster can't be started or joined.
    """
    address = os.environ.get("RAY_ADDRESS") or "local"
    is_own = address == "local"
    own: dict[str, Any] = {
        "num_cpus": max(cores, usable_cores()),
        "include_dashboard": False,
    }
    try:
        ray.init(address, namespace="kortom", logging_level="warning", **(own if is_own else {}))
    except (ConnectionError, OSError, RuntimeError, ValueError) as exc:
        raise StartupError(f"Ray can't be started or joined: {one_line(exc)}") from exc
    try:
        yield is_own
    finally:
        ray.shutdown()
