"""The DeepL API, version 2, as its own clients use it."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.api.access import Access
from service.api.dialects import deepl_documents
from service.api.dialects.deepl_fields import (
    SOURCE_LANGUAGES,
    TARGET_LANGUAGES,
    DeepLRoute,
    read_bullets,
    read_format,
    read_languages,
    read_texts,
)
from service.api.dialects.patience import patient_json
from service.api.dialects.texts import TranslatedText, translate_texts
from service.api.fields import read_fields
from service.api.request_workers import RequestWorkers
from service.article.warnings import ArticleWarning, WarningCode
from service.errors import NotFound, RequestError
from service.pipeline import SOURCE_LANGUAGE, TARGET_LANGUAGE, ArticlePipeline
from service.settings import Settings

NO_LIMIT = 1_000_000_000_000
"""What DeepL gives as ``character_limit`` to an account without one."""


class _Meter:
    """Characters translated since the server began."""

    def __init__(self) -> None:
        self.characters = 0


def create_router(
    settings: Settings, workers: RequestWorkers, access: Access, pipeline: ArticlePipeline
) -> APIRouter:
    """The routes of DeepL's API over one pipeline.

    The key is in ``Authorization: DeepL-Auth-Key`` or ``Bearer``. The field ``auth_key``, which
    DeepL itself takes no more, is not looked at.

    Args:
        settings: limits.
        workers: do the work of requests.
        access: knows what a key has spent.
        pipeline: does the work.
    """
    meter = _Meter()
    router = APIRouter(route_class=DeepLRoute, include_in_schema=False)
    router.include_router(deepl_documents.create_router(workers, pipeline))

    @router.api_route("/v2/translate", methods=["GET", "POST"])
    async def translate(request: Request) -> Response:
        """Translate texts, each on its own."""
        fields = await read_fields(request)
        source = read_languages(fields)
        texts = read_texts(fields, settings.max_texts_per_request)
        format = read_format(fields)
        bullets = read_bullets(fields)

        async def answer() -> dict[str, Any]:
            translated, _ = await workers.run(
                request,
                lambda work: translate_texts(
                    pipeline,
                    texts,
                    format=format,
                    source_language=SOURCE_LANGUAGE if source else "auto",
                    bullets=bullets,
                    work=work,
                ),
                characters=sum(map(len, texts)),
                key=("deepl", format, source, bullets, *texts),
            )
            meter.characters += sum(map(len, texts))
            return {
                "translations": [
                    _answer(text, translation, source, bullets)
                    for text, translation in zip(texts, translated, strict=True)
                ]
            }

        return await patient_json(answer())

    @router.api_route("/v2/languages", methods=["GET", "POST"])
    async def languages(request: Request) -> Response:
        """The languages of one side."""
        match (await read_fields(request)).first("type") or "source":
            case "source":
                return JSONResponse(
                    [{"language": code, "name": name} for code, name in SOURCE_LANGUAGES.items()]
                )
            case "target":
                return JSONResponse(
                    [
                        {"language": code, "name": name, "supports_formality": False}
                        for code, name in TARGET_LANGUAGES.items()
                    ]
                )
        raise RequestError("Parameter 'type' is invalid. 'source' and 'target' are valid values.")

    @router.api_route("/v2/usage", methods=["GET", "POST"])
    async def usage(request: Request) -> Response:
        """The key's characters of this day and their limit; without keys those of all since the
        server began."""
        count, limit = meter.characters, None
        if access.required:
            count, limit = await access.spent_today(request)
        return JSONResponse({"character_count": count, "character_limit": limit or NO_LIMIT})

    @router.get("/v2/glossary-language-pairs")
    async def glossary_languages() -> Response:
        """No pair of languages has glossaries here."""
        return JSONResponse({"supported_languages": []})

    @router.get("/v2/glossaries")
    @router.get("/v3/glossaries")
    async def list_glossaries() -> Response:
        """There are none."""
        return JSONResponse({"glossaries": []})

    @router.post("/v2/glossaries")
    @router.post("/v3/glossaries")
    async def create_glossary() -> Response:
        """None can be made."""
        raise RequestError("Unsupported glossary source and target language pair")

    @router.api_route("/v2/glossaries/{path:path}", methods=["GET", "DELETE"])
    @router.api_route("/v3/glossaries/{path:path}", methods=["GET", "PUT", "PATCH", "DELETE"])
    async def glossary() -> Response:
        """Whichever it is, it is not there."""
        raise NotFound("Glossary not found")

    return router


def _answer(
    text: str, translated: TranslatedText, source: str | None, bullets: int
) -> dict[str, Any]:
    """The answer to one text; ``bullets`` stand in ``summary``, a field of our own."""
    answer: dict[str, Any] = {
        "detected_source_language": source or _detected(translated.warnings),
        "text": translated.text,
        "billed_characters": len(text),
    }
    return answer | {"summary": translated.bullets} if bullets else answer


def _detected(warnings: Sequence[ArticleWarning]) -> str:
    """The language of a text that was not refused, by the warnings about it."""
    is_english = any(warning.code is WarningCode.ALREADY_ENGLISH for warning in warnings)
    return (TARGET_LANGUAGE if is_english else SOURCE_LANGUAGE).upper()
