"""What this process may use of the machine: CPU cores, memory and open files."""

import math
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
RESERVED_FILES = 128
"""Open files beside the connections of callers: models, database, uploads, webhooks, the log, and
connections that the kernel has handed over but nobody has counted yet."""


def control_group_files(
    name: str, own_cgroup: Path = OWN_CGROUP, cgroups: Path = CGROUPS
) -> list[str]:
    """What a file of this process's control group (version 2), and of each around it, says.

    Args:
        name: for example ``memory.max``; https://docs.kernel.org/admin-guide/cgroup-v2.html.
        own_cgroup: the file in which the kernel names the control group of a process.
        cgroups: where control groups are mounted.
    """
    try:
        lines = own_cgroup.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    said = []
    for line in lines:
        hierarchy, _, group = line.partition("::")
        path = PurePosixPath(group.lstrip("/"))
        for directory in (path, *path.parents) if hierarchy == "0" else ():
            with suppress(OSError):
                said.append((cgroups / directory / name).read_text(encoding="ascii").strip())
    return said


def usable_cores(own_cgroup: Path = OWN_CGROUP, cgroups: Path = CGROUPS) -> int:
    """CPU cores that this process may use, at least 1.

    Those it may run on, or fewer where a control group has a quota of CPU time (``cpu.max``: what
    ``docker run --cpus``, Kubernetes' limits and systemd's CPUQuota set). A part of a core counts
    for nothing: threads beyond the quota are all stopped together.

    Args:
        own_cgroup: see :func:`control_group_files`.
        cgroups: see there.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = [cores or 1]
    for said in control_group_files("cpu.max", own_cgroup, cgroups):
        with suppress(ValueError):  # "max"
            quota, period = map(int, said.split())
            limits.append(max(1, quota // period))
    return min(limits)


def parallel_batches(inter_threads: int | None, intra_threads: int, device: str) -> int:
    """Batches at the same time: those wanted, or one for every ``intra_threads`` usable cores.

    Several batches on a core each do more than all cores in one batch, whose threads wait for each
    other in every layer. A CUDA device takes one batch at a time.

    Args:
        inter_threads: wanted; ``None`` to choose.
        intra_threads: threads inside each batch.
        device: ``cpu`` or ``cuda``.
    """
    if inter_threads is not None:
        return inter_threads
    return 1 if device == "cuda" else max(1, usable_cores() // intra_threads)


def memory_limit_bytes(own_cgroup: Path = OWN_CGROUP, cgroups: Path = CGROUPS) -> float:
    """The least memory limit of this process's control group and those around it.

    Args:
        own_cgroup: see :func:`control_group_files`.
        cgroups: see there.

    Returns:
        Bytes; infinity where nothing limits them or no control group tells.
    """
    said = control_group_files("memory.max", own_cgroup, cgroups)
    return min((float(limit) for limit in said if limit != "max"), default=math.inf)


def max_connections() -> int:
    """Connections of callers for which the limit of open files leaves room now; at least 1."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else max(1, soft - RESERVED_FILES)
