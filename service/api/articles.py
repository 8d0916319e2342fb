"""The one way from an article request to its answer, whatever brought it: a request, a job, a file
or an archive."""

import re
import time
import uuid
from typing import Any

from pydantic import ValidationError

from service.api import answers, schemas
from service.api.account import count
from service.api.body import parse_json
from service.api.problems import invalid
from service.article.document import Format
from service.errors import InvalidRequest
from service.pipeline import ArticlePipeline, Listener, TranslatedArticle
from service.serving.metrics import Metrics
from service.serving.work import Work
from service.summarization.summarizer import SummaryOptions
from service.translation.faithful import Checkpoint
from service.translation.glossary import Glossary

_ID = re.compile(r"[A-Za-z0-9._:/-]{1,200}")
"""An article's id: harmless in a log line, and long enough for an address without its query."""


class Articles:
    """Article requests in, answers out.

    Args:
        pipeline: does the work.
        models: what every answer says made it.
        metrics: where answers that are of no request are counted; nowhere unless given.
    """

    def __init__(
        self,
        pipeline: ArticlePipeline,
        models: schemas.ServedModels,
        metrics: Metrics | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._models = models
        self._metrics = metrics

    def run(
        self,
        article: schemas.ArticleRequest,
        checkpoint: Checkpoint,
        listener: Listener | None = None,
    ) -> TranslatedArticle:
        """Translate an article and sum it up; see :meth:`ArticlePipeline.translate_article`."""
        format, text = content(article)
        return self._pipeline.translate_article(
            text,
            format=format,
            main_text=article.main_text,
            title=article.title,
            source_language=article.source_language,
            glossary=Glossary.of(article.glossary),
            summary=summary_options(article.summary) if article.summary else None,
            checkpoint=checkpoint,
            listener=listener,
        )

    def translate(self, request: str, work: Work) -> str:
        """The answer to one article of a job, a file or an archive.

        Args:
            request: the body of ``POST /v1/articles`` as JSON, with or without an ``id``. Its
                ``deadline_ms`` counts from now.
            work: ended where nobody wants the answer any more.

        Returns:
            The answer of ``POST /v1/articles`` as JSON; its ``id`` is the article's, or a new one.

        Raises:
            ServiceError: the article is refused, its work failed or was ended.
        """
        start = time.perf_counter()
        document = parse_json(request.encode("utf-8"))
        anonymous = isinstance(document, dict) and "id" not in document
        identifier = uuid.uuid4().hex if anonymous else article_id(document)
        article = article_request(document)
        patience = Work(None if article.deadline_ms is None else article.deadline_ms / 1000)

        def checkpoint(done: int = 0, total: int = 0) -> None:
            work.checkpoint(done, total)
            patience.checkpoint(done, total)

        translated = self.run(article, checkpoint)
        checkpoint()
        if self._metrics is not None:
            count(translated, self._metrics)
        return answers.article(
            translated,
            request_id=identifier,
            models=self._models,
            alignment=article.alignment,
            timings=work.timings,
            total_seconds=time.perf_counter() - start,
        ).model_dump_json()


def article_id(document: Any) -> str:
    """The id of an article of a job, a file or an archive.

    Args:
        document: what stands there, parsed.

    Raises:
        InvalidRequest: it is no object, or has no id of the right form.
    """
    if not isinstance(document, dict):
        raise InvalidRequest("an article must be a JSON object")
    identifier = document.get("id")
    if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
        raise InvalidRequest(
            "id: must be 1 to 200 letters, digits and characters of . _ : / -", code="id_invalid"
        )
    return identifier


def article_request(document: dict[str, Any]) -> schemas.ArticleRequest:
    """What is asked for an article: its object without the ``id``.

    Raises:
        InvalidRequest: as ``POST /v1/articles`` refuses it.
    """
    fields = {name: value for name, value in document.items() if name != "id"}
    try:
        article = schemas.ArticleRequest.model_validate(fields)
    except ValidationError as error:
        raise invalid(
            [
                {**item, "loc": ("article", *item["loc"])}
                for item in error.errors(include_input=False)
            ]
        ) from None
    content(article)
    return article


def content(article: schemas.ArticleRequest) -> tuple[Format, str]:
    """The one field that holds the article.

    Raises:
        InvalidRequest: none does, or more than one.
    """
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


def summary_options(
    wanted: schemas.SummaryOptions | schemas.SummarizeRequest,
) -> SummaryOptions:
    """What summary is wanted."""
    return SummaryOptions(wanted.bullets, wanted.method, wanted.max_words, wanted.headline)
