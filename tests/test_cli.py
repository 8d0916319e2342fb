"""The command line as a person or a script meets it; the real program in a process of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.errors import InvalidSettings
from service.settings import load_settings

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "seeds" / "sample-article.nl.txt"
KORTOM = [sys.executable, "-m", "service.cli"]
DEMO = ["--profile", "demo"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without settings and GPU, and with an empty models directory."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KORTOM_")}
    return kept | {"KORTOM_MODELS_DIR": str(tmp_path / "models"), "CUDA_VISIBLE_DEVICES": ""}


def kortom(
    *arguments: str, env: dict[str, str], stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*KORTOM, *arguments], env=env, input=stdin, capture_output=True, timeout=100, check=False
    )


def one_line(error: bytes) -> str:
    """The one line that a failed command prints, log lines aside."""
    lines = [line for line in error.decode().splitlines() if line.startswith("kortom: ")]
    assert len(lines) == 1
    assert b"Traceback" not in error
    return lines[0]


def test_a_file_is_translated_with_bullets(environment: dict[str, str]) -> None:
    done = kortom("translate", str(SAMPLE), *DEMO, env=environment)
    assert done.returncode == 0
    text = done.stdout.decode()
    assert "Russian President Vladimir Putin" in text
    assert text.count("\n* ") == 3
    assert "knows only the articles in seeds/" in done.stderr.decode()
    assert "\nwarning: demo_model\n" in done.stderr.decode()


def test_standard_input_is_translated_to_the_answer_of_the_api(
    environment: dict[str, str],
) -> None:
    done = kortom("translate", "--json", *DEMO, env=environment, stdin=SAMPLE.read_bytes())
    answer = json.loads(done.stdout)
    assert [warning["code"] for warning in answer["warnings"]] == ["demo_model"]
    assert answer["usage"]["sentences"] == 20
    assert len(answer["summary"]["bullets"]) == 3
    assert 0 < answer["timing_ms"]["inference"] <= answer["timing_ms"]["total"]


def test_markdown_shows_dutch_and_english_side_by_side(environment: dict[str, str]) -> None:
    done = kortom("translate", "--markdown", "--bullets", "2", *DEMO, env=environment,
                  stdin=b"Slag op Tripoli\n")  # fmt: skip
    assert done.stdout.decode().splitlines()[0] == "| | Dutch | English |"
    assert "| s1 | Slag op Tripoli | Battle" in done.stdout.decode()


@pytest.mark.parametrize(
    ("arguments", "stdin", "line"),
    [
        (["no-such-file.txt"], b"", "no-such-file.txt: No such file or directory"),
        (["-"], b"\xff\xfe", "-: not UTF-8 at byte 0"),
        (["-"], b" \n\xe2\x80\x8b", "the article holds no visible text"),
        (
            ["-", "--max-article-characters", "3"],
            b"Vier",
            "text has 4 characters; at most 3 are taken",
        ),
        (["-", "--beam-size", "7"], b"Ja.", "setting beam_size"),
        (["-", "--device", "cuda"], b"Ja.", "CTranslate2 sees no CUDA device"),
        (["-", "--device", "cuda", "--engine", "torch"], b"Ja.", "torch sees no CUDA device"),
        (["-", "--profile", "nope"], b"Ja.", "setting profile"),
        (["-", "--profile", "light"], b"Ja.", "kortom models pull opus-mt-nl-en"),
    ],
)
def test_what_can_not_be_done_is_one_line_and_exit_code_1(
    environment: dict[str, str], arguments: list[str], stdin: bytes, line: str
) -> None:
    flags = [] if "--profile" in arguments else DEMO
    done = kortom("translate", *arguments, *flags, env=environment, stdin=stdin)
    assert done.returncode == 1
    assert line in one_line(done.stderr)
    assert done.stdout == b""


def test_the_reference_engine_gives_the_same_article(environment: dict[str, str]) -> None:
    fast, reference = (
        kortom(
            "translate",
            str(SAMPLE),
            *DEMO,
            "--engine",
            engine,
            "--intra-threads",
            "1",
            env=environment,
        )
        for engine in ("ctranslate2", "torch")
    )
    assert fast.returncode == reference.returncode == 0
    assert fast.stdout == reference.stdout


@pytest.mark.parametrize("arguments", [["serv"], ["translate", "--json", "--markdown"], []])
def test_wrong_usage_is_exit_code_2(environment: dict[str, str], arguments: list[str]) -> None:
    done = kortom(*arguments, env=environment)
    assert done.returncode == 2
    assert b"usage: kortom" in done.stderr


@pytest.mark.parametrize("command", [[], ["serve"], ["translate"], ["models"], ["bench"]])
def test_help_says_what_a_command_does(environment: dict[str, str], command: list[str]) -> None:
    done = kortom(*command, "--help", env=environment)
    assert done.returncode == 0
    assert b"usage: kortom" in done.stdout


def test_a_reader_that_has_gone_is_no_traceback(environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stdout:
        done = subprocess.run(
            [*KORTOM, "translate", str(SAMPLE), *DEMO],
            env=environment, stdout=stdout, stderr=subprocess.PIPE, timeout=100, check=False,
        )  # fmt: skip
    assert done.returncode == 141
    assert b"Traceback" not in done.stderr


def test_print_config_shows_flags_over_environment_over_defaults(
    environment: dict[str, str],
) -> None:
    env = environment | {"KORTOM_PORT": "9000", "KORTOM_BEAM_SIZE": "4"}
    done = kortom("serve", "--print-config", "--port", "9001", env=env)
    lines = done.stdout.decode().splitlines()
    assert "KORTOM_PORT=9001" in lines
    assert "KORTOM_BEAM_SIZE=4" in lines
    assert "KORTOM_HOST=127.0.0.1" in lines


def test_what_is_wrong_with_a_setting_is_said_in_plain_words(environment: dict[str, str]) -> None:
    done = kortom("models", "list", "--cards-dir", "/no/such", env=environment)
    assert one_line(done.stderr) == (
        "kortom: setting cards_dir (--cards-dir, KORTOM_CARDS_DIR): is not a directory; "
        "got '/no/such'"
    )


def test_cards_that_can_not_be_read_are_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may read everything: the system's answer is made up.
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)
    with pytest.raises(InvalidSettings, match=r"cards_dir.*: can't be read"):
        load_settings(cards_dir=str(tmp_path))


def test_a_glossary_that_is_missing_is_said_before_a_model_is_loaded(
    environment: dict[str, str],
) -> None:
    done = kortom("translate", *DEMO, "--glossary", "none", env=environment, stdin=b"Ja.")
    assert "glossary none: No such file" in one_line(done.stderr)
    assert b"loading" not in done.stderr


def test_a_file_of_the_program_that_can_not_be_made_is_named(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    cache = tmp_path / "file" / "bench"
    done = kortom("bench", "speed", "--cache-dir", str(cache), env=environment)
    assert done.returncode == 1
    assert str(cache) in one_line(done.stderr)


def test_what_print_config_prints_can_be_the_environment(environment: dict[str, str]) -> None:
    printed = kortom("serve", "--print-config", "--port", "9001", env=environment).stdout
    env = environment | dict(line.split("=", 1) for line in printed.decode().splitlines())
    assert env["KORTOM_BEAM_SIZE"] == ""
    assert kortom("serve", "--print-config", env=env).stdout == printed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KORTOM_MODELS_DIR", "~no-such-user/x"),
        ("KORTOM_CARDS_DIR", "/no/such/directory"),
        ("KORTOM_DRAIN_SECONDS", "0"),
    ],
)
def test_a_setting_that_can_not_be_is_named(
    environment: dict[str, str], name: str, value: str
) -> None:
    done = kortom("serve", env=environment | {name: value})
    assert done.returncode == 1
    assert name in one_line(done.stderr)


def test_cards_of_ones_own_are_listed_and_shown(
    environment: dict[str, str], tmp_path: Path
) -> None:
    card = (ROOT / "model_cards" / "opus-mt-nl-en.md").read_text(encoding="utf-8")
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "ours.md").write_text(card, encoding="utf-8")
    env = environment | {"KORTOM_CARDS_DIR": str(tmp_path / "cards")}
    assert b"\nours " in kortom("models", "list", env=env).stdout
    assert b"name:        ours" in kortom("models", "show", "ours", env=env).stdout


def test_a_card_without_front_matter_is_one_line(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "ours.md").write_text("No front matter.", encoding="utf-8")
    done = kortom("models", "list", "--cards-dir", str(tmp_path), env=environment)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [one_line(done.stderr)]
    assert "ours.md: kortom: must be a mapping" in one_line(done.stderr)


def test_a_card_is_shown_whatever_the_locale(environment: dict[str, str]) -> None:
    env = environment | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = kortom("models", "show", "opus-mt-nl-en", env=env)
    assert done.returncode == 0
    assert "…" in done.stdout.decode()


def test_a_full_disk_under_the_output_is_one_line(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*KORTOM, "models", "list"],
            env=environment, stdout=full, stderr=subprocess.PIPE, timeout=100, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left on device" in one_line(done.stderr)


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_a_closed_stream_is_one_line(environment: dict[str, str], closed: str) -> None:
    command = f"{sys.executable} -m service.cli translate --profile demo - {closed}"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "closed" in one_line(done.stderr)


def test_a_bad_setting_in_the_environment_stops_the_start(environment: dict[str, str]) -> None:
    done = kortom("serve", env=environment | {"KORTOM_INTRA_THREADS": "many"})
    assert done.returncode == 1
    assert "KORTOM_INTRA_THREADS" in one_line(done.stderr)


def test_a_port_in_use_stops_the_start(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = kortom("serve", *DEMO, "--port", str(port), env=environment)
    assert done.returncode == 1
    assert f"can't listen on 127.0.0.1 port {port}" in one_line(done.stderr)


def test_a_missing_model_stops_the_start(environment: dict[str, str]) -> None:
    done = kortom("serve", "--port", "0", env=environment)
    assert done.returncode == 1
    assert "kortom models pull opus-mt-nl-en" in one_line(done.stderr)


@pytest.mark.parametrize("damage", ["truncated", "changed", "missing"])
def test_a_damaged_model_stops_the_start(
    environment: dict[str, str], tmp_path: Path, damage: str
) -> None:
    path = kortom("models", "path", "demo-nl-en", env=environment).stdout.decode().strip()
    copy = tmp_path / "models" / "demo-nl-en"
    shutil.copytree(path, copy)
    weights = copy / "ctranslate2" / "model.bin"
    data = weights.read_bytes()
    if damage == "truncated":
        weights.write_bytes(data[:-100])
    elif damage == "changed":
        weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    else:
        weights.unlink()
    done = kortom("serve", *DEMO, "--port", "0", env=environment)
    assert done.returncode == 1
    assert "model.bin" in one_line(done.stderr)


@pytest.fixture
def server(environment: dict[str, str]) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """``kortom serve`` with the demo profile on a free port, and its address."""
    command = [*KORTOM, "serve", *DEMO, "--port", "0"]
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what is in the background with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        announcement = process.stdout.readline().strip()
        assert announcement.startswith("ready on http://127.0.0.1:")
        try:
            yield process, announcement.removeprefix("ready on ")
        finally:
            process.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_served_article_comes_back_and_the_server_stops_when_told(
    server: "tuple[subprocess.Popen[str], str]", stop: signal.Signals
) -> None:
    process, url = server
    body = json.dumps({"text": SAMPLE.read_text(encoding="utf-8")}).encode()
    request = urllib.request.Request(
        f"{url}/v1/articles", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    assert "Turkish President Recep Tayyip Erdogan" in answer["translation"]["text"]
    process.send_signal(stop)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert "Poetin" not in errors
