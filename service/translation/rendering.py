"""Translated sentences back into their document, with their markup."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, repeat

from service.article.attachment import Attached, attach
from service.article.document import Document, Format
from service.article.formats import escape
from service.article.warnings import ArticleWarning, WarningCode
from service.translation.faithful import TranslatedSentence


def unmatched_words(document: Document, sentences: Sequence[TranslatedSentence]) -> set[str]:
    """The words inside links, emphasis, … that are not found in the translations as they are.

    Their own translation may be: see ``render``.

    Args:
        document: the source.
        sentences: one for each sentence of ``document``, in order.
    """
    return {words for one in _attach(document, sentences, {}) for words in one.unmatched}


def render(
    document: Document, sentences: Sequence[TranslatedSentence], renderings: Mapping[str, str]
) -> tuple[Document, tuple[TranslatedSentence, ...]]:
    """The document in English, and its sentences with warnings of markup that was left out.

    Args:
        document: the source.
        sentences: one for each sentence of ``document``, in order.
        renderings: translations of :func:`unmatched_words` on their own; may lack some.
    """
    attached = _attach(document, sentences, renderings)
    target = document.render(
        [sentence.target for sentence in sentences], [one.form for one in attached]
    )
    return target, tuple(map(_with_markup_warnings, sentences, attached))


def _attach(
    document: Document, sentences: Sequence[TranslatedSentence], renderings: Mapping[str, str]
) -> list[Attached]:
    """Each sentence as it is to stand in the document: escaped, with its markup."""
    attached = []
    written = (
        (block.format or document.format, sentence)
        for block in document.blocks
        for sentence in block.sentences
    )
    for (format, sentence), translated in zip(written, sentences, strict=True):
        if translated.kept:
            # As it stands where there is markup: without what is invisible in it, "<\u200bb>" would
            # become a tag.
            is_plain = format is Format.TEXT
            raw = document.text[sentence.start : sentence.end]
            attached.append(Attached(translated.target if is_plain else raw))
        else:
            write = _writer(format)
            attached.append(attach(sentence, translated.target, write, renderings))
    return attached


def _writer(format: Format) -> Callable[[str], str]:
    """Escapes the pieces of one sentence in order; the first may stand where a line begins."""
    opening = chain([True], repeat(False))
    return lambda text: escape(text, format, opens_block=next(opening))


def _with_markup_warnings(sentence: TranslatedSentence, attached: Attached) -> TranslatedSentence:
    warnings = [
        ArticleWarning(code, " ".join(markup))
        for code, markup in (
            (WarningCode.MARKUP_DROPPED, attached.dropped),
            (WarningCode.MARKUP_MOVED, attached.moved),
        )
        if markup
    ]
    return replace(sentence, warnings=(*sentence.warnings, *warnings)) if warnings else sentence
