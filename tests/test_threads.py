"""How many threads a process takes, and whose."""

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux lists its libraries")
def test_no_second_openmp_runtime_works_in_a_service() -> None:
    """Two of them in one process have made servers hang (LibreTranslate, issue 1008)."""
    code = (
        "from service.loading import load_pipeline\n"
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
