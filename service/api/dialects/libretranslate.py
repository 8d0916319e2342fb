"""The LibreTranslate API, version 1.9: what its clients send and the texts that they look for."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.api.access import Access, key_in_header
from service.api.account import Made
from service.api.dialects import DialectRoute
from service.api.dialects.documents import (
    media_type_of,
    read_file,
    served_suffixes,
    suffix_after,
    suffix_of,
)
from service.api.dialects.downloads import Downloads
from service.api.dialects.patience import patient_json
from service.api.dialects.texts import TranslatedText, translate_texts
from service.api.fields import Fields, read_fields
from service.api.problems import RETRY_SECONDS
from service.api.request_workers import RequestWorkers
from service.api.schemas import MAX_BULLETS
from service.article.document import Format
from service.article.formats import parse
from service.article.language import DetectedLanguage, LanguageIdentifier
from service.errors import (
    InvalidRequest,
    MalformedBody,
    Overloaded,
    RequestError,
    ServiceError,
    Unauthorized,
)
from service.pipeline import SOURCE_LANGUAGE, TARGET_LANGUAGE, ArticlePipeline
from service.serving.work import Work
from service.settings import Settings

LANGUAGES = {TARGET_LANGUAGE: "English", SOURCE_LANGUAGE: "Dutch"}
AUTO = "auto"
API_KEY = "api_key"
FRONTEND_TIMEOUT_MS = 500
"""LibreTranslate's own default: how long its page waits after a key before it translates."""

_WITHOUT_LETTERS = DetectedLanguage("en", 0.0, enough_text=False)
"""What LibreTranslate says of a text that holds none."""
_SAMPLE_CHARACTERS = 20_000
"""What a language is told from: a few milliseconds of work, so that a pair that is not served is
refused before the request waits for a place."""
_CODE = re.compile(r"[a-z0-9_-]{1,20}")
_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_MAX_FILE_NAME = 80


class LibreTranslateRoute(DialectRoute):
    """A route with errors as ``{"error": …}``."""

    @staticmethod
    def error_response(error: ServiceError) -> Response:
        """The answer to a request that failed with ``error``."""
        detail, status = error.detail, error.status
        if isinstance(error, MalformedBody) and error.code != "malformed_form":
            detail = "Invalid JSON format"
        elif isinstance(error, Unauthorized):
            detail, status = "Invalid API key", 403
        elif isinstance(error, InvalidRequest):
            # What could not be told from the fields alone; 422 is not among its statuses.
            detail, status = f"Invalid request: {detail}", 400
        # ASCII only, for a field may hold a lone surrogate.
        return Response(
            json.dumps({"error": detail}), status, error.headers, media_type="application/json"
        )

    async def find_key(self, request: Request) -> str | None:
        """The key in the header or in the body, which is read for it; never one in the address."""
        if "authorization" in request.headers or API_KEY in request.query_params:
            return key_in_header(request)
        key = (await read_fields(request)).first(API_KEY)
        return key if isinstance(key, str) else None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A request for translations.

    Attributes:
        texts: what to translate.
        is_batch: whether the answer has lists.
        detected: the language of the texts; ``None`` if they are said to be in ``source``.
        source: the code of the language that the texts are taken to be in.
        format: how the texts are written.
        alternatives: how many other translations are asked for.
        bullets: how many bullets are asked for, 0 to 10.
    """

    texts: tuple[str, ...]
    is_batch: bool
    detected: DetectedLanguage | None
    source: str
    format: Format
    alternatives: int
    bullets: int

    @property
    def is_english(self) -> bool:
        """Said to be in the target language: LibreTranslate gives such texts back as they are."""
        return self.detected is None and self.source == TARGET_LANGUAGE


def create_router(
    settings: Settings,
    workers: RequestWorkers,
    access: Access,
    pipeline: ArticlePipeline,
    identifier: LanguageIdentifier,
) -> APIRouter:
    """The routes of LibreTranslate over one pipeline.

    The key is in the field ``api_key`` of a JSON object or a form, or in ``Authorization: Bearer``.
    The field ``secret`` and unknown fields are not looked at.

    Args:
        settings: limits.
        workers: do the work of requests.
        access: says whether a key is required.
        pipeline: does the work.
        identifier: tells the language of texts sent with ``source=auto``.
    """
    router = APIRouter(route_class=LibreTranslateRoute, include_in_schema=False)
    downloads = Downloads()
    limits = (settings.max_texts_per_request, settings.max_article_characters)

    @router.post("/translate")
    async def translate(request: Request) -> Response:
        """Translate a text or a list of them."""
        wanted = _read_wanted(await read_fields(request), identifier, *limits)

        async def work() -> dict[str, Any]:
            translated, _ = await workers.run(
                request,
                lambda work: _translate(pipeline, wanted, work),
                characters=sum(map(len, wanted.texts)),
                key=wanted,
            )
            return _answer(wanted, translated)

        return await patient_json(work())

    @router.post("/detect")
    async def detect(request: Request) -> Response:
        """The likeliest language of a text."""
        texts, _ = _read_texts(await read_fields(request))
        return JSONResponse([_language(_identify(identifier, texts, Format.TEXT))])

    @router.get("/languages")
    async def languages() -> Response:
        """What is translated into what; every target is listed as a language itself."""
        return JSONResponse(
            [
                {"code": code, "name": name, "targets": [TARGET_LANGUAGE]}
                for code, name in LANGUAGES.items()
            ]
        )

    @router.get("/health")
    async def health(request: Request) -> Response:
        """Whether the server is ready for work."""
        await access.check()
        if trouble := request.app.state.health.unready():
            raise Overloaded(trouble, code="unavailable", headers={"Retry-After": RETRY_SECONDS})
        return JSONResponse({"status": "ok"})

    @router.get("/frontend/settings")
    async def frontend_settings() -> Response:
        """What LibreTranslate's own page asks for."""
        return JSONResponse(
            {
                "charLimit": settings.max_article_characters,
                "frontendTimeout": FRONTEND_TIMEOUT_MS,
                "apiKeys": access.required,
                "keyRequired": access.required,
                "suggestions": False,
                "filesTranslation": True,
                "supportedFilesFormat": sorted(served_suffixes()),
                "language": {
                    "source": {"code": AUTO, "name": "Auto Detect"},
                    "target": {"code": TARGET_LANGUAGE, "name": LANGUAGES[TARGET_LANGUAGE]},
                },
            }
        )

    @router.post("/translate_file")
    async def translate_document(request: Request) -> Response:
        """Translate a file and say where the translation can be fetched."""
        fields = await read_fields(request)
        upload = fields.files.get("file")
        if upload is None:
            raise _missing("file")
        source, target = _read_code(fields, "source"), _read_code(fields, "target")
        if not upload.name:
            raise RequestError("Invalid request: empty file")
        suffix = suffix_of(upload.name)
        if suffix is None:
            raise RequestError("Invalid request: file format not supported")
        if source != AUTO:
            _check_language(source, "source")
        _check_language(target, "target")
        # The text is not read yet: what is not said to be English is as good as Dutch.
        _check_pair(SOURCE_LANGUAGE if source == AUTO else source, target)
        file, _ = await workers.run(
            request, lambda _work: (read_file(suffix, upload.data), ()), characters=0
        )
        translated, _ = await workers.run(
            request,
            lambda work: file.translate(
                pipeline,
                source_language=AUTO if source == AUTO else SOURCE_LANGUAGE,
                work=work,
            ),
            characters=len(file.text),
        )
        name = downloads.add(_english_name(upload.name, suffix), translated.data)
        return JSONResponse({"translatedFileUrl": f"{request.base_url}download_file/{name}"})

    @router.get("/download_file/{name:path}")
    async def download(name: str) -> Response:
        """A translated file."""
        data = downloads.get(name)
        plain_name = name.partition(".")[2]
        return Response(
            data,
            media_type=media_type_of(PurePath(name).suffix),
            headers={"Content-Disposition": f'attachment; filename="{plain_name}"'},
        )

    @router.post("/suggest")
    async def suggest() -> Response:
        """Better translations are not taken."""
        return JSONResponse({"error": "Suggestions are disabled on this server."}, 403)

    return router


def _read_wanted(
    fields: Fields, identifier: LanguageIdentifier, max_texts: int, max_characters: int
) -> _Wanted:
    """Read a request for translations; the checks are in LibreTranslate's order.

    Raises:
        RequestError: a field is missing or has a value that it can't have.
    """
    texts, is_batch = _read_texts(fields)
    source, target = _read_code(fields, "source"), _read_code(fields, "target")
    alternatives = _read_count(fields, "alternatives")
    bullets = _read_count(fields, "summary")
    if bullets > MAX_BULLETS:
        raise RequestError(f"Invalid request: summary parameter must be <= {MAX_BULLETS}")
    _check_size(len(texts), max_texts)
    for text in texts:
        _check_size(len(text), max_characters)
    format = fields.first("format") or Format.TEXT
    detected = None
    if source == AUTO:
        detected = _identify(
            identifier, texts, Format.HTML if format == Format.HTML else Format.TEXT
        )
        # Of no text at all LibreTranslate says English, with a confidence of 0.
        is_text = detected.confidence > 0 or detected.code not in LANGUAGES
        if is_text and detected.code != SOURCE_LANGUAGE and not detected.is_surely(detected.code):
            detected = DetectedLanguage(SOURCE_LANGUAGE, 0.0, detected.enough_text)
        source = detected.code
    _check_language(source, "source")
    _check_language(target, "target")
    if format not in (Format.TEXT, Format.HTML):
        raise RequestError(f"{_quoted(format, 'this')} format is not supported")
    _check_pair(source, target)
    return _Wanted(tuple(texts), is_batch, detected, source, Format(format), alternatives, bullets)


def _read_texts(fields: Fields) -> tuple[list[str], bool]:
    """The texts of the field ``q``, and whether there is a list of them.

    Raises:
        RequestError: there is none, or one is no text.
    """
    given = fields.values.get("q")
    if not given:
        raise _missing("q")
    texts = given if isinstance(given, list) else [given]
    for text in texts:
        if not isinstance(text, str):
            raise RequestError("Invalid request: q parameter is not a string")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise RequestError("Invalid request: q parameter holds a lone surrogate")
    if not fields.from_json:
        texts = ["\n".join(text.splitlines()) for text in texts]
    return texts, isinstance(given, list)


def _read_code(fields: Fields, name: str) -> str:
    value = fields.first(name)
    if not value:
        raise _missing(name)
    if not isinstance(value, str):
        raise RequestError(f"Invalid request: {name} parameter is not a string")
    return value.lower()


def _read_count(fields: Fields, name: str) -> int:
    """A number of things, 0 if it is not given or negative."""
    value = fields.first(name)
    try:
        return 0 if value is None else max(0, int(value))
    except (TypeError, ValueError, OverflowError):
        raise RequestError(f"Invalid request: {name} parameter is not a number") from None


def _missing(name: str) -> RequestError:
    return RequestError(f"Invalid request: missing {name} parameter")


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise RequestError(f"Invalid request: request ({size}) exceeds text limit ({limit})")


def _check_language(code: str, name: str) -> None:
    if code not in LANGUAGES:
        raise RequestError(f"{_quoted(code, name)} is not supported")


def _check_pair(source: str, target: str) -> None:
    if target != TARGET_LANGUAGE:
        raise RequestError(
            f"{LANGUAGES[target]} ({target}) is not available as a target language from "
            f"{LANGUAGES[source]} ({source})"
        )


def _quoted(value: object, otherwise: str) -> str:
    """A short code as it is; anything else could be a piece of a text."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else otherwise


def _identify(
    identifier: LanguageIdentifier, texts: Sequence[str], format: Format
) -> DetectedLanguage:
    """The language of all the texts together."""
    sample = "\n".join(texts)[:_SAMPLE_CHARACTERS]
    if format is Format.HTML:
        sample = "\n".join(sentence.text for sentence in parse(sample, format).sentences())
    return identifier.identify(sample) if any(map(str.isalpha, sample)) else _WITHOUT_LETTERS


def _translate(
    pipeline: ArticlePipeline, wanted: _Wanted, work: Work
) -> tuple[list[TranslatedText], Sequence[Made]]:
    if wanted.is_english and not wanted.bullets:
        return [], []
    return translate_texts(
        pipeline,
        wanted.texts,
        format=wanted.format,
        source_language=SOURCE_LANGUAGE,
        bullets=wanted.bullets,
        work=work,
    )


def _answer(wanted: _Wanted, translated: Sequence[TranslatedText]) -> dict[str, Any]:
    def shaped(items: Sequence[Any]) -> Any:
        return items if wanted.is_batch else items[0]

    texts = wanted.texts if wanted.is_english else [translation.text for translation in translated]
    answer = {"translatedText": shaped(texts)}
    if wanted.detected:
        answer["detectedLanguage"] = shaped([_language(wanted.detected)] * len(wanted.texts))
    if wanted.alternatives:
        answer["alternatives"] = shaped([[]] * len(wanted.texts))  # the pipeline makes none
    if wanted.bullets:
        answer["summary"] = shaped([translation.bullets for translation in translated])
    return answer


def _language(language: DetectedLanguage) -> dict[str, Any]:
    """LibreTranslate's confidence is a whole percentage, as a JSON number with a point."""
    return {"confidence": float(round(language.confidence * 100)), "language": language.code}


def _english_name(name: str, suffix: str) -> str:
    """What the translation of a file is called: harmless in a header and in a path."""
    stem = _NOT_IN_FILE_NAMES.sub("_", PurePath(name).stem)[:_MAX_FILE_NAME].strip("_")
    return f"{stem or 'file'}_{TARGET_LANGUAGE}{suffix_after(suffix)}"
