"""The native routes."""

import hashlib
import time
from collections.abc import Hashable, Sequence

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from service import __version__
from service.api import answers, documents, schemas, stream
from service.api.access import Access
from service.api.account import Made
from service.api.articles import Articles, content, summary_options
from service.api.body import JSONRoute
from service.api.problems import RETRY_SECONDS
from service.api.request_workers import RequestWorkers
from service.api.schemas import problem_responses
from service.article.document import Format
from service.article.warnings import ArticleWarning
from service.errors import ContentTooLarge, Overloaded
from service.pipeline import (
    MAX_MARKS,
    ArticlePipeline,
    Listener,
    Summary,
    TranslatedArticle,
)
from service.serving.health import Health
from service.serving.work import Work
from service.settings import Settings
from service.translation.documents import TranslatedDocument
from service.translation.glossary import MAX_TERMS, Glossary

_Texts = tuple[list[TranslatedDocument], Sequence[ArticleWarning], float]
_WORK_ERRORS = problem_responses(400, 401, 408, 413, 415, 422, 429, 500, 503, 504, 507)


def create_router(
    settings: Settings,
    workers: RequestWorkers,
    access: Access,
    health: Health,
    pipeline: ArticlePipeline,
    articles: Articles,
    models: schemas.ServedModels,
    cards: list[schemas.ModelAnswer],
) -> APIRouter:
    """The native routes over one pipeline.

    Args:
        settings: limits.
        workers: do the work of requests.
        access: looks at the database of the keys.
        health: whether the server lives and is ready.
        pipeline: translates texts and makes summaries.
        articles: translates articles.
        models: what every answer says made it.
        cards: what ``GET /v1/models`` lists.
    """
    router = APIRouter(route_class=JSONRoute, responses=problem_responses(400, 500))

    @router.post(
        "/v1/articles",
        response_model=schemas.ArticleAnswer,
        responses=stream.RESPONSES | _WORK_ERRORS,
        tags=["articles"],
    )
    async def translate_article(
        request: Request, article: schemas.ArticleRequest
    ) -> schemas.ArticleAnswer | Response:
        """Translate a Dutch article and sum it up in bullets that name their source sentences."""
        _, text = content(article)
        start = time.perf_counter()

        async def answer(listener: Listener | None) -> schemas.ArticleAnswer:
            def run(work: Work) -> tuple[TranslatedArticle, Sequence[Made]]:
                translated = articles.run(article, work.checkpoint, listener)
                return translated, [translated]

            translated, timings = await workers.run(
                request,
                run,
                characters=len(text) + len(article.title or ""),
                kind=("article", article.summary and article.summary.method),
                key=_key(request, article) if listener is None else None,
                deadline_seconds=_seconds(article.deadline_ms),
            )
            return answers.article(
                translated,
                request_id=request.state.request_id,
                models=models,
                alignment=article.alignment,
                timings=timings,
                total_seconds=time.perf_counter() - start,
            )

        if not stream.is_wanted(",".join(request.headers.getlist("accept"))):
            return await answer(None)
        return await stream.ArticleStream(
            answer, alignment=article.alignment, request_id=request.state.request_id
        ).begin()

    documents.add_route(router, workers, translate_article)

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
        start = time.perf_counter()

        def run(work: Work) -> tuple[_Texts, Sequence[Made]]:
            begun = time.perf_counter()
            documents, warnings = pipeline.translate_texts(
                batch.texts,
                format=Format(batch.format),
                glossary=Glossary.of(batch.glossary),
                checkpoint=work.checkpoint,
            )
            return (documents, warnings, time.perf_counter() - begun), [documents]

        (documents, warnings, seconds), timings = await workers.run(
            request,
            run,
            characters=sum(map(len, batch.texts)),
            kind="texts",
            key=_key(request, batch),
            deadline_seconds=_seconds(batch.deadline_ms),
        )
        return answers.texts(
            documents,
            warnings,
            request_id=request.state.request_id,
            models=models,
            timings=timings,
            translation_seconds=seconds,
            total_seconds=time.perf_counter() - start,
        )

    @router.post("/v1/summarize", responses=_WORK_ERRORS, tags=["articles"])
    async def summarize(
        request: Request, text: schemas.SummarizeRequest
    ) -> schemas.SummarizeAnswer:
        """Sum up an English or Dutch text in bullets that name their source sentences."""
        start = time.perf_counter()

        def run(work: Work) -> tuple[Summary, Sequence[Made]]:
            summary = pipeline.summarize(
                text.text,
                source_language=None if text.source_language == "auto" else text.source_language,
                options=summary_options(text),
                checkpoint=work.checkpoint,
            )
            return summary, [summary]

        summary, timings = await workers.run(
            request,
            run,
            characters=len(text.text),
            kind=("summary", text.method, text.source_language),
            key=_key(request, text),
            deadline_seconds=_seconds(text.deadline_ms),
        )
        return answers.summary(
            summary,
            request_id=request.state.request_id,
            models=models,
            timings=timings,
            total_seconds=time.perf_counter() - start,
        )

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
            max_job_articles=settings.max_job_articles,
            max_job_bytes=settings.max_job_bytes,
        )

    @router.get("/version", tags=["server"])
    async def version() -> schemas.VersionAnswer:
        """What runs here."""
        return schemas.VersionAnswer(version=__version__)

    @router.get("/livez", responses=problem_responses(503), tags=["server"])
    @router.get("/healthz", tags=["server"], include_in_schema=False)
    async def livez() -> schemas.HealthAnswer:
        """Whether the server lives; where it does not, only a restart helps."""
        return _health(health.dead())

    # The port opens only when every model is loaded and warm.
    @router.get("/readyz", responses=problem_responses(503), tags=["server"])
    async def readyz() -> schemas.HealthAnswer:
        """Whether the server should be sent work."""
        await access.check()
        return _health(health.unready())

    return router


def _key(request: Request, body: BaseModel) -> Hashable:
    """The same for requests that get the same answer."""
    document = body.model_dump_json(exclude={"deadline_ms"})
    return request.url.path, hashlib.sha256(document.encode("utf-8")).digest()


def _health(trouble: str | None) -> schemas.HealthAnswer:
    if trouble:
        raise Overloaded(trouble, code="unavailable", headers={"Retry-After": RETRY_SECONDS})
    return schemas.HealthAnswer(status="ok")


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
