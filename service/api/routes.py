"""The native routes."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.requests import Request

from service import __version__
from service.api import answers, schemas
from service.api.body import JSONRoute
from service.api.schemas import problem_responses
from service.article.document import Format
from service.errors import ContentTooLarge, InvalidRequest
from service.pipeline import MAX_MARKS, ArticlePipeline, Summary, TranslatedArticle
from service.serving.workers import Work, Workers
from service.settings import Settings
from service.summarization.summarizer import SummaryOptions
from service.translation.glossary import MAX_TERMS, Glossary

_WORK_ERRORS = problem_responses(400, 408, 413, 415, 422, 500, 503, 504)


def create_router(
    settings: Settings,
    workers: Workers,
    pipeline: ArticlePipeline,
    models: schemas.ServedModels,
    cards: list[schemas.ModelAnswer],
) -> APIRouter:
    """The native routes over one pipeline.

    Args:
        settings: limits.
        workers: runs the pipeline off the event loop.
        pipeline: does the work.
        models: what every answer says made it.
        cards: what ``GET /v1/models`` lists.
    """
    router = APIRouter(route_class=JSONRoute, responses=problem_responses(400, 500))

    @router.post("/v1/articles", responses=_WORK_ERRORS, tags=["articles"])
    async def translate_article(
        request: Request, article: schemas.ArticleRequest
    ) -> schemas.ArticleAnswer:
        """Translate a Dutch article and sum it up in bullets that name their source sentences."""
        format, text = _content(article)
        start = time.perf_counter()

        def run(work: Work) -> tuple[TranslatedArticle, float]:
            translated = pipeline.translate_article(
                text,
                format=format,
                main_text=article.main_text,
                title=article.title,
                source_language=article.source_language,
                glossary=Glossary.of(article.glossary),
                summary=_options(article.summary) if article.summary else None,
                checkpoint=work.checkpoint,
            )
            return translated, work.queue_seconds

        translated, queue_seconds = await workers.run(
            run,
            disconnected=_disconnected(request),
            deadline_seconds=_seconds(article.deadline_ms),
        )
        return answers.article(
            translated,
            request_id=request.state.request_id,
            models=models,
            alignment=article.alignment,
            queue_seconds=queue_seconds,
            total_seconds=time.perf_counter() - start,
        )

    @router.post("/v1/translate", responses=_WORK_ERRORS, tags=["articles"])
    async def translate(
        request: Request, batch: schemas.TranslateRequest
    ) -> schemas.TranslateAnswer:
        """Translate texts, each on its own: no summary, no alignment."""
        if len(batch.texts) > settings.max_texts_per_request:
            raise ContentTooLarge(
                f"{len(batch.texts)} texts; at most {settings.max_texts_per_request} are taken",
                code="too_many_texts",
            )
        documents, warnings = await workers.run(
            lambda work: pipeline.translate_texts(
                batch.texts,
                format=Format(batch.format),
                glossary=Glossary.of(batch.glossary),
                checkpoint=work.checkpoint,
            ),
            disconnected=_disconnected(request),
            deadline_seconds=_seconds(batch.deadline_ms),
        )
        return answers.texts(
            documents, warnings, request_id=request.state.request_id, models=models
        )

    @router.post("/v1/summarize", responses=_WORK_ERRORS, tags=["articles"])
    async def summarize(
        request: Request, text: schemas.SummarizeRequest
    ) -> schemas.SummarizeAnswer:
        """Sum up an English or Dutch text in bullets that name their source sentences."""

        def run(work: Work) -> Summary:
            return pipeline.summarize(
                text.text,
                source_language=None if text.source_language == "auto" else text.source_language,
                options=_options(text),
                checkpoint=work.checkpoint,
            )

        summary = await workers.run(
            run,
            disconnected=_disconnected(request),
            deadline_seconds=_seconds(text.deadline_ms),
        )
        return answers.summary(summary, request_id=request.state.request_id, models=models)

    @router.get("/v1/models", tags=["server"])
    async def list_models() -> schemas.ModelsAnswer:
        """The models that this server knows, and those it serves."""
        return schemas.ModelsAnswer(profile=settings.profile, models=cards)

    @router.get("/v1/limits", tags=["server"])
    async def limits() -> schemas.LimitsAnswer:
        """What this server accepts."""
        return schemas.LimitsAnswer(
            max_article_characters=settings.max_article_characters,
            max_title_characters=schemas.MAX_TITLE_CHARACTERS,
            max_texts_per_request=settings.max_texts_per_request,
            max_body_bytes=settings.max_body_bytes,
            max_queued_requests=settings.max_queued_requests,
            max_markup_marks=MAX_MARKS,
            max_glossary_terms=MAX_TERMS,
            max_bullets=schemas.MAX_BULLETS,
            max_deadline_ms=schemas.MAX_DEADLINE_MS,
        )

    @router.get("/version", tags=["server"])
    async def version() -> schemas.VersionAnswer:
        """What runs here."""
        return schemas.VersionAnswer(version=__version__)

    # The port opens only when every model is loaded and warm, so a server that answers is ready.
    @router.get("/livez", tags=["server"])
    @router.get("/readyz", tags=["server"])
    @router.get("/healthz", tags=["server"], include_in_schema=False)
    async def health() -> schemas.HealthAnswer:
        """Whether the server lives and is ready for work."""
        return schemas.HealthAnswer(status="ok")

    return router


def _disconnected(request: Request) -> Callable[[], Awaitable[None]]:
    """Waits until the caller has closed the connection; the body must have been read."""

    async def wait() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            await asyncio.sleep(0)

    return wait


def _options(wanted: schemas.SummaryOptions | schemas.SummarizeRequest) -> SummaryOptions:
    return SummaryOptions(wanted.bullets, wanted.method, wanted.max_words, wanted.headline)


def _content(article: schemas.ArticleRequest) -> tuple[Format, str]:
    """The one field that holds the article."""
    given = [
        (format, text)
        for format, text in (
            (Format.TEXT, article.text),
            (Format.HTML, article.html),
            (Format.MARKDOWN, article.markdown),
        )
        if text is not None
    ]
    if len(given) != 1:
        detail = "text: exactly one of text, html and markdown must hold the article"
        raise InvalidRequest(detail, errors=[{"loc": "text", "code": "one_of", "detail": detail}])
    return given[0]


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
