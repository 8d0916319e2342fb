"""Nobody writes a line of their own into the log, and nobody colours or turns one round."""

import asyncio
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import quote

import pytest

from service import logs
from service.logs import Event, JSONFormatter, TextFormatter

if TYPE_CHECKING:
    from loopback import Client

WORD = "INJECTED"
TRICKS = {
    "line": f"a\r\n{WORD}",
    "separator": f"a\u2028{WORD}\u0085\u2029",
    "colour": f"a\x1b[31m{WORD}\x9b0m",
    "title": f"a\x1b]0;{WORD}\x07",
    "backspace": f"a\b\b\b{WORD}\x7f",
    "direction": f"a\u202e{WORD}\u2066\u200f\u061c",
    "invisible": f"a\u200b{WORD}\u2060\ufeff\U000e0041",
    "half a character": f"a\ud800{WORD}\udfff",
    "JSON": f'a", "level": "{WORD}"}}\n{{"level": "error',
}
REQUEST_ID = "x-1.2_3"


@pytest.fixture(params=[True, False], ids=["JSON", "text"])
def written(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What a program with this form of log writes to standard error."""
    stream = io.StringIO()
    with mock.patch.object(sys, "stderr", stream):
        logs.configure("debug", json_lines=request.param)
        stream.json = request.param  # type: ignore[attr-defined]
        yield stream


def lines(stream: io.StringIO) -> list[str]:
    """The lines, each of them whole and of harmless characters."""
    text = stream.getvalue()
    text.encode("utf-8")
    assert not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 for c in text)
    assert not set(text) & set("\u061c\u200b\u200f\u2028\u2029\u202e\u2060\u2066\ufeff\U000e0041")
    found = text.splitlines()
    if stream.json:  # type: ignore[attr-defined]
        for line in found:
            assert json.loads(line)["level"] != WORD
    else:
        assert not any(line.startswith((WORD, "{")) for line in found)
    return found


@pytest.mark.parametrize("trick", TRICKS)
def test_whatever_is_logged_stays_in_its_line(
    written: io.StringIO, trick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest's own came back since, and its report can't hold every character.
    root = logging.getLogger()
    own = [handler for handler in root.handlers if getattr(handler, "stream", None) is written]
    monkeypatch.setattr(root, "handlers", own)
    # The server that tests share may have something to say just now.
    own[0].addFilter(lambda record: record.thread == threading.get_ident())
    logging.getLogger("uvicorn.error").warning("said %s", TRICKS[trick])
    logging.getLogger("service").info(Event("request", id=TRICKS[trick]))
    logging.getLogger(f"a.library.{TRICKS[trick]}").info("x")
    found = lines(written)
    assert len([line for line in found if not line.startswith("    ")]) == 3


PLACES: dict[str, Callable[["Client", str], bytes]] = {
    "request id": lambda c, t: c.request("GET", "/livez", headers={"X-Request-ID": t}),
    "method": lambda c, t: c.request(t, "/livez"),
    "path": lambda c, t: c.request("GET", f"/{t}"),
    "escaped path": lambda c, t: c.request("GET", f"/v1/{quote(t, safe='')}"),
    "query": lambda c, t: c.request("GET", f"/livez?{quote(t)}"),
    "job": lambda c, t: c.request("GET", f"/v1/jobs/{quote(t, safe='')}/results"),
    "file": lambda c, t: c.request("GET", f"/download_file/{quote(t, safe='')}"),
    "host": lambda c, t: c.request("GET", "/livez", headers={"Host": t}),
    "header": lambda c, t: c.request("GET", "/livez", headers={f"X-{t}": "x"}),
    "agent": lambda c, t: c.request("GET", "/livez", headers={"User-Agent": t, "Referer": t}),
    "forwarded": lambda c, t: c.request("GET", "/livez", headers={"X-Forwarded-For": t}),
    "trace": lambda c, t: c.request("GET", "/version", headers={"traceparent": t, "tracestate": t}),
    "key": lambda c, t: c.request("GET", "/v1/models", headers={"Authorization": f"Bearer {t}"}),
    "field": lambda c, t: c.request("POST", "/v1/translate", json.dumps({t: [t]}).encode()),
    "language": lambda c, t: c.request(
        "POST", "/v1/articles", json.dumps({"text": "Dag.", "source_language": t}).encode()
    ),
    "type": lambda c, t: c.request("POST", "/v1/translate", b"{}", {"Content-Type": t}),
    "file name": lambda c, t: c.request("POST", "/v1/documents", *form(t)),
    "document": lambda c, t: c.request("POST", "/v2/document", *form(t)),
    "idempotency key": lambda c, t: c.request(
        "POST", "/v1/jobs", b"[]", {
            "Idempotency-Key": t, "Content-Type": "application/json", "Content-Length": "2",
        },
    ),
}  # fmt: skip


def form(name: str) -> tuple[bytes, dict[str, str]]:
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}.docx"\r\n\r\n'
    body = head.encode("utf-8", "replace") + b"PK\r\n--b--\r\n"
    length = {"Content-Length": str(len(body))}
    return body, {"Content-Type": "multipart/form-data; boundary=b"} | length


@pytest.mark.parametrize("place", PLACES)
def test_nothing_that_a_client_chooses_is_in_the_log(
    server: "Client", place: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for trick in TRICKS.values():
        try:
            request = PLACES[place](server, trick.encode("latin-1", "replace").decode("latin-1"))
        except UnicodeEncodeError:
            request = PLACES[place](server, WORD)
        server.send(request)
    assert server.get("/livez", **{"X-Request-ID": REQUEST_ID}).status == 200
    records = [r for r in caplog.records if r.name != "uvicorn.access"]  # which is off
    assert records
    for record in records:
        for formatter in (JSONFormatter(), TextFormatter()):
            assert WORD.lower() not in formatter.format(record).lower(), record.name


WRONG: dict[str, Callable[["Client"], bytes]] = {
    "no HTTP": lambda _: b"HELLO\r\n\r\n",
    "another protocol": lambda c: c.request(
        "GET", "/livez", headers={"Connection": "upgrade", "Upgrade": "h2c"}
    ),
    "a form without its boundary": lambda c: c.request(
        "POST", "/v1/documents", b"--b", {"Content-Type": "multipart/form-data"}
    ),
    "a form that is none": lambda c: c.request(
        "POST", "/v1/documents", b"--c", {"Content-Type": "multipart/form-data; boundary=b"}
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_client_sends_wrong_is_no_warning_to_the_operator(
    written: io.StringIO, server: "Client", wrong: str
) -> None:
    assert server.send(WRONG[wrong](server)).status
    for line in lines(written):
        assert not any(level in line.lower() for level in ("warning", "error ", '"error"')), line


def article_error() -> ValueError:
    return ValueError(f"can't read {WORD}")


def of_a_thread() -> None:
    def fail() -> None:
        raise article_error()

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def of_a_task() -> None:
    async def fail(text: str) -> None:
        raise ValueError(text)

    async def main() -> None:
        task = asyncio.create_task(fail(WORD))
        await asyncio.wait([task])

    asyncio.run(main())


def of_a_callback() -> None:
    def fail(text: str) -> None:
        raise ValueError(text)

    async def main() -> None:
        asyncio.get_running_loop().call_soon(fail, WORD)
        await asyncio.sleep(0)

    asyncio.run(main())


class Failing:
    """Fails when it is thrown away."""

    def __del__(self) -> None:
        raise article_error()


def of_the_program() -> None:
    sys.excepthook(ValueError, article_error(), None)


def of_a_line() -> None:
    """Of logging itself, about a line that is wrong; given to our handler alone."""
    line = logging.LogRecord("service", logging.ERROR, __file__, 1, "%d articles", (WORD,), None)
    [ours] = [h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler]
    ours.handle(line)


@pytest.mark.parametrize(
    "fail", [of_a_thread, of_a_task, of_a_callback, Failing, of_the_program, of_a_line]
)
def test_what_nobody_catches_shows_where_and_not_what(
    written: io.StringIO, fail: Callable[[], Any]
) -> None:
    fail()
    text = "\n".join(lines(written))
    assert WORD not in text
    if fail is not of_a_line:
        assert "ValueError" in text
        assert "test_log_injection.py" in text or fail is of_the_program


def test_a_warning_is_one_line(written: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(TRICKS["line"], UserWarning, stacklevel=1)
    assert lines(written)
