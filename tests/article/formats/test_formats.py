"""Each format has its reader and its writer."""

import pytest

from service.article.document import BlockKind, Format
from service.article.formats import escape, parse


@pytest.mark.parametrize(
    ("format", "text"),
    [
        (Format.TEXT, "Kop\n\nEen zin."),
        (Format.HTML, "<h1>Kop</h1><p>Een zin."),
        (Format.MARKDOWN, "# Kop\n\nEen zin."),
    ],
)
def test_an_article_reads_the_same_in_every_format(format: Format, text: str) -> None:
    document = parse(text, format)
    assert document.format is format
    assert [block.kind for block in document.blocks] == [BlockKind.HEADING, BlockKind.PARAGRAPH]
    assert [sentence.text for sentence in document.sentences()] == ["Kop", "Een zin."]


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("text", ["a < b & *c* [d]", "# 1", "- x", "1. een", "<b>x</b> &amp; `y`"])
def test_words_are_written_so_that_they_read_the_same(format: Format, text: str) -> None:
    lead = "<p>" if format is Format.HTML else ""
    written = escape(text, format, opens_block=True)
    if format is Format.TEXT:
        assert written == text
    else:
        [sentence] = parse(lead + written, format).sentences()
        assert sentence.text == text
