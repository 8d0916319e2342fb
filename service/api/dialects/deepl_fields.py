"""The fields of DeepL's requests, checked as DeepL checks them, and the shape of its errors."""

import json
from collections.abc import Callable, Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from service.api.access import key_in_header
from service.api.dialects import DialectRoute
from service.api.fields import Fields
from service.api.schemas import MAX_BULLETS
from service.article.document import Format
from service.errors import (
    ContentTooLarge,
    InvalidRequest,
    RequestError,
    ServiceError,
    Unauthorized,
)
from service.summarization.summarizer import SummaryOptions

SOURCE_LANGUAGES = {"NL": "Dutch"}
QUOTA_EXCEEDED = 456
"""DeepL's own status, which no standard has."""
TARGET_LANGUAGES = {"EN-GB": "English (British)", "EN-US": "English (American)"}

_BOOLEANS = ("0", "1", "false", "true")
_BULLETS = {str(number): number for number in range(MAX_BULLETS + 1)} | {
    "false": 0,
    "true": SummaryOptions().bullets,
}
_WITHOUT_MEANING = (
    "glossary_id",
    "glossary_ids",
    "style_id",
    "translation_memory_id",
    "custom_instructions",
)
"""Fields that should change the translation; there is nothing here that they could name."""


class DeepLRoute(DialectRoute):
    """A route with errors as ``{"message": …}`` and ``X-Trace-ID`` on every answer."""

    @staticmethod
    def error_response(error: ServiceError) -> Response:
        """The answer to a request that failed with ``error``."""
        document = {"message": error.detail}
        if error.code == "language_not_served":
            document = {"message": not_supported("source_lang").detail, "detail": error.detail}
        status = error.status
        if isinstance(error, InvalidRequest):  # DeepL calls every bad field a bad request
            status = RequestError.status
        elif isinstance(error, Unauthorized):
            status = 403
            document = {"message": "Authorization failed: DeepL-Auth-Key is not a valid key."}
        elif error.code == "quota_exceeded":
            status = QUOTA_EXCEEDED
            document = {"message": "Quota for this billing period has been exceeded."}
        return Response(
            json.dumps(document),
            status,
            error.headers,
            media_type="application/json",
        )

    async def find_key(self, request: Request) -> str | None:
        """The key in the header, after DeepL's word for it or ``Bearer``."""
        return key_in_header(request, scheme="DeepL-Auth-Key")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ``DialectRoute``; the trace id is the request id."""

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                request_id = scope["state"]["request_id"].encode("ascii")
                message["headers"] = [*message["headers"], (b"x-trace-id", request_id)]
            await send(message)

        await super().handle(scope, receive, send_with_id)


def not_supported(name: str) -> RequestError:
    """DeepL's error for a field with a value that it can't have."""
    return RequestError(f"Value for '{name}' not supported.")


def read_languages(fields: Fields) -> str | None:
    """The language that the text is said to be in; ``None`` to find out.

    The target is English of any kind.

    Raises:
        RequestError: the source or the target is not served, in this order.
    """
    source = _choice(fields, "source_lang", SOURCE_LANGUAGES, str.upper)
    if _choice(fields, "target_lang", {"EN", *TARGET_LANGUAGES}, str.upper) is None:
        raise not_supported("target_lang")
    return source


def read_texts(fields: Fields, most: int) -> list[str]:
    """The texts, of which some may be blank.

    Raises:
        RequestError: there is none, or one is no text.
        ContentTooLarge: there are more than ``most``.
    """
    given = fields.values.get("text")
    if given is None or given == []:
        raise RequestError("Parameter 'text' not specified")
    texts: list[str] = given if isinstance(given, list) else [given]
    if len(texts) > most:
        raise ContentTooLarge(f"{len(texts)} texts; at most {most} are taken")
    try:
        for text in texts:
            text.encode("utf-8")
    except (AttributeError, UnicodeEncodeError):  # no string; a lone surrogate
        raise not_supported("text") from None
    return texts


def read_format(fields: Fields) -> Format:
    """How the texts are written; the other options of a text are checked and change nothing.

    Sentences are always split, the structure of a text is always kept, and there is one model.

    Raises:
        RequestError: an option has a value that it can't have, or one that should change the
            translation and can't.
    """
    check_glossary(fields)
    _choice(fields, "split_sentences", ("0", "1", "nonewlines"))
    _choice(fields, "preserve_formatting", _BOOLEANS)
    check_formality(fields)
    # XML would have to keep each of its tags, and markup whose words can't be found is left out.
    tag_handling = _choice(fields, "tag_handling", ("html",))
    if tag_handling and fields.first("ignore_tags"):
        raise not_supported("ignore_tags")
    _choice(fields, "tag_handling_version", ("v1", "v2"))
    _choice(fields, "outline_detection", _BOOLEANS)
    _choice(
        fields,
        "model_type",
        ("quality_optimized", "prefer_quality_optimized", "latency_optimized"),
    )
    return Format.HTML if tag_handling else Format.TEXT


def read_bullets(fields: Fields) -> int:
    """How many bullets of each text are wanted, 0 to 10: ``summary``, a field of our own.

    Raises:
        RequestError: it is neither a number of bullets nor a boolean.
    """
    return _BULLETS[_choice(fields, "summary", _BULLETS) or "0"]


def check_formality(fields: Fields) -> None:
    """Refuse a formality that English has not.

    Raises:
        RequestError: it must be formal or informal, or is no formality at all.
    """
    known = ("default", "more", "less", "prefer_more", "prefer_less")
    if _choice(fields, "formality", known) in ("more", "less"):
        target = fields.first("target_lang").upper()
        raise RequestError(f"Target language '{target}' doesn't support formality.")


def check_glossary(fields: Fields) -> None:
    """Refuse glossaries, styles, translation memories and instructions.

    Raises:
        RequestError: there is one.
    """
    for name in filter(fields.first, _WITHOUT_MEANING):
        if name.startswith("glossary") and not fields.first("source_lang"):
            raise RequestError(
                "Use of a glossary requires the source_lang parameter to be specified"
            )
        raise not_supported(name)


def _choice(
    fields: Fields,
    name: str,
    allowed: Collection[str],
    normalize: Callable[[str], str] = str.lower,
) -> str | None:
    """The value of a field that has few; ``None`` if it is missing, null or empty."""
    value = fields.first(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str | int) or normalize(str(value)) not in allowed:
        raise not_supported(name)
    return normalize(str(value))
