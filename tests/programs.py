"""Programs that some tests drive: a browser, PostgreSQL, linters of deploy/ and others."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
_REQUIRED = os.environ.get("KORTOM_TEST_TOOLS") == "required"
"""Read before the tests take Kortom's variables out of the environment."""


def missing(reason: str) -> NoReturn:
    """Skip a test that can't run here; it fails where KORTOM_TEST_TOOLS is "required"."""
    if _REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


def find_program(name: str, source: str) -> str:
    """The path of a program, of the virtual environment or of the system; see :func:`missing`.

    Args:
        name: of the program.
        source: what to install to have it.
    """
    own = str(Path(sys.executable).parent)
    path = shutil.which(name, path=os.pathsep.join([own, os.environ.get("PATH", os.defpath)]))
    if path is None:
        missing(f"{name} is not installed ({source})")
    return path


def output_of(*command: str | Path) -> str:
    """What a program prints, errors as well; it must end with 0."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
