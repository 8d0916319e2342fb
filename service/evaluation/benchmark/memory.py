"""Memory of a process and all it started, from Linux' ``/proc``."""

import itertools
from contextlib import suppress
from pathlib import Path

KIB = 1024
MB = 1e6


def resident_mb(pid: int) -> float | None:
    """Resident memory of a process and its descendants in 10^6 bytes; none where not Linux.

    Pages that processes share are counted in each.
    """
    return _total_mb(pid, "VmRSS")


def peak_mb(pid: int) -> float | None:
    """The sum of the processes' highest resident memory since :func:`reset_peak`, in 10^6 bytes."""
    return _total_mb(pid, "VmHWM")


def reset_peak(pid: int) -> None:
    """Let :func:`peak_mb` count from now on, where the system allows it."""
    for process in _tree(pid):
        with suppress(OSError):
            Path(f"/proc/{process}/clear_refs").write_text("5")  # proc(5): resets VmHWM


def megabytes(memory: float | None) -> str:
    """``388 MB``, or a dash."""
    return "-" if memory is None else f"{memory:.0f} MB"


def _total_mb(pid: int, field: str) -> float | None:
    values = []
    for process in _tree(pid):
        with suppress(OSError):  # it may have ended
            status = Path(f"/proc/{process}/status").read_text().splitlines()
            values += [int(line.split()[1]) for line in status if line.startswith(f"{field}:")]
    return sum(values) * KIB / MB if values else None


def _tree(pid: int) -> list[int]:
    found = [pid]
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            children = map(int, file.read_text().split())
            found += itertools.chain.from_iterable(map(_tree, children))
    return found
