"""How many threads a process takes, and whose."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import parallel_batches, usable_cores

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


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux lists its libraries")
def test_no_second_openmp_runtime_works_in_a_service() -> None:
    """Two of them in one process have made servers hang (LibreTranslate, issue 1008)."""
    code = (
        "from service.app import load_pipeline\n"
        "from service.settings import Settings\n"
        "loaded = load_pipeline(Settings(profile='demo'))\n"
        "loaded.pipeline.translate_article('Dit is een zin.')\n"
        "maps = open('/proc/self/maps').read().splitlines()\n"
        "print(*{line.split()[-1] for line in maps if '.so' in line}, sep='\\n')\n"
        "loaded.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    openmp = [Path(line) for line in done.stdout.splitlines() if re.search("lib(gomp|i?omp)", line)]
    # sentencepiece's own is idle: the tokenizer asks for one thread.
    assert {path.parent.name for path in openmp} <= {"ctranslate2.libs", "sentencepiece.libs"}
