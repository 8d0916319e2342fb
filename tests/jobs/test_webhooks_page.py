"""Every piece of code in docs/webhooks.md, as it stands there but for the port."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from programs import find_program
from webhook_sending import OTHER_SECRET, SECRET, Sender, ended_job, make_due, webhook_settings

from service.jobs.webhooks import load_receiver
from service.storage.database import Database, open_database

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
CODE = dict(re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
PORT = "9000"
WAIT_SECONDS = 30.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(f"sqlite:///{tmp_path / 'kortom.db'}")) as opened:
        yield opened


def test_every_language_is_there() -> None:
    assert list(CODE) == ["sh", "json", "python", "js"]
    assert PAGE.count("```") == 2 * len(CODE)
    assert json.loads(CODE["json"]).keys() == {"type", "timestamp", "data"}


def test_the_command_makes_a_secret_that_is_taken() -> None:
    bash = shutil.which("bash") or "sh"
    done = subprocess.run([bash, "-c", CODE["sh"]], capture_output=True, text=True, check=True)
    found = load_receiver(
        webhook_settings("https://receiver.example/", done.stdout.strip(), private=False)
    )
    assert found is not None
    assert [len(secret) for secret in found.secrets] == [32]


@contextmanager
def running(language: str, directory: Path) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """The receiver of the page, when it listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    code = CODE[language]
    assert code.count(PORT) == 1
    file = directory / ("receiver.py" if language == "python" else "receiver.mjs")
    file.write_text(code.replace(PORT, str(port)), encoding="utf-8")
    program = sys.executable if language == "python" else find_program("node", "Debian: nodejs")
    with subprocess.Popen(
        [program, file],
        env=os.environ | {"KORTOM_WEBHOOK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a line for each request
        text=True,
    ) as process:
        try:
            deadline = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.02)
            yield port, process
        finally:
            process.kill()


@pytest.mark.parametrize("language", ["python", "js"])
def test_a_receiver_takes_what_is_signed_and_nothing_else(
    database: Database, tmp_path: Path, language: str
) -> None:
    job_id = ended_job(database)
    with running(language, tmp_path) as (port, process):
        url = f"http://127.0.0.1:{port}/"
        assert Sender(database, url, OTHER_SECRET).send() == "failed"
        make_due(database)
        assert Sender(database, url, f"{OTHER_SECRET} {SECRET}").send() == "delivered"
        assert process.stdout is not None
        assert process.stdout.readline() == f"job.done {job_id}\n"
