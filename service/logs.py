"""The log: one line per event, JSON for machines or plain for people, never an article's text."""

import copy
import json
import logging
import re
import sys
import threading
import traceback
from datetime import UTC, datetime
from typing import Any

logger = logging.getLogger(__name__)

_CONTROLS = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f"
    # Invisible, turning the direction of what follows, or no character at all.
    r"\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)


class Event:
    """What a log line says: a name and fields, both free of anything that a client may choose.

    Args:
        name: what happened, in one or two words.
        fields: numbers and short strings; ``None`` is left out.
    """

    def __init__(self, name: str, **fields: str | float | None) -> None:
        self.name = name
        self.fields = {key: value for key, value in fields.items() if value is not None}

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.fields.items())])


def configure(level: str, *, json_lines: bool) -> None:
    """Send the log of this program and of its libraries to standard error in one shape.

    So goes whatever Python would print there by itself, with messages that may quote an article:
    exceptions that nobody caught, warnings, and lines that could not be written.

    Args:
        level: least severe level, by its name in ``logging``.
        json_lines: one JSON object per line, else a line for people.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter() if json_lines else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # They tell at every start what they assume of the database, and every request to a hub.
    for library in ("alembic", "httpx", "httpx2"):
        logging.getLogger(library).setLevel(logging.WARNING)
    # What it finds wrong in a form is in the answer to whoever sent it.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    logging.captureWarnings(True)
    logging.raiseExceptions = False
    sys.excepthook = lambda _type, error, _traceback: _log_uncaught(error)
    sys.unraisablehook = lambda raised: _log_uncaught(raised.exc_value)
    threading.excepthook = lambda raised: _log_uncaught(raised.exc_value)


class JSONFormatter(logging.Formatter):
    """``time``, ``level``, ``logger``, ``message``, the fields of an :class:`Event`, ``exception``.

    ASCII only, so that no character of a terminal or of another line's end gets through.
    """

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if isinstance(record.msg, Event):
            line |= {"message": record.msg.name, **record.msg.fields}
        else:
            line["message"] = _message(record)
        if record.exc_info and record.exc_info[1]:
            line["exception"] = describe(record.exc_info[1])
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """A line for a terminal; what goes on over more lines is indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        record = copy.copy(record)
        # Another handler may have kept a text of the exception with its messages.
        record.msg, record.args, record.exc_text = _message(record), None, None
        text = _CONTROLS.sub(_escaped, super().format(record))
        return text.rstrip("\n").replace("\n", "\n    ")

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """See ``logging.Formatter``."""
        return describe(ei[1]) if ei[1] else ""


def _message(record: logging.LogRecord) -> str:
    text = record.getMessage()
    # asyncio quotes exceptions and arguments behind what it has to say.
    return re.split(r"[\n(<]", text, maxsplit=1)[0] if record.name == "asyncio" else text


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _log_uncaught(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        logger.critical("an exception that nobody caught", exc_info=error)


def describe(error: BaseException) -> str:
    """Where it broke, without the messages of the exceptions: they may quote an article."""
    chain: list[str] = []
    seen: set[int] = set()  # one that is raised again and again may be its own cause
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = "".join(traceback.format_tb(current.__traceback__))
        chain.append(f"{type(current).__name__}\n{frames}")
        current = current.__cause__ or current.__context__
    return "caused by ".join(chain)
