"""Watches every test: no article text and no key may reach a log, a metric, a span or an error.

Article text is found by runs of words: those of what a test sends and of the shipped articles are
remembered, and whatever the program logs or answers as an error or a metric is searched for them.
So is what other processes write to standard error, where a test reads it with ``communicate`` or
``subprocess.run``; what it reads in another way, it gives to :meth:`Watch.came_out` itself.
"""

import json
import logging
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs, tracing
from service.logs import JSONFormatter, TextFormatter

RUN_WORDS = 4
"""Two texts that share so many words in a row say the same; shorter runs are chance."""
MAX_SENT_CHARACTERS = 20_000
MAX_BODY_BYTES = 200_000
SEEDS = Path(__file__).resolve().parents[1] / "seeds"
TEXT_FIELDS = {"text", "texts", "html", "markdown", "title", "q"}
SECRETS = re.compile(
    r"kortom_[0-9a-f]{12}_[\w-]{40,}|whsec_[\w+/=-]{20,}|test-password-\w+"
    r"|\w://[^/\s:@]*:(?!\*+@|PASSWORD@)[^@\s]+@"  # a password in a URL
)
CLIENTS = {"deepl", "httpx", "httpx2", "httpcore", "urllib3", "requests"}
"""Loggers of clients that the tests use: what they say, the program does not."""
_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Every run of :data:`RUN_WORDS` words, without case."""
    words = re.findall(r"\w+", text.lower())
    return zip(*(words[start:] for start in range(RUN_WORDS)), strict=False)


class Watch(logging.Handler):
    """What was sent, and what came out where it must not."""

    def __init__(self) -> None:
        super().__init__()
        self.leaks: list[str] = []
        self._sent: set[tuple[str, ...]] = set()
        self._formatters = (JSONFormatter(), TextFormatter())

    def sent(self, text: str) -> None:
        """Remember a piece of an article."""
        self._sent.update(runs(text[:MAX_SENT_CHARACTERS]))

    def sent_body(self, body: bytes, content_type: str = "") -> None:
        """Remember the texts in a request."""
        if "urlencoded" in content_type:
            fields = parse_qs(body.decode("utf-8", "replace"))
            self._sent_fields(dict(fields))
            return
        for line in body.splitlines() if "ndjson" in content_type else [body]:
            try:
                self._sent_fields(json.loads(line))
            except (ValueError, RecursionError):
                continue

    def came_out(self, where: str, text: str) -> None:
        """Search what people and machines may read."""
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
        if found := SECRETS.search(text):
            self.leaks.append(f"{where}: the secret {found[0][:16]}…")
        for run in runs(text):
            if run in self._sent:
                self.leaks.append(f"{where}: {' '.join(run)!r}")
                return

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``: both forms of every line of the program and its libraries."""
        if record.name.partition(".")[0] in CLIENTS:
            return
        for formatter in self._formatters:
            self.came_out(f"log of {record.name}", formatter.format(record))

    def _sent_fields(self, value: Any, name: str = "") -> None:
        match value:
            case str() if name in TEXT_FIELDS:
                self.sent(value)
            case dict():
                for key, item in value.items():
                    self._sent_fields(item, str(key))
            case list():
                for item in value:
                    self._sent_fields(item, name)


class WatchedSpans(SpanProcessor):
    """Searches every span."""

    def on_end(self, span: ReadableSpan) -> None:
        """See OpenTelemetry."""
        WATCH.came_out(f"span {span.name}", span.to_json())


def watch_logs(patch: pytest.MonkeyPatch) -> None:
    """Search every log line, also after a command has set up the log in this process."""
    configure = logs.configure

    def watched(level: str, *, json_lines: bool) -> None:
        configure(level, json_lines=json_lines)
        logging.getLogger().addHandler(WATCH)

    patch.setattr(logs, "configure", watched)
    logging.getLogger().addHandler(WATCH)


def watch_spans(patch: pytest.MonkeyPatch) -> None:
    """Search every span that is exported anywhere."""
    export_to = tracing.export_to

    def watched(processor: SpanProcessor) -> None:
        export_to(processor)
        tracing._provider.add_span_processor(WatchedSpans())  # type: ignore[union-attr]

    patch.setattr(tracing, "export_to", watched)


def watch_processes(patch: pytest.MonkeyPatch) -> None:
    """Search what processes write to standard error for what they were given and for secrets."""
    communicate = subprocess.Popen.communicate

    def watched(process: Any, input: Any = None, timeout: Any = None) -> Any:  # noqa: A002 - its name
        if input and "kortom" in str(process.args):
            WATCH.sent(_text(input))
        output, errors = communicate(process, input, timeout)
        if errors:
            WATCH.came_out(f"standard error of {process.args!r:.80}", _text(errors))
        return output, errors

    patch.setattr(subprocess.Popen, "communicate", watched)


def _text(data: str | bytes) -> str:
    return data if isinstance(data, str) else data.decode("utf-8", "replace")


WATCH = Watch()
for path in SEEDS.glob("*.txt"):
    WATCH.sent(path.read_text(encoding="utf-8"))


class Watched:
    """ASGI middleware around a whole app: its errors and metrics are searched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        received = bytearray()
        is_public = scope["path"] == "/metrics"

        async def watched_receive() -> Message:
            message = await receive()
            if message["type"] == "http.request" and len(received) < MAX_BODY_BYTES:
                received.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    WATCH.sent_body(bytes(received), content_type)
            return message

        async def watched_send(message: Message) -> None:
            nonlocal is_public
            if message["type"] == "http.response.start":
                is_public = is_public or message["status"] >= 400
            elif is_public:
                body = message.get("body", b"").decode("utf-8", "replace")
                WATCH.came_out(f"answer of {scope['path'][:80]}", body)
            await send(message)

        await self._app(scope, watched_receive, watched_send)
