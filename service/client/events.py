"""The event stream of ``POST /v1/articles``: bytes in, typed events out, the article at the end."""

from typing import Any

import httpx
from pydantic import TypeAdapter
from pydantic_core import from_json

from service.client.protocol import EVENT_STREAM, KortomError, problem, understood
from service.client.results import (
    Article,
    ArticleEvent,
    BlockEvent,
    Bullet,
    BulletEvent,
    Event,
    TitleEvent,
)

_TITLE = TypeAdapter(TitleEvent)
_BLOCK = TypeAdapter(BlockEvent)
_BULLET = TypeAdapter(Bullet)
_ARTICLE = TypeAdapter(Article)


class EventReader:
    """Reads one stream of server-sent events (the WHATWG's HTML standard, section 9.2).

    Args:
        response: whose body the stream is.
        alignment: whether the answer lists blocks.

    Raises:
        KortomError: ``invalid_answer``: it is no event stream.
    """

    def __init__(self, response: httpx.Response, *, alignment: bool) -> None:
        media_type = response.headers.get("content-type", "").partition(";")[0].strip()
        if media_type.lower() != EVENT_STREAM:
            raise KortomError("invalid_answer", "the answer is no event stream")
        self.done = False
        self._alignment = alignment
        self._line = b""
        self._name = ""
        self._data: list[bytes] = []
        self._title: str | None = None
        self._blocks: dict[int, Any] = {}
        self._bullets: dict[int, Any] = {}

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that these bytes complete.

        Raises:
            KortomError: the server's own from its ``error`` event, or ``invalid_answer``.
        """
        # Not str.splitlines and what rests on it: JSON may hold U+2028 as it is.
        *lines, self._line = (self._line + chunk).split(b"\n")
        events = []
        for line in lines:
            line = line.removesuffix(b"\r")
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"event":
                self._name = value.decode("utf-8", "replace")
            elif field == b"data":
                self._data.append(value)
            elif not line:
                name, data = self._name, b"\n".join(self._data)
                self._name, self._data = "", []
                event = self._event(name, data) if data else None
                events += [event] if event else []
        return events

    def end(self) -> None:
        """The stream has ended.

        Raises:
            KortomError: ``incomplete_answer``: before its last event.
        """
        if not self.done:
            raise KortomError("incomplete_answer", "the stream ended before the article was whole")

    def _event(self, name: str, data: bytes) -> Event | None:
        """``None`` for an event that only a newer client knows."""
        with understood():
            document = from_json(data)
            match name:
                case "title":
                    title = _TITLE.validate_python(document)
                    self._title = title.title
                    return title
                case "block":
                    block = _BLOCK.validate_python(document)
                    self._blocks[block.index] = document
                    return block
                case "bullet":
                    bullet = BulletEvent(document["index"], _BULLET.validate_python(document))
                    self._bullets[bullet.index] = document
                    return bullet
                case "done":
                    self.done = True
                    return ArticleEvent(self._article(document))
                case "error":
                    raise problem(document)
                case _:
                    return None

    def _article(self, document: Any) -> Article:
        """The last event's document with what came before it."""
        document["title"] = self._title
        document["translation"]["blocks"] = _in_order(self._blocks) if self._alignment else None
        if document["summary"] is not None:
            document["summary"]["bullets"] = _in_order(self._bullets)
        return _ARTICLE.validate_python(document)


def _in_order(parts: dict[int, Any]) -> list[Any]:
    """Raises KeyError where one is missing."""
    return [parts[index] for index in range(len(parts))]
