"""What the pipeline made, in the shapes of the native API; also what the CLI prints."""

import dataclasses
from collections.abc import Iterable, Sequence

from service.api import schemas
from service.article.language import DetectedLanguage
from service.article.warnings import ArticleWarning
from service.pipeline import Bullets, Summary, TranslatedArticle, TranslatedDocument, Usage


def article(
    translated: TranslatedArticle,
    *,
    request_id: str,
    models: schemas.ServedModels,
    alignment: bool,
    queue_seconds: float,
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
            blocks=_blocks(translated.body) if alignment else None,
        ),
        summary=None if translated.summary is None else _bullets(translated.summary),
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
        timing_ms=schemas.TimingAnswer(
            queue=round(queue_seconds * 1000),
            translation=round(translated.translation_seconds * 1000),
            summarization=round(translated.summarization_seconds * 1000),
            total=round(total_seconds * 1000),
        ),
    )


def texts(
    documents: Sequence[TranslatedDocument],
    warnings: Sequence[ArticleWarning],
    *,
    request_id: str,
    models: schemas.ServedModels,
) -> schemas.TranslateAnswer:
    """The answer of ``POST /v1/translate``."""
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
    )


def summary(
    made: Summary, *, request_id: str, models: schemas.ServedModels
) -> schemas.SummarizeAnswer:
    """The answer of ``POST /v1/summarize``."""
    named = {source for bullet in made.summary.bullets for source in bullet.sources}
    return schemas.SummarizeAnswer(
        id=request_id,
        language=_language(made.language),
        summary=_bullets(made.summary),
        sources=[
            schemas.SummarySource(
                id=sentence.id, start=sentence.start, end=sentence.end, source=sentence.text
            )
            for sentence in made.document.sentences()
            if sentence.id in named
        ],
        warnings=_warnings(made.warnings),
        models=models,
        usage=_usage(made.usage),
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


def _blocks(document: TranslatedDocument) -> list[schemas.AlignedBlock]:
    translated = iter(document.sentences)
    return [
        schemas.AlignedBlock(
            kind=block.kind,
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
                for sentence, result in zip(block.sentences, translated, strict=False)
            ],
        )
        for block in document.source.blocks
    ]


def _bullets(made: Bullets) -> schemas.SummaryAnswer:
    return schemas.SummaryAnswer(
        method=made.method,
        headline=made.headline,
        bullets=[
            schemas.BulletAnswer(
                text=bullet.text,
                sources=list(bullet.sources),
                support=bullet.support,
                written=bullet.written,
                warnings=_warnings(bullet.warnings),
            )
            for bullet in made.bullets
        ],
    )


def _usage(usage: Usage) -> schemas.UsageAnswer:
    return schemas.UsageAnswer(**dataclasses.asdict(usage))
