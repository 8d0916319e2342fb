"""What a process may use of its machine, and how much of that it takes."""

import math
import os
import resource
from pathlib import Path

import pytest

from service.machine import (
    RESERVED_FILES,
    max_connections,
    memory_limit_bytes,
    parallel_batches,
    usable_cores,
)

CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, CORES),
        ({"cpu.max": "max 100000"}, CORES),
        ({"a/b/cpu.max": "100000 100000"}, 1),
        ({"a/cpu.max": "50000 100000", "a/b/cpu.max": "max 100000"}, 1),
        ({"cpu.max": "190000 100000"}, 1),
        ({"a/cpu.max": "100000000 100000"}, CORES),
        ({"a/cpu.max": "what is this"}, CORES),
    ],
    ids=["no groups", "no quota", "one", "half, around", "1.9, at the top", "many", "odd"],
)
def test_a_quota_of_the_control_group_counts(
    tmp_path: Path, files: dict[str, str], cores: int
) -> None:
    own = tmp_path / "own"
    own.write_text("0::/a/b\n")
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{content}\n")
    assert usable_cores(own, tmp_path) == cores


def test_every_core_has_a_batch_of_its_own_unless_told_otherwise() -> None:
    cores = usable_cores()
    assert parallel_batches(None, 1, "cpu") == cores
    assert parallel_batches(None, cores, "cpu") == 1
    assert parallel_batches(None, 1_000, "cpu") == 1
    assert parallel_batches(None, 1, "cuda") == 1
    assert parallel_batches(7, 1, "cuda") == 7


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, math.inf),
        ({".": "max\n"}, math.inf),
        ({".": "1000\n"}, 1000),
        ({"pod": "900\n", "pod/box": "max\n"}, 900),
        ({"pod": "900\n", "pod/box": "500\n"}, 500),
        ({"pod": "300\n", "pod/box": "500\n"}, 300),
        ({"elsewhere": "300\n"}, math.inf),
    ],
)
def test_the_memory_limit_is_the_least_of_the_cgroups_around(
    tmp_path: Path, limits: dict[str, str], expected: float
) -> None:
    own = tmp_path / "own"
    own.write_text("4:memory:/elsewhere\n0::/pod/box\n")
    for name, limit in limits.items():
        directory = tmp_path / "cgroups" / name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "memory.max").write_text(limit)
    assert memory_limit_bytes(own, tmp_path / "cgroups") == expected


def test_a_system_without_cgroups_has_no_memory_limit(tmp_path: Path) -> None:
    assert memory_limit_bytes(tmp_path / "missing", tmp_path) == math.inf


@pytest.mark.parametrize(
    ("files", "least", "most"),
    [
        (1_024, 500, 1_024 - RESERVED_FILES),
        (RESERVED_FILES, 1, 1),
        (resource.RLIM_INFINITY, 1_000_000, math.inf),
    ],
)
def test_connections_leave_files_for_everything_else(
    monkeypatch: pytest.MonkeyPatch, files: int, least: int, most: float
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert least <= max_connections() <= most
