"""Whatever the engine answers: of the article's markup nothing is lost, moved out or made anew."""

from collections import Counter
from collections.abc import Callable

import pytest
from fakes import FakeTranslator
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from service.article.document import Format
from service.article.formats.html_tokenizer import TokenKind, tokenize
from service.article.language import LanguageIdentifier
from service.article.warnings import WarningCode
from service.pipeline import ArticlePipeline
from service.summarization.extractive import ExtractiveSummarizer
from service.translation.documents import TranslatedDocument

IDENTIFIER = LanguageIdentifier()
ENGLISH = "This is clearly an English sentence about the state of the world today. "


def translated(
    text: str, format: Format, rewrite: Callable[[str], str] = str
) -> TranslatedDocument:
    engine = FakeTranslator(rewrite, max_characters=300)
    pipeline = ArticlePipeline(engine, ExtractiveSummarizer(), IDENTIFIER)
    return pipeline.translate_article(text, format=format, main_text=False).body


@pytest.mark.parametrize(
    ("text", "format"),
    [
        (f"<p>{ENGLISH}<\u200bimg src=x onerror=alert(1)></p>", Format.HTML),
        ("<p translate=no>Typ <\u200bscript>, <\x00b> of &\u200blt;</p>", Format.HTML),
        ("\u200b- 2020\n\n\u200b# 2021", Format.MARKDOWN),
        (f"{ENGLISH}*\u200b* <\u200bimg src=x> [\u200bx](y)", Format.MARKDOWN),
        (f"<div><p>{ENGLISH}<\u200bimg src=x></p></div>", Format.MARKDOWN),
    ],
)
def test_what_is_left_alone_stands_there_character_for_character(text: str, format: Format) -> None:
    # Without its invisible characters, "<\u200bimg …>" would be a tag that no sanitizer has seen.
    document = translated(text, format)
    assert all(sentence.kept for sentence in document.sentences)
    assert document.target.text == text


NEWS = [
    *("De minister zei dat ", "het kabinet ", "op 3 jan. 2020 ", "om 20.45 uur ", "€ 1.234,56 "),
    *("„Ik ga.” ", "'s Avonds ", ENGLISH, "Door: Jan de Vries", "DEN HAAG (ANP) - ", "14:32 - "),
    *("https://nos.nl/a_b?c=1&d=2 ", "@nos ", "😀 ", "\u200b", "\u202e", "KABINET VALT OVER WET "),
    *("(zie blz. 3) ", "<\u200bb>", "*\u200b*", "organi-\nsatie ", ". ", "? ", ", ", " ", "\n\n"),
]
HTML = st.lists(
    st.sampled_from(
        [
            *NEWS,
            *("<p>", "</p>", "<b>", "</b>", "<i>", "</i>", "<a href='x'>", "</a>", "<li>", "<br>"),
            *("<img src=x>", "<!-- c -->", "<code>“q”</code>", "<h2>", "</h2>", "<td>", "&lt;"),
            *("<p translate=no>", "<sup><a href=#1>1</a></sup>", "<span lang=en>", "</span>"),
        ]
    ),
    max_size=20,
).map("".join)
MARKDOWN = st.lists(
    st.sampled_from(
        [
            *NEWS,
            *("*", "**", "_", "`“q”`", "[", "](u)", "![a](u)", "<b>", "</b>", "\\*", "&amp;"),
            *("\n# ", "\n- ", "\n> ", "\n\n1. ", "\n\n    ", "  \n", "\n```\n", "\n\n<div>\n"),
        ]
    ),
    max_size=20,
).map("".join)
ENGINES = st.sampled_from(
    [
        str,
        lambda sentence: sentence[::-1],
        lambda sentence: f"{sentence} {sentence}",
        lambda sentence: " ".join(sorted(sentence.split())),
        lambda _: "Lorem < ipsum & *dolor* [sit](x) `amet` <b>.",
        lambda _: "- # 1. > | <div>",
        lambda _: "?",
    ]
)


def start_tags(html: str) -> Counter[str]:
    return Counter(
        html[token.start : token.end] for token in tokenize(html) if token.kind is TokenKind.START
    )


def blocks(markdown: str) -> list[tuple[str, str, int]]:
    parser = MarkdownIt("commonmark")
    return [(token.type, token.tag, token.level) for token in parser.parse(markdown)]


@given(HTML, ENGINES)
def test_a_start_tag_is_kept_or_reported_and_none_is_made(
    html: str, rewrite: Callable[[str], str]
) -> None:
    document = translated(html, Format.HTML, rewrite)
    before, after = start_tags(html), start_tags(document.target.text)
    dropped = [
        warning.evidence
        for sentence in document.sentences
        for warning in sentence.warnings
        if warning.code is WarningCode.MARKUP_DROPPED
    ]
    assert not after - before
    assert all(any(tag in evidence for evidence in dropped) for tag in before - after)


@given(MARKDOWN, ENGINES)
def test_markdown_keeps_its_blocks(markdown: str, rewrite: Callable[[str], str]) -> None:
    assert blocks(translated(markdown, Format.MARKDOWN, rewrite).target.text) == blocks(markdown)


@given(HTML | MARKDOWN, st.sampled_from(Format), ENGINES)
def test_what_lies_between_sentences_is_never_touched(
    text: str, format: Format, rewrite: Callable[[str], str]
) -> None:
    document = translated(text, format, rewrite)
    source, target = list(document.source.slices()), list(document.target.slices())
    assert "".join(source) == text
    assert target[::2] == source[::2]
    assert len(document.sentences) == len(source) // 2
