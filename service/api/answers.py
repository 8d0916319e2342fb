"""What the pipeline made, in the shapes of the native API; also what the CLI prints."""

import dataclasses
from collections.abc import Iterable, Sequence

from service.api import schemas
from service.article.document import Document
from service.article.language import DetectedLanguage
from service.article.warnings import ArticleWarning
from service.pipeline import Bullets, Summary, TranslatedArticle
from service.serving.work import Timings
from service.summarization.summarizer import Bullet
from service.translation.documents import TranslatedBlock, TranslatedDocument, Usage


def article(
    translated: TranslatedArticle,
    *,
    request_id: str,
    models: schemas.ServedModels,
    alignment: bool,
    timings: Timings,
    total_seconds: float,
) -> schemas.ArticleAnswer:
    """The answer of ``POST /v1/articles``; the times are in seconds."""
    return schemas.ArticleAnswer(
        id=request_id,
        title=translated.title.target.text if translated.title else None,
        page=None
        if translated.page is None
        else schemas.PageAnswer(**dataclasses.asdict(translated.page)),
        language=_language(translated.language),
        translation=schemas.TranslationAnswer(
            text=translated.body.target.text,
            blocks=list(map(block, translated.body.blocks())) if alignment else None,
        ),
        summary=None
        if translated.summary is None
        else schemas.ArticleSummaryAnswer(
            **dict(_summary(translated.summary)),
            sources=None if alignment else _sources(translated.body.source, translated.summary),
        ),
        warnings=_warnings(
            [
                *translated.warnings,
                *(
                    w
                    for s in (translated.title.sentences if translated.title else ())
                    for w in s.warnings
                ),
            ]
        ),
        models=models,
        usage=_usage(translated.usage),
        timing_ms=_timing(
            timings,
            translated.translation_seconds,
            translated.summarization_seconds,
            total_seconds,
        ),
    )


def texts(
    documents: Sequence[TranslatedDocument],
    warnings: Sequence[ArticleWarning],
    *,
    request_id: str,
    models: schemas.ServedModels,
    timings: Timings,
    translation_seconds: float,
    total_seconds: float,
) -> schemas.TranslateAnswer:
    """The answer of ``POST /v1/translate``; the times are in seconds."""
    return schemas.TranslateAnswer(
        id=request_id,
        translations=[
            schemas.TranslatedText(
                text=document.target.text,
                warnings=_warnings(
                    dict.fromkeys(
                        [*document.warnings, *(w for s in document.sentences for w in s.warnings)]
                    )
                ),
            )
            for document in documents
        ],
        warnings=_warnings(warnings),
        models=models,
        usage=_usage(sum((document.usage for document in documents), Usage())),
        timing_ms=_timing(timings, translation_seconds, 0, total_seconds),
    )


def summary(
    made: Summary,
    *,
    request_id: str,
    models: schemas.ServedModels,
    timings: Timings,
    total_seconds: float,
) -> schemas.SummarizeAnswer:
    """The answer of ``POST /v1/summarize``; the times are in seconds."""
    return schemas.SummarizeAnswer(
        id=request_id,
        language=_language(made.language),
        summary=_summary(made.summary),
        sources=_sources(made.document, made.summary),
        warnings=_warnings(made.warnings),
        models=models,
        usage=_usage(made.usage),
        timing_ms=_timing(
            timings, made.translation_seconds, made.summarization_seconds, total_seconds
        ),
    )


def block(translated: TranslatedBlock) -> schemas.AlignedBlock:
    """A block of ``translation.blocks``."""
    return schemas.AlignedBlock(
        kind=translated.source.kind,
        sentences=[
            schemas.AlignedSentence(
                id=sentence.id,
                start=sentence.start,
                end=sentence.end,
                source=sentence.text,
                target=result.target,
                score=result.score,
                warnings=_warnings(result.warnings),
                terms=[
                    schemas.AppliedTerm(term=term.term, start=term.start, end=term.end)
                    for term in result.terms
                ],
            )
            for sentence, result in zip(
                translated.source.sentences, translated.sentences, strict=True
            )
        ],
    )


def bullet(made: Bullet) -> schemas.BulletAnswer:
    """A bullet of ``summary.bullets``."""
    return schemas.BulletAnswer(
        text=made.text,
        sources=list(made.sources),
        support=made.support,
        written=made.written,
        warnings=_warnings(made.warnings),
    )


def _warnings(warnings: Iterable[ArticleWarning]) -> list[schemas.WarningAnswer]:
    return [
        schemas.WarningAnswer(
            code=warning.code, severity=warning.code.severity, evidence=warning.evidence
        )
        for warning in warnings
    ]


def _language(language: DetectedLanguage) -> schemas.Language:
    return schemas.Language(code=language.code, confidence=language.confidence)


def _summary(made: Bullets) -> schemas.SummaryAnswer:
    return schemas.SummaryAnswer(
        method=made.method, headline=made.headline, bullets=list(map(bullet, made.bullets))
    )


def _sources(document: Document, made: Bullets) -> list[schemas.SummarySource]:
    """The sentences of ``document`` that the bullets name."""
    named = {source for bullet in made.bullets for source in bullet.sources}
    return [
        schemas.SummarySource(
            id=sentence.id, start=sentence.start, end=sentence.end, source=sentence.text
        )
        for sentence in document.sentences()
        if sentence.id in named
    ]


def _usage(usage: Usage) -> schemas.UsageAnswer:
    return schemas.UsageAnswer(**dataclasses.asdict(usage))


def _timing(
    timings: Timings, translation_seconds: float, summarization_seconds: float, total_seconds: float
) -> schemas.TimingAnswer:
    return schemas.TimingAnswer(
        queue=round(timings.queue * 1000),
        tokenization=round(timings.tokenization * 1000),
        inference=round(timings.inference * 1000),
        translation=round(translation_seconds * 1000),
        summarization=round(summarization_seconds * 1000),
        total=round(total_seconds * 1000),
    )
