"""Texts in a dialect: each translated on its own, and summed up where bullets are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.api.account import Made
from service.article.document import Format
from service.article.warnings import ArticleWarning
from service.pipeline import ArticlePipeline
from service.serving.work import Work
from service.summarization.summarizer import SummaryOptions


@dataclass(frozen=True, slots=True)
class TranslatedText:
    """A text in English.

    Attributes:
        text: written as the original is.
        warnings: about the text as a whole.
        bullets: of its summary, in document order; none unless asked for.
    """

    text: str
    warnings: Sequence[ArticleWarning]
    bullets: Sequence[str] = ()


def translate_texts(
    pipeline: ArticlePipeline,
    texts: Sequence[str],
    *,
    format: Format,
    source_language: str,
    bullets: int,
    work: Work,
) -> tuple[list[TranslatedText], Sequence[Made]]:
    """Translate texts.

    Args:
        pipeline: does the work.
        texts: what to translate.
        format: how they are written.
        source_language: see ``ArticlePipeline.translate_article``.
        bullets: how many each text is summed up in; 0 for no summaries.
        work: the request that this is for.

    Returns:
        One translation per text, in order, and what the pipeline made.

    Raises:
        ServiceError: see ``ArticlePipeline.translate_article``.
    """
    if not bullets:
        documents, _ = pipeline.translate_texts(
            texts, format=format, source_language=source_language, checkpoint=work.checkpoint
        )
        translated = [TranslatedText(made.target.text, made.warnings) for made in documents]
        return translated, [documents]
    articles = [
        pipeline.translate_article(
            text,
            format=format,
            main_text=False,
            source_language=source_language,
            summary=SummaryOptions(bullets),
            checkpoint=work.checkpoint,
        )
        for text in texts
    ]
    return [
        TranslatedText(
            article.body.target.text,
            article.warnings,
            [bullet.text for bullet in article.summary.bullets] if article.summary else (),
        )
        for article in articles
    ], articles
