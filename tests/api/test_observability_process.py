"""Log and traces of the real program in a process of its own."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

from collector import listen

SERVE = [sys.executable, "-m", "service.cli", "serve", "--profile", "demo", "--port", "0"]
TEXT = "Het regent in Amersfoort."


def environment(directory: Path, **variables: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("KORTOM_", "OTEL_"))}
    return kept | {"KORTOM_MODELS_DIR": str(directory), "CUDA_VISIBLE_DEVICES": ""} | variables


def serve_one_text(stderr: int, env: dict[str, str]) -> "tuple[subprocess.Popen[bytes], bytes]":
    """A server that translated one text and was stopped, and what it wrote to a pipe."""
    with subprocess.Popen(SERVE, env=env, stdout=subprocess.PIPE, stderr=stderr) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().decode().strip().removeprefix("ready on ")
            body = json.dumps({"texts": [TEXT]}).encode()
            request = urllib.request.Request(
                f"{url}/v1/translate", body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as response:
                assert response.status == 200
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    return process, errors


def test_off_a_terminal_every_line_is_json_and_spans_leave_before_the_end(tmp_path: Path) -> None:
    with listen() as collector:
        env = environment(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        process, errors = serve_one_text(subprocess.PIPE, env)
    assert process.returncode == 0
    lines = [json.loads(line) for line in errors.splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    [request] = [line for line in lines if line["message"] == "request"]
    assert (request["route"], request["status"], request["sentences"]) == ("/v1/translate", 200, 1)
    assert {line["logger"].split(".")[0] for line in lines} >= {"service", "uvicorn"}
    assert b"Amersfoort" not in errors
    assert b"127.0.0.1" not in errors
    assert {"POST /v1/translate", "queue", "inference"} <= set(collector.span_names())
    assert len(request["trace"]) == 32


def test_on_a_terminal_the_lines_are_for_people(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with closing(os.fdopen(ours, "rb", buffering=0)) as terminal:
        process, _ = serve_one_text(theirs, environment(tmp_path))
        os.close(theirs)
        text = b""
        try:
            while chunk := terminal.read(65536):
                text += chunk
        except OSError:  # the other end is closed
            pass
    assert process.returncode == 0
    assert re.search(rb"\n\S+ \S+ INFO request id=\w+ method=POST route=/v1/translate", text)
    assert b'{"' not in text
